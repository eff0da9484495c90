//! Metrics that are kept to be looked at.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use async_trait::async_trait;

use super::{Faults, locked};
use crate::ports::{MetricSink, Series, SinkError, StoreError};

/// Keeps every series that was sent.
#[derive(Debug, Default)]
pub struct FakeMetricSink {
    /// Makes calls fail, and knows which there were.
    pub faults: Faults,
    /// What every call says that it took.
    pub log_bytes: AtomicU64,
    /// How many series one call takes; 0: any number.
    pub series_max: AtomicUsize,
    sent: Mutex<Vec<Series>>,
}

impl FakeMetricSink {
    /// All series so far.
    #[must_use]
    pub fn sent(&self) -> Vec<Series> {
        locked(&self.sent).clone()
    }

    /// The sum of a metric over all series of the whole gateway.
    #[must_use]
    pub fn sum(&self, name: &str) -> f64 {
        let series = self.sent();
        series.iter().filter(|series| series.route.is_none()).filter_map(|series| series.sums.get(name)).sum()
    }
}

#[async_trait]
impl MetricSink for FakeMetricSink {
    fn fits(&self, series: &[Series]) -> usize {
        match self.series_max.load(Ordering::Relaxed) {
            0 => series.len(),
            max => series.len().min(max),
        }
    }

    async fn put(&self, series: &[Series]) -> Result<u64, SinkError> {
        self.faults.begin("put").await.map_err(|error| match error {
            StoreError::Rejected(cause) => SinkError::Refused(cause),
            error => SinkError::Unavailable(error.to_string()),
        })?;
        locked(&self.sent).extend_from_slice(series);
        Ok(self.log_bytes.load(Ordering::Relaxed))
    }
}
