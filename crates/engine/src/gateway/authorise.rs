//! Phase *authorise*: from a caller to a clearance.

use faregate_core::{
    problem::{Code, Problem},
    snapshot::RoutePolicy,
};

use super::authenticate::Caller;

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
    if let Caller::Key { item, hash, .. } = &caller
        && !item.allows_route(&route.id)
    {
        let problem = Problem::new(Code::AccessDenied, "the API key is not for this route");
        return Err(problem.caused_by(format!("key {} is not for route {}", hash.short(), route.id)));
    }
    Ok(Clearance { caller })
}
