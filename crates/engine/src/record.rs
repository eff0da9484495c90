//! The one record that every request leaves.

use std::time::Duration;

use faregate_core::{problem::Code, time::Timestamp};
use serde::Serialize;

/// Everything that is known of a request when its answer has ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Record {
    /// When the request came in; a sink writes it in a form of its own.
    #[serde(skip)]
    pub timestamp: Timestamp,
    /// The request id that client and backend got.
    pub request_id: String,
    /// The trace id of `traceparent`.
    pub trace_id: String,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The host that was asked for.
    pub host: String,
    /// The client's address.
    pub address: Option<String>,
    /// The route that matched.
    pub route: Option<String>,
    /// Who called.
    pub consumer: Option<String>,
    /// Which credential proved it.
    pub credential: Option<String>,
    /// The status of the answer; 0 where there was none (a panic, a dropped request).
    pub status: u16,
    /// The problem that the gateway answered with.
    pub code: Option<Code>,
    /// Why; for the operator only.
    pub cause: Option<String>,
    /// The backend that was drawn.
    pub backend: Option<String>,
    /// The target that was drawn.
    pub target: Option<String>,
    /// Bytes of the answer's body that were handed on.
    pub body_bytes: u64,
    /// Why the answer's body broke off, if it did.
    pub stream_error: Option<String>,
    /// From the event to the answer's last byte.
    #[serde(serialize_with = "millis", rename = "duration_ms")]
    pub duration: Duration,
    /// From sending to the backend to its headers.
    #[serde(serialize_with = "millis", rename = "backend_ms")]
    pub backend_duration: Duration,
    /// The version of the snapshot that decided.
    pub config_version: u64,
    /// How long ago that snapshot was last known to be the newest.
    #[serde(serialize_with = "millis", rename = "config_age_ms")]
    pub config_age: Duration,
    /// Whether this is the environment's first request.
    pub cold_start: bool,
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
}
