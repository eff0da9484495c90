//! Telemetry that is kept to be looked at.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use super::locked;
use crate::{
    ports::{Metric, Telemetry},
    record::Record,
};

/// Keeps every record and metric.
#[derive(Debug, Default)]
pub struct FakeTelemetry {
    /// What every line says that it took.
    pub line_bytes: AtomicU64,
    records: Mutex<Vec<Record>>,
    metrics: Mutex<Vec<(Metric, String)>>,
}

impl FakeTelemetry {
    /// The records so far, oldest first.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        locked(&self.records).clone()
    }

    /// The metrics so far with their details, oldest first.
    #[must_use]
    pub fn metrics(&self) -> Vec<(Metric, String)> {
        locked(&self.metrics).clone()
    }

    /// How often a metric was counted.
    #[must_use]
    pub fn count(&self, metric: Metric) -> usize {
        locked(&self.metrics).iter().filter(|(counted, _)| *counted == metric).count()
    }
}

impl Telemetry for FakeTelemetry {
    fn record(&self, record: &Record) -> u64 {
        locked(&self.records).push(record.clone());
        if record.logged { self.line_bytes.load(Ordering::Relaxed) } else { 0 }
    }

    fn metric(&self, metric: Metric, detail: &str) -> u64 {
        locked(&self.metrics).push((metric, detail.to_owned()));
        self.line_bytes.load(Ordering::Relaxed)
    }
}
