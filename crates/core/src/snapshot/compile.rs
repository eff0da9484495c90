//! Document → snapshot, every mistake reported.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use http::{HeaderName, HeaderValue, header};
use url::Url;

use super::{Action, BackendPolicy, PlanPolicy, RoutePolicy, SettingsPolicy, Snapshot, TargetPolicy, identity, limits};
use crate::{
    diagnostic::{Place, Report, codes},
    document::{Backend, Document, Kind, MatchEntry, Route, SETTINGS_ID, Settings, Target, check_id},
    jwt::IssuerPolicy,
    matcher::{Candidate, Conditions, HostPattern, Matcher, PathPattern, REGEXES_PER_HOST_MAX},
    origin::Origin,
    policy::authenticate::CredentialPolicy,
};

/// What a route may refer to.
struct References<'a> {
    backends: &'a HashMap<&'a str, usize>,
    issuers: &'a Issuers<'a>,
    plans: &'a BTreeMap<Box<str>, PlanPolicy>,
}

/// The issuers by id; `None` for one with mistakes of its own.
type Issuers<'a> = BTreeMap<&'a str, Option<Arc<IssuerPolicy>>>;

impl Snapshot {
    /// Resolves and compiles a document, reporting every mistake; `None` if there is an error.
    #[must_use]
    pub fn compile(document: &Document, report: &mut Report) -> Option<Self> {
        check_ids(document, report);
        let mut settings =
            compile_settings(&document.settings, &mut report.entry(Kind::Settings.as_str(), SETTINGS_ID));
        let mut issuers = Issuers::new();
        for issuer in &document.issuers {
            let compiled = issuer.compile(&mut report.entry(Kind::Issuer.as_str(), &issuer.id));
            issuers.insert(&issuer.id, compiled.map(Arc::new));
        }
        let plans = limits::plans(document, report);
        let mut backends = Vec::with_capacity(document.backends.len());
        for backend in &document.backends {
            backends.push(compile_backend(backend, &mut report.entry(Kind::Backend.as_str(), &backend.id)));
        }
        let index: HashMap<&str, usize> =
            document.backends.iter().enumerate().map(|(index, backend)| (backend.id.as_str(), index)).collect();
        let mut disabled = Vec::new();
        let mut routes = Vec::with_capacity(document.routes.len());
        let mut candidates = Vec::with_capacity(document.routes.len());
        for route in &document.routes {
            let mut place = report.entry(Kind::Route.as_str(), &route.id);
            let (policy, candidate) = compile_route(
                route,
                routes.len(),
                &References { backends: &index, issuers: &issuers, plans: &plans },
                &mut place,
            );
            // A disabled route is checked like any other, and then matches nothing.
            match policy {
                Some(policy) if route.enabled => {
                    routes.push(policy);
                    candidates.push(candidate);
                }
                policy => disabled.extend(policy),
            }
        }
        let identity_headers = identity::check(routes.iter().chain(&disabled), &settings, report);
        let matcher = Matcher::build(candidates);
        if let Some(host) = matcher.host_with_too_many_regexes() {
            let message = format!("more than {REGEXES_PER_HOST_MAX} regexes are matched under {host}");
            report.entry(Kind::Settings.as_str(), SETTINGS_ID).error(codes::TOO_MANY, message);
        }
        if report.has_errors() {
            return None;
        }
        redact(&mut settings, routes.iter().chain(&disabled));
        warn_of_iam_beside_others(&routes, report);
        let issuers = issuers.into_values().flatten().collect();
        Some(Self {
            settings,
            issuers,
            plans,
            backends: backends.into(),
            routes: routes.into(),
            identity_headers,
            matcher,
        })
    }
}

fn check_ids(document: &Document, report: &mut Report) {
    let issuers = document.issuers.iter().map(|issuer| (Kind::Issuer, issuer.id.as_str()));
    let backends = document.backends.iter().map(|backend| (Kind::Backend, backend.id.as_str()));
    let routes = document.routes.iter().map(|route| (Kind::Route, route.id.as_str()));
    let mut seen = BTreeSet::new();
    let plans = document.plans.iter().map(|plan| (Kind::Plan, plan.id.as_str()));
    for (kind, id) in issuers.chain(plans).chain(backends).chain(routes) {
        let mut place = report.entry(kind.as_str(), id);
        if let Err(error) = check_id(id) {
            place.at("id").error(codes::INVALID_VALUE, error);
        }
        if !seen.insert((kind, id)) {
            place.at("id").error(codes::DUPLICATE, format!("another {} has the id `{id}`", kind.as_str()));
        }
    }
}

fn compile_settings(settings: &Settings, place: &mut Place<'_>) -> SettingsPolicy {
    if !(1..=3600).contains(&settings.refresh_seconds) {
        place.at("refresh_seconds").error(codes::INVALID_VALUE, "from 1 to 3600 seconds");
    }
    if settings.edge.is_some() && settings.trusted_hops > 0 {
        place
            .at("trusted_hops")
            .error(codes::CONFLICT, "with `edge` the client's address comes from the edge's header");
    }
    settings.metrics.check(&mut place.at("metrics"));
    SettingsPolicy {
        refresh_seconds: settings.refresh_seconds,
        trusted_hops: settings.trusted_hops,
        edge: settings.edge.as_ref().and_then(|edge| edge.compile(&mut place.at("edge"))),
        expose_version: settings.expose_version,
        default_plan: settings.default_plan.as_deref().map(Into::into),
        access_log: settings.access_log.compile(&mut place.at("access_log")),
        metrics: settings.metrics,
        prices: settings.prices.clone(),
    }
}

/// The token of a role's session, beside a signature of AWS.
const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
/// Query parameters that are credentials wherever they stand: a token (RFC 6750 §2.3), and those of presigned URLs of AWS.
const SECRET_PARAMETERS: [&str; 4] = ["access_token", "x-amz-credential", "x-amz-security-token", "x-amz-signature"];

/// What carries credentials anywhere in the document, on routes that are disabled, too, is shown nowhere.
fn redact<'a>(settings: &mut SettingsPolicy, routes: impl Iterator<Item = &'a RoutePolicy>) {
    let mut headers = vec![header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE, SESSION_TOKEN];
    headers.extend(settings.access_log.redacted.iter().cloned());
    headers.extend(settings.edge.as_ref().map(|edge| edge.secret_header.clone()));
    let mut parameters: Vec<Box<str>> = SECRET_PARAMETERS.map(Into::into).into();
    for credential in routes.flat_map(|route| &route.authenticate.credentials) {
        match credential {
            CredentialPolicy::ApiKey(key) => {
                headers.extend(key.place.as_ref().map(|place| place.name.clone()));
                parameters.extend(key.query.clone());
            }
            CredentialPolicy::Jwt(jwt) => headers.push(jwt.place.name.clone()),
            CredentialPolicy::ForwardAuth(asked) => headers.extend(asked.send.iter().cloned()),
            CredentialPolicy::Iam => {}
        }
    }
    settings.access_log.redacted = headers.into();
    settings.access_log.redacted_parameters = parameters.into();
}

fn compile_backend(backend: &Backend, place: &mut Place<'_>) -> BackendPolicy {
    let mut targets = Vec::with_capacity(backend.targets.len());
    for (index, target) in backend.targets.iter().enumerate() {
        targets.extend(compile_target(target, &mut place.item("targets", index)));
    }
    if backend.targets.is_empty() {
        place.at("targets").error(codes::MISSING_FIELD, "a target is needed");
    } else if backend.targets.iter().all(|target| target.weight == 0) {
        place.at("targets").error(codes::INVALID_VALUE, "every weight is 0");
    }
    targets.retain(|target| target.weight > 0);
    BackendPolicy { id: backend.id.as_str().into(), targets: targets.into(), timeouts: backend.timeouts }
}

fn compile_target(target: &Target, place: &mut Place<'_>) -> Option<TargetPolicy> {
    let mut place = place.at("url");
    let url = match Url::parse(&target.url) {
        Ok(url) => url,
        Err(error) => {
            place.error(codes::INVALID_VALUE, format!("no URL: {error}"));
            return None;
        }
    };
    let host = url.host_str().filter(|host| !host.is_empty());
    if !matches!(url.scheme(), "http" | "https") || host.is_none() {
        place.error(codes::INVALID_VALUE, "a target is http:// or https:// and a host");
    } else if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        place.error(codes::INVALID_VALUE, "a target has no user, query or fragment");
    } else if crate::path::normalise(url.path()).ok().as_deref() != Some(url.path()) {
        place.error(codes::INVALID_VALUE, "the target's path is not in normal form");
    }
    let origin = Origin::of(&url).ok()?;
    Some(TargetPolicy {
        authority: HeaderValue::from_str(origin.authority().as_str()).ok()?,
        origin,
        base_path: url.path().trim_end_matches('/').into(),
        url: url.as_str().into(),
        weight: target.weight,
    })
}

fn compile_route(
    route: &Route,
    number: usize,
    known: &References<'_>,
    place: &mut Place<'_>,
) -> (Option<RoutePolicy>, Candidate) {
    let id: Arc<str> = route.id.as_str().into();
    let entries = compile_entries(route.r#match.as_deref(), &mut place.at("match"));
    let patterns: Vec<PathPattern> = entries.0;
    let hosts = compile_hosts(route.hosts.as_deref(), &mut place.at("hosts"));
    let action = compile_action(route, &patterns, known.backends, place);
    let resolve = |id: &str, place: &mut Place<'_>| match known.issuers.get(id) {
        Some(issuer) => issuer.clone(),
        None => {
            unknown("issuer", id, known.issuers.keys().copied(), place);
            None
        }
    };
    let authenticate = route.authenticate.compile(&mut place.at("authenticate"), &resolve);
    if authenticate.anonymous && !route.authorize.is_empty() {
        place.at("authorize").error(codes::CONFLICT, "an anonymous caller has nothing that could be authorised");
    }
    let policy = RoutePolicy {
        id: Arc::clone(&id),
        access: route.access.compile(&mut place.at("access")),
        authenticate,
        authorize: route.authorize.compile(&mut place.at("authorize")),
        plan: limits::plan_need(route, known.plans, &mut place.at("limits")),
        limits: limits::own(route, &mut place.at("limits")),
        cors: route.cors.as_ref().map(|cors| Arc::new(cors.compile(&mut place.at("cors")))),
        action: match action {
            Some(action) => action,
            None => {
                return (None, Candidate { route: number, id, priority: 0, hosts: Vec::new(), entries: Vec::new() });
            }
        },
    };
    let entries = patterns.into_iter().zip(entries.1).collect();
    (Some(policy), Candidate { route: number, id, priority: route.priority, hosts, entries })
}

fn compile_entries(entries: Option<&[MatchEntry]>, place: &mut Place<'_>) -> (Vec<PathPattern>, Vec<Conditions>) {
    let Some(entries) = entries else {
        return (vec![PathPattern::Prefix("".into())], vec![Conditions::default()]);
    };
    if entries.is_empty() {
        place.error_with_hint(
            codes::INVALID_VALUE,
            "an empty list matches nothing",
            "leave `match` out to match any request",
        );
    }
    let mut compiled = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len()));
    for (index, entry) in entries.iter().enumerate() {
        let mut place = place.at(index);
        let pattern = PathPattern::compile(entry.path.as_ref(), &mut place);
        let conditions = Conditions::compile(entry, &mut place);
        if let Some(pattern) = pattern {
            compiled.0.push(pattern);
            compiled.1.push(conditions);
        }
    }
    compiled
}

fn compile_hosts(hosts: Option<&[String]>, place: &mut Place<'_>) -> Vec<HostPattern> {
    let Some(hosts) = hosts else { return vec![HostPattern::Any] };
    if hosts.is_empty() {
        place.error_with_hint(
            codes::INVALID_VALUE,
            "an empty list matches nothing",
            "leave `hosts` out to match any host",
        );
    }
    let mut compiled = Vec::with_capacity(hosts.len());
    for (index, text) in hosts.iter().enumerate() {
        match HostPattern::parse(text) {
            Ok(host) if compiled.contains(&host) => {
                place.at(index).error(codes::DUPLICATE, format!("`{text}` stands twice"));
            }
            Ok(host) => compiled.push(host),
            Err(error) => place.at(index).error(codes::INVALID_VALUE, error),
        }
    }
    compiled
}

fn compile_action(
    route: &Route,
    patterns: &[PathPattern],
    backends: &HashMap<&str, usize>,
    place: &mut Place<'_>,
) -> Option<Action> {
    match (&route.forward, &route.respond, &route.redirect) {
        (Some(forward), None, None) => {
            let resolve = |id: &str, place: &mut Place<'_>| {
                let found = backends.get(id).copied();
                if found.is_none() {
                    unknown("backend", id, backends.keys().copied(), place);
                }
                found
            };
            Some(Action::Forward(forward.compile(patterns, &mut place.at("forward"), resolve)))
        }
        (None, Some(respond), None) => Some(Action::Respond(respond.compile(&mut place.at("respond")))),
        (None, None, Some(redirect)) => Some(Action::Redirect(redirect.compile(patterns, &mut place.at("redirect")))),
        (None, None, None) => {
            place.error(codes::MISSING_FIELD, "one of forward, respond and redirect is needed");
            None
        }
        _ => {
            place.error(codes::CONFLICT, "forward, respond and redirect exclude each other");
            None
        }
    }
}

/// An `AWS_IAM` function URL refuses every request that is not signed, whatever its route.
fn warn_of_iam_beside_others(routes: &[RoutePolicy], report: &mut Report) {
    for route in routes.iter().filter(|route| route.authenticate.mixes_iam()) {
        let message =
            "`iam` needs a function URL with AuthType AWS_IAM, where the other credentials alone open nothing";
        report.entry(Kind::Route.as_str(), &route.id).at("authenticate").warning(codes::CONFLICT, message);
    }
    for route in routes.iter().filter(|route| route.authenticate.crowds_iam()) {
        let message = "`iam` fills `authorization` where a request is signed in its headers: another credential that \
                       is needed too belongs in another one";
        report.entry(Kind::Route.as_str(), &route.id).at("authenticate").warning(codes::CONFLICT, message);
    }
    let signed = routes.iter().find(|route| !route.authenticate.passes_unsigned());
    let unsigned = routes.iter().find(|route| route.authenticate.passes_unsigned());
    if let (Some(signed), Some(unsigned)) = (signed, unsigned) {
        let message = format!(
            "`iam` needs a function URL with AuthType AWS_IAM, which lets no unsigned request through to route `{}`",
            unsigned.id
        );
        report.entry(Kind::Route.as_str(), &signed.id).at("authenticate").warning(codes::CONFLICT, message);
    }
}

pub(super) fn unknown<'a>(what: &str, id: &str, known: impl Iterator<Item = &'a str>, place: &mut Place<'_>) {
    let message = format!("unknown {what} `{id}`");
    match crate::diagnostic::nearest(id, known) {
        Some(near) => place.error_with_hint(codes::UNKNOWN_REFERENCE, message, format!("did you mean `{near}`?")),
        None => place.error(codes::UNKNOWN_REFERENCE, message),
    }
}
