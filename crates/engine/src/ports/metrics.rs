//! Where metrics go.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use faregate_core::{policy::telemetry::Sink, time::Timestamp};

use crate::metrics::Histogram;

/// Takes metrics of whole minutes.
#[async_trait]
pub trait MetricSink: Send + Sync {
    /// How many of these, from the first on, one call of [`MetricSink::put`] may have; one is never too many.
    fn fits(&self, series: &[Series]) -> usize {
        series.len()
    }

    /// Sends them with one call, and says how many bytes of log lines that took; after an error they are kept, and sent
    /// again with the next, unless they are refused for good.
    async fn put(&self, series: &[Series]) -> Result<u64, SinkError>;
}

/// Why metrics were not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// Later they may be.
    #[error("{0}")]
    Unavailable(String),
    /// They are wrong, and will never be.
    #[error("refused for good: {0}")]
    Refused(String),
}

/// The metrics of a minute, of the whole gateway or of one route.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// When the minute began.
    pub minute: Timestamp,
    /// The route; absent: all of them.
    pub route: Option<Arc<str>>,
    /// Sums by name.
    pub sums: BTreeMap<&'static str, f64>,
    /// Values by name, each with its unit.
    pub values: BTreeMap<&'static str, Histogram>,
}

const MINUTE_MILLIS: u64 = 60_000;

impl Series {
    /// What counts in the minute of `time`: nothing yet.
    #[must_use]
    pub fn of_minute(time: Timestamp, route: Option<Arc<str>>) -> Self {
        let minute = Timestamp::from_millis(time.as_millis() / MINUTE_MILLIS * MINUTE_MILLIS);
        Self { minute, route, sums: BTreeMap::new(), values: BTreeMap::new() }
    }
}

/// Where each sort of sink leads.
#[derive(Clone)]
pub struct MetricSinks {
    /// `PutMetricData`.
    pub cloudwatch: Arc<dyn MetricSink>,
    /// Log lines.
    pub emf: Arc<dyn MetricSink>,
    /// Where metrics go when the document does not say.
    pub default: Sink,
}

/// The unit of a metric, as CloudWatch calls it.
#[must_use]
pub fn unit_of(metric: &str) -> &'static str {
    match metric {
        "Latency" | "BackendLatency" | "Overhead" => "Milliseconds",
        "ConfigAge" | "ClockSkew" => "Seconds",
        "EstimatedCost" => "None",
        _ => "Count",
    }
}
