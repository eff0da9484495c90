//! Lambda events as requests.
//!
//! Payload 2.0 (function URL, HTTP API v2) is the contract and the hot path: read in one pass, borrowing from the
//! payload. REST and load balancer events are read by a second pass. Everything comes from the event's own fields,
//! no URL is parsed out of a client's header, and no payload panics: what cannot be a request is a problem.

mod body;
mod headers;
mod payload2;
mod peer;
mod problems;
mod proxy;
mod query;
mod request;
mod target;
mod text;

pub use headers::HEADER_BYTES_MAX;
pub use query::QUERY_BYTES_MAX;
pub use target::PATH_BYTES_MAX;

use bytes::Bytes;
use faregate_core::problem::Problem;
use faregate_engine::gateway::Peer;
use http::HeaderValue;

use self::payload2::Payload2;

/// What an event says.
#[derive(Debug)]
pub struct Decoded {
    /// The request, its path in normal form; or why the event cannot be one.
    pub request: Result<http::Request<Bytes>, Problem>,
    /// The `x-request-id` that came with it; known, where the headers can be read, for events that cannot be requests, too.
    pub request_id: Option<HeaderValue>,
    /// Who sent it; known, as far as the event says, for events that cannot be requests, too.
    pub peer: Peer,
    /// What made the event, which decides how it is answered.
    pub source: EventSource,
}

/// What made an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventSource {
    /// A function URL (payload format 2.0), whose answers may be streamed.
    FunctionUrl,
    /// An HTTP API (payload format 2.0).
    HttpApi,
    /// A REST API, or an HTTP API with payload format 1.0.
    Rest,
    /// An application load balancer.
    Alb {
        /// Whether the target group sends and expects multi-value headers.
        multi_value: bool,
    },
    /// Nothing that the gateway answers.
    Unknown,
}

/// Decodes the payload of one invocation. Never panics.
#[must_use]
pub fn decode(payload: &[u8]) -> Decoded {
    match serde_json::from_slice::<Payload2<'_>>(payload) {
        Ok(event) if event.is_payload2() => event.decode(),
        _ => proxy::decode(payload),
    }
}
