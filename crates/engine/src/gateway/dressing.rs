//! What every answer wears.

use std::sync::Arc;

use faregate_core::policy::cors::CorsPolicy;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use super::{caller::Caller, snapshots::Loaded};
use crate::body::Body;

/// Headers that answers get whatever came of the request, collected while it is decided.
#[derive(Default)]
pub(super) struct Dressing {
    cors: Option<Arc<CorsPolicy>>,
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
    pub(super) fn cors(&mut self, policy: Option<&Arc<CorsPolicy>>) {
        self.cors = policy.map(Arc::clone);
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
