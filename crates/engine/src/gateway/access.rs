//! Phase *access*: refusals that need no IO, and the headers that go on.

use faregate_core::{
    forwarding::{VIA_MAX, passes, strip_client_headers},
    problem::{Code, Problem},
    snapshot::{Action, RoutePolicy, Snapshot},
};
use http::{HeaderMap, request::Parts};

use super::edge::Client;

/// Checks address, size and loops.
pub(super) fn check(route: &RoutePolicy, parts: &Parts, client: &Client, body_bytes: usize) -> Result<(), Problem> {
    route.access.check(client.address, body_bytes)?;
    let passed = passes(&parts.headers);
    if passed >= VIA_MAX && matches!(route.action, Action::Forward(_)) {
        let problem = Problem::new(Code::LoopDetected, "a backend sends its requests back to this gateway");
        return Err(problem.caused_by(format!("{passed} times in via")));
    }
    Ok(())
}

/// The client's headers without those that never cross.
pub(super) fn clean_headers(parts: &Parts, snapshot: &Snapshot) -> HeaderMap {
    let mut headers = parts.headers.clone();
    strip_client_headers(&mut headers, &snapshot.identity_headers);
    headers
}
