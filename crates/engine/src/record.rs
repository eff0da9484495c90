//! The one record that every request leaves.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

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
    /// The request's own place in its trace.
    #[serde(skip)]
    pub span: Span,
    /// What took time, in order.
    #[serde(skip)]
    pub phases: Vec<Phase>,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, where it is asked for, without values that are credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Request headers that are asked for, without credentials.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The id by which X-Ray knows the request.
    pub xray_trace_id: Option<String>,
    /// The host that was asked for.
    pub host: String,
    /// The client's address.
    pub address: Option<String>,
    /// The route that matched.
    pub route: Option<Arc<str>>,
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
    pub backend: Option<Arc<str>>,
    /// The target that was drawn.
    pub target: Option<Arc<str>>,
    /// Bytes of the answer's body that were handed on.
    pub body_bytes: u64,
    /// Why the answer's body broke off, if it did.
    pub stream_error: Option<String>,
    /// From the event to the answer's last byte.
    #[serde(serialize_with = "millis", rename = "duration_ms")]
    pub duration: Duration,
    /// From sending to the backend to its headers, or to giving it up.
    #[serde(serialize_with = "millis", rename = "backend_ms")]
    pub backend_duration: Duration,
    /// From the answer's head to its last byte: as long as backend and client take.
    #[serde(serialize_with = "millis", rename = "body_ms")]
    pub body_duration: Duration,
    /// What the gateway itself took: all but the backend and the body.
    #[serde(serialize_with = "millis", rename = "overhead_ms")]
    pub overhead: Duration,
    /// What proving the caller took.
    #[serde(serialize_with = "millis", rename = "auth_ms")]
    pub auth_duration: Duration,
    /// What taking permits took.
    #[serde(serialize_with = "millis", rename = "limit_ms")]
    pub limit_duration: Duration,
    /// Writes of limits' counters, those of side work since the record before this one among them.
    pub lease_writes: u64,
    /// What the request cost, in nano-dollars; an estimate.
    pub cost_nanodollars: u64,
    /// Whether it leaves a line.
    #[serde(skip)]
    pub logged: bool,
    /// The version of the snapshot that decided.
    pub config_version: u64,
    /// How long ago that snapshot was last known to be the newest.
    #[serde(serialize_with = "millis", rename = "config_age_ms")]
    pub config_age: Duration,
    /// Whether this is the environment's first request.
    pub cold_start: bool,
    /// By how much the clock is certainly wrong, if by more than a second.
    #[serde(skip)]
    pub clock_skew: Duration,
}

/// The phase in which a backend is waited for.
pub(crate) const FORWARD: &str = "forward";

impl Record {
    /// Whether a backend was asked, as far as the gateway knows.
    #[must_use]
    pub fn asked_a_backend(&self) -> bool {
        // What cannot be a URL of the backend is a 400 before anything is sent.
        self.code != Some(Code::RequestInvalid) && self.phases.iter().any(|phase| phase.name == FORWARD)
    }
}

/// A place in a trace (<https://www.w3.org/TR/trace-context/>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The id that the backend gets as its parent's, in 16 hex digits; empty where nothing could be read of the request.
    pub id: String,
    /// The id that the client sent as its own.
    pub parent_id: Option<String>,
    /// The trace's flags, as whoever began it set them.
    pub flags: u8,
}

impl Span {
    /// Whether whoever began the trace wants it recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }
}

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Which.
    pub name: &'static str,
    /// How long after the request came in it began.
    pub after: Duration,
    /// How long it took.
    pub duration: Duration,
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
}
