//! The way out: one request to one URL.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use faregate_core::origin::Origin;
use http::{HeaderMap, Method, Response};

use crate::body::Body;

/// Sends requests to backends and other services.
///
/// No redirect is followed, no content decoded, no proxy used and nothing retried (SECURITY.md 16). Every
/// address is guarded at connect time (SECURITY.md 17).
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Sends the request; yields when the answer's headers are here.
    async fn send(&self, request: OutboundRequest) -> Result<Response<Body>, OutboundError>;
}

/// One request, ready to go out as it is.
#[derive(Clone)]
pub struct OutboundRequest {
    /// The method.
    pub method: Method,
    /// Where to.
    pub origin: Origin,
    /// Path and query exactly as the backend must get them; begins with `/`.
    pub path_and_query: String,
    /// All headers but `content-length`; a `host` header here replaces the origin's own.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// How long each part may take.
    pub limits: OutboundLimits,
}

/// Nothing of headers or body: they carry credentials.
impl fmt::Debug for OutboundRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, origin, limits, .. } = self;
        f.debug_struct("OutboundRequest")
            .field("method", method)
            .field("origin", origin)
            .field("limits", limits)
            .finish_non_exhaustive()
    }
}

/// How long the parts of an exchange may take; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboundLimits {
    /// To connect, TLS included.
    pub connect: Option<Duration>,
    /// From the start until the response headers are here.
    pub response: Option<Duration>,
    /// Between two frames of the response body.
    pub idle: Option<Duration>,
    /// For the whole response body, from the headers on.
    pub stream: Option<Duration>,
    /// From the start to the body's end: what is left of the invocation.
    pub invocation: Option<Duration>,
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The URL cannot be sent as it stands: its bytes would change on the way.
    #[error("the URL cannot be sent unchanged: {0}")]
    InvalidUrl(String),
    /// The guard refuses the address.
    #[error("the address is refused: {0}")]
    AddressRefused(String),
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// No connection within `connect`.
    #[error("no connection in time")]
    ConnectTimeout,
    /// No response headers within `response` or `invocation`.
    #[error("no response headers in time")]
    ResponseTimeout,
    /// The connection ended before the response headers were whole, or they are no HTTP.
    #[error("a broken answer: {0}")]
    BrokenAnswer(String),
}
