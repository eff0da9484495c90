//! What leaves for the operator.

use std::future::ready;

use futures_util::future::BoxFuture;

use crate::record::Record;

/// Takes records and metrics, and says how many bytes of log lines each took, with what is added to a line. Must not block
/// and must not fail: telemetry never costs a request.
pub trait Telemetry: Send + Sync {
    /// Takes the one record of a request, which leaves a line if it is [`Record::logged`].
    fn record(&self, record: &Record) -> u64;
    /// Counts something that an operator should know; `detail` says which and why, without secrets.
    fn metric(&self, metric: Metric, detail: &str) -> u64;
    /// Sends what has to leave before the environment may freeze; what is cut short is lost.
    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }
}

/// The metrics that are not derived from records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// The snapshot was not checked for longer than it should be.
    ConfigAge,
    /// A snapshot could not be loaded and an older one serves.
    SnapshotRejected,
    /// A configuration was refused as a whole.
    PublishRejected,
    /// A key item that cannot be believed was met.
    KeyItemsInvalid,
    /// An issuer's keys or answers could not be had.
    IssuerErrors,
    /// The clock is wrong by more than a second.
    ClockSkew,
    /// Metrics could not be sent; they are kept and sent with the next, or lost where the environment ends.
    MetricsDelayed,
}

impl Metric {
    /// The metric's name in CloudWatch.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ConfigAge => "ConfigAge",
            Self::SnapshotRejected => "SnapshotRejected",
            Self::PublishRejected => "PublishRejected",
            Self::KeyItemsInvalid => "KeyItemsInvalid",
            Self::IssuerErrors => "IssuerErrors",
            Self::ClockSkew => "ClockSkew",
            Self::MetricsDelayed => "MetricsDelayed",
        }
    }
}
