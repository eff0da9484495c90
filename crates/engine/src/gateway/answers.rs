//! The actions *respond* and *redirect*: answers that need no backend.

use faregate_core::{
    policy::{redirect::RedirectPolicy, respond::RespondPolicy},
    problem::{Code, Problem},
};
use http::{HeaderValue, Response, header, request::Parts};

use super::{edge::Client, route::Matched};
use crate::body::{Body, empty, full};

/// The answer of a `respond` route.
pub(super) fn respond(policy: &RespondPolicy) -> Response<Body> {
    let mut response = Response::new(full(policy.body.clone()));
    *response.status_mut() = policy.status;
    *response.headers_mut() = policy.headers.clone();
    response
}

/// The answer of a `redirect` route.
pub(super) fn redirect(
    policy: &RedirectPolicy,
    parts: &Parts,
    client: &Client,
    matched: &Matched<'_>,
) -> Result<Response<Body>, Problem> {
    let invalid = |cause: String| Problem::new(Code::RequestInvalid, "the path cannot be redirected").caused_by(cause);
    let captures = matched.entry.pattern.captures(parts.uri.path()).unwrap_or_default();
    let query = matched.route.authenticate.visible_query(parts.uri.query());
    let location = policy
        .location(&parts.uri, &query, &client.host, &matched.entry.pattern, &captures)
        .map_err(|error| invalid(error.to_string()))?;
    let location = HeaderValue::from_str(&location).map_err(|error| invalid(error.to_string()))?;
    let mut response = Response::new(empty());
    *response.status_mut() = policy.status;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}
