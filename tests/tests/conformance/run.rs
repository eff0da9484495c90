//! Running a suite: one stack for each port that its cases are sent to.

mod many;
mod send;

use std::collections::BTreeMap;

use faregate_tests::Stack;

use crate::{
    backends::Backends,
    expect,
    model::{Case, Suite},
    report::Verdict,
    translate::{self, NotApplicable},
};
pub(crate) use send::ANY_HOST;
use send::Door;

/// Gateway and listener port.
type Port<'a> = (&'a str, u16);

/// The verdicts of a suite, in the order of its cases.
pub(crate) async fn suite(suite: &Suite, backends: &Backends) -> Vec<Verdict> {
    let mut verdicts: Vec<Option<Verdict>> = suite.cases.iter().map(|case| not_applicable(suite, case)).collect();
    let mut by_port: BTreeMap<Port<'_>, Vec<usize>> = BTreeMap::new();
    for (index, case) in suite.cases.iter().enumerate().filter(|(index, _)| verdicts[*index].is_none()) {
        by_port.entry(port(suite, case)).or_default().push(index);
    }
    for (port, cases) in by_port {
        let door = open(suite, port, backends).await;
        for index in cases {
            verdicts[index] = Some(match &door {
                Ok(door) => case(&suite.cases[index], door).await,
                Err(verdict) => verdict.clone(),
            });
        }
    }
    verdicts.into_iter().flatten().collect()
}

/// Why a case needs what a function URL does not have, or a document cannot say.
fn not_applicable(suite: &Suite, case: &Case) -> Option<Verdict> {
    let other_name = case.request.sni.as_ref().is_some_and(|sni| case.request.host.as_ref() != Some(sni));
    let reason = match case.request.protocol.as_deref() {
        _ if suite.scope == "kubernetes-references" => {
            "Kubernetes references and grants: a document has no namespaces, and a reference to nothing refuses it whole"
        }
        Some("websocket") => "WebSocket: a function URL does not switch protocols",
        Some("H2C_PRIOR_KNOWLEDGE") => {
            "HTTP/2 without TLS: a function URL has none, and a document does not say that a backend has"
        }
        _ if other_name => "TLS is the function URL's: the server name of a handshake never reaches the gateway",
        _ if suite.name == "HTTPRouteRedirectPortAndScheme" && case.name.starts_with("http-listener-on-8080/0 ") => {
            "the listener's own port in `location`: a function URL has one port"
        }
        _ => return None,
    };
    Some(Verdict::NotApplicable(reason.to_owned()))
}

/// Where a case is sent to.
fn port<'a>(suite: &Suite, case: &'a Case) -> Port<'a> {
    let gateway = suite.gateways.iter().find(|gateway| gateway.name == case.gateway);
    let first = gateway.and_then(|gateway| gateway.listeners.first()).map(|listener| listener.port);
    (&case.gateway, case.request.listener_port.or(first).unwrap_or_default())
}

/// A stack for a port; or the verdict of all its cases.
async fn open(suite: &Suite, (gateway, port): Port<'_>, backends: &Backends) -> Result<Door, Verdict> {
    let document = translate::document(suite, gateway, port, backends)
        .map_err(|NotApplicable(reason)| Verdict::NotApplicable(reason))?;
    let stack = Stack::start(&document).await.map_err(|error| Verdict::Failed(vec![format!("no gateway: {error}")]))?;
    let scheme = translate::protocol(suite, gateway, port).map(str::to_ascii_lowercase).unwrap_or_default();
    Ok(Door { stack, scheme })
}

async fn case(case: &Case, door: &Door) -> Verdict {
    if case.expect.mirrored_to.is_some() || case.websocket.is_some() || case.backend_simulation.is_some() {
        return Verdict::Failed(vec!["the case asks for something that is not checked here".to_owned()]);
    }
    let differences = match (&case.distribution, case.repeat) {
        (Some(distribution), _) => many::distribution(case, distribution, door).await,
        (None, Some(times)) => many::repeat(case, times, door).await,
        (None, None) if case.invariant.is_some() => vec!["an invariant of a single request".to_owned()],
        (None, None) => match door.send(case).await {
            Ok(answer) => {
                let differences = expect::differences(case, &door.scheme_of(case), &answer);
                if differences.is_empty() && expect::names_the_methods(&case.expect, &answer) {
                    return Verdict::PassedWith405;
                }
                differences
            }
            Err(error) => vec![error],
        },
    };
    if differences.is_empty() { Verdict::Passed } else { Verdict::Failed(differences) }
}
