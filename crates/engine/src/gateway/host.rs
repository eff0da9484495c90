//! What a host gives to the gateway and takes from it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use faregate_core::{cost::Machine, problem::Problem};
use http::{HeaderValue, Response};

use super::{RecordedBody, SideWork};
use crate::ports::{Clock, Counters, KeyStore, MetricSinks, Outbound, Random, Secrets, SnapshotStore, Telemetry};

/// What the gateway needs from the world.
#[derive(Clone)]
pub struct Ports {
    /// Published snapshots.
    pub snapshots: Arc<dyn SnapshotStore>,
    /// API keys.
    pub keys: Arc<dyn KeyStore>,
    /// The counters of limits.
    pub counters: Arc<dyn Counters>,
    /// Secrets that the document refers to.
    pub secrets: Arc<dyn Secrets>,
    /// The way to backends.
    pub outbound: Arc<dyn Outbound>,
    /// Records and metrics.
    pub telemetry: Arc<dyn Telemetry>,
    /// Where metrics are sent.
    pub sinks: MetricSinks,
    /// What the gateway runs on.
    pub machine: Machine,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

/// One request, as the host decoded it.
#[derive(Debug)]
pub struct Incoming {
    /// The request, its path in normal form; or why the event cannot be one.
    pub request: Result<http::Request<Bytes>, Undecodable>,
    /// Who sent it, as the host knows.
    pub peer: Peer,
    /// How much time the host leaves; `None` where it does not say.
    pub remaining: Option<Duration>,
}

/// What the host knows of an event that cannot be a request.
#[derive(Clone, Debug)]
pub struct Undecodable {
    /// Why it cannot.
    pub problem: Problem,
    /// The `x-request-id` that the client sent, of whatever shape.
    pub request_id: Option<HeaderValue>,
}

impl From<Problem> for Undecodable {
    /// Nothing but why.
    fn from(problem: Problem) -> Self {
        Self { problem, request_id: None }
    }
}

/// Who sent a request, as far as the host itself vouches for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The address that connected.
    pub address: Option<IpAddr>,
    /// The addresses before it, nearest last, where the host keeps such a list (ALB and REST events).
    pub forwarded_for: Vec<IpAddr>,
    /// The IAM principal that signed the request.
    pub iam_arn: Option<String>,
    /// X-Ray's trace of the invocation, in the form of `x-amzn-trace-id`.
    pub xray_trace: Option<String>,
}

/// An answer, and what has to be finished before the environment may freeze.
pub struct Handled {
    /// The answer; its record closes when its body ends.
    pub response: Response<RecordedBody>,
    /// Work that the client does not wait for.
    pub side_work: SideWork,
}
