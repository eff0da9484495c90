//! Phase *match*.

use faregate_core::{
    matcher::{Entry, Match, MatchRequest},
    policy::cors::preflight_method,
    problem::{Code, Problem},
    snapshot::{RoutePolicy, Snapshot},
};
use http::{Method, Response, StatusCode, request::Parts};

use super::{dressing::Dressing, edge::Client};

/// A route and the entry by which it matched.
#[derive(Debug)]
pub(super) struct Matched<'a> {
    pub(super) route: &'a RoutePolicy,
    pub(super) entry: &'a Entry,
}

/// What a request was matched to.
pub(super) enum Found<'a> {
    Route(Matched<'a>),
    /// A preflight, answered.
    Preflight(Response<()>),
}

/// Finds the route; from here on every answer wears the route's CORS headers.
pub(super) fn find<'a>(
    snapshot: &'a Snapshot,
    parts: &Parts,
    client: &Client,
    dressing: &mut Dressing,
) -> Result<Found<'a>, Problem> {
    let request = MatchRequest {
        host: &client.host,
        path: parts.uri.path(),
        query: parts.uri.query(),
        method: &parts.method,
        headers: &parts.headers,
    };
    if let Some(method) = preflight_method(&parts.method, &parts.headers)
        && let Match::Found(entry) = snapshot.find_for_preflight(&MatchRequest { method: &method, ..request })
        && let Some(cors) = &snapshot.route(entry).cors
    {
        let mut answer = Response::new(());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        cors.answer_preflight(&parts.headers, answer.headers_mut());
        return Ok(Found::Preflight(answer));
    }
    match snapshot.find(&request) {
        Match::Found(entry) => {
            let route = snapshot.route(entry);
            dressing.cors(route.cors.as_ref());
            Ok(Found::Route(Matched { route, entry }))
        }
        Match::MethodNotAllowed { entry, allow } => {
            dressing.cors(snapshot.route(entry).cors.as_ref());
            let allow = allow.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
            let mut problem = Problem::new(Code::MethodNotAllowed, format!("use one of {allow}"));
            problem.allow = Some(allow.into());
            Err(problem)
        }
        Match::NotFound => Err(Problem::new(Code::RouteNotFound, "check host, path and method of the request")),
    }
}
