//! Phase *authorise*: from a caller to a clearance.

use faregate_core::{
    policy::{
        authenticate::{CredentialPolicy, Needed},
        authorize::Rule,
    },
    problem::{Code, Problem},
    snapshot::RoutePolicy,
};

use super::caller::{Caller, Evidence};

/// That a caller may do what it asks. Only this phase makes one, and acting needs one.
#[derive(Debug)]
pub struct Clearance {
    caller: Caller,
}

impl Clearance {
    /// Who may.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// Checks what the caller may do on a route.
pub(super) fn check(route: &RoutePolicy, caller: Caller) -> Result<Clearance, Problem> {
    for proof in caller.proofs() {
        if let Evidence::Key { item, hash } = &proof.evidence
            && !item.allows_route(&route.id)
        {
            let problem = Problem::new(Code::AccessDenied, "the API key is not for this route");
            return Err(problem.caused_by(format!("key {} is not for route {}", hash.short(), route.id)));
        }
    }
    let proven = caller.subjects();
    // Of several that would do, the first says who calls, and no other one lends it what it has not.
    let callers = match route.authenticate.needed {
        Needed::One => proven.get(..1).unwrap_or_default(),
        Needed::All => &proven,
    };
    match route.authorize.broken(callers, &proven) {
        None => Ok(Clearance { caller }),
        Some(rule) => Err(denied(route, rule)),
    }
}

/// What the caller lacks: scopes are told (RFC 6750 §3.1), other rules are the operator's own.
fn denied(route: &RoutePolicy, rule: &Rule) -> Problem {
    let problem = Problem::new(Code::PermissionDenied, "the caller may not do this");
    let mut problem = problem.caused_by(format!("authorize: {rule}"));
    if let Rule::Scopes { all, any } = rule {
        "a scope is missing".clone_into(&mut problem.detail);
        let scopes: Vec<&str> = all.iter().chain(any).map(|scope| &**scope).collect();
        let of_token = route.authenticate.credentials.iter().filter_map(|credential| match credential {
            CredentialPolicy::Jwt(policy) => Some(policy.challenge()),
            CredentialPolicy::ApiKey(_) | CredentialPolicy::Iam | CredentialPolicy::ForwardAuth(_) => None,
        });
        let challenge = of_token.into_iter().next().unwrap_or_else(|| "Bearer realm=\"faregate\"".to_owned());
        let scopes = scopes.join(" ");
        problem.challenges = vec![format!("{challenge}, error=\"insufficient_scope\", scope=\"{scopes}\"")];
    }
    problem
}
