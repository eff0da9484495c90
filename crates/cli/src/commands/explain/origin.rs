//! What CORS makes of the request's origin.

use std::collections::BTreeMap;

use faregate_core::policy::cors::CorsPolicy;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;

/// The verdict on an `Origin`.
#[derive(Debug, Serialize)]
pub(super) struct OriginView {
    pub(super) verdict: OriginVerdict,
    /// What the answer gets because of it, whatever else comes of the request.
    pub(super) headers: BTreeMap<String, String>,
}

/// Whether scripts of an origin may read the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OriginVerdict {
    /// They may.
    Allowed,
    /// They may not; the request is answered all the same.
    NotAllowed,
}

impl OriginView {
    /// Dresses an answer as the pipeline does; `None` where the request names no origin.
    pub(super) fn of(cors: &CorsPolicy, request: &HeaderMap) -> Option<Self> {
        if !request.contains_key(header::ORIGIN) {
            return None;
        }
        let mut answer = HeaderMap::new();
        let allowed = cors.decorate(request, &mut answer);
        let verdict = if allowed { OriginVerdict::Allowed } else { OriginVerdict::NotAllowed };
        Some(Self { verdict, headers: texts(&answer) })
    }
}

/// Headers as text.
pub(super) fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}
