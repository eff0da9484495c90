//! What every answer wears, and the answers that need no backend.

use faregate_core::{
    policy::{cors::CorsPolicy, redirect::RedirectPolicy, respond::RespondPolicy},
    problem::{Code, Problem},
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header, request::Parts};

use super::{caller::Caller, edge::Client, route::Matched, snapshots::Loaded};
use crate::body::{Body, empty, full};

/// Headers that answers get whatever came of the request, collected while it is decided.
#[derive(Default)]
pub(super) struct Dressing {
    cors: Option<CorsPolicy>,
    origin: HeaderMap,
    version: Option<u64>,
    private: bool,
    limits: Vec<(HeaderName, HeaderValue)>,
}

impl Dressing {
    /// Remembers who asks, for CORS.
    pub(super) fn request(&mut self, headers: &HeaderMap) {
        let origins = headers.get_all(header::ORIGIN).iter().cloned();
        self.origin.extend(origins.map(|origin| (header::ORIGIN, origin)));
    }

    /// The answer belongs to a route with this policy.
    pub(super) fn cors(&mut self, policy: Option<&CorsPolicy>) {
        self.cors = policy.cloned();
    }

    /// The answer is for this caller, and for no cache in between unless it says so.
    pub(super) fn caller(&mut self, caller: &Caller) {
        self.private = !caller.is_anonymous();
    }

    /// The answer tells of limits.
    pub(super) fn limits(&mut self, headers: Vec<(HeaderName, HeaderValue)>) {
        self.limits = headers;
    }

    /// The answer was decided by this snapshot.
    pub(super) fn version(&mut self, loaded: &Loaded) {
        self.version = loaded.snapshot.settings.expose_version.then_some(loaded.head.version);
    }

    /// Dresses an answer.
    pub(super) fn apply(&self, response: &mut Response<Body>, request_id: &str) {
        let headers = response.headers_mut();
        if let Some(cors) = &self.cors {
            cors.decorate(&self.origin, headers);
        }
        if self.private && !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        }
        for (name, value) in &self.limits {
            headers.insert(name, value.clone());
        }
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert("x-request-id", id);
        }
        if let Some(version) = self.version {
            headers.insert("x-faregate-config", version.into());
        }
    }
}

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
