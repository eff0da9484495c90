//! What this environment uses, counted where it is used, and charged to the next record that closes.

use std::sync::atomic::{AtomicU64, Ordering};

/// Units since they were last charged.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    lease_writes: AtomicU64,
    writes: AtomicU64,
    half_reads: AtomicU64,
    metric_calls: AtomicU64,
    log_bytes: AtomicU64,
}

/// What a [`Meter`] had counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) lease_writes: u64,
    pub(crate) writes: u64,
    pub(crate) half_reads: u64,
    pub(crate) metric_calls: u64,
    pub(crate) log_bytes: u64,
}

impl Meter {
    /// A write of a counter of limits.
    pub(crate) fn lease_write(&self) {
        self.lease_writes.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    /// An eventually consistent read of at most 4 KB.
    pub(crate) fn half_read(&self) {
        self.half_reads.fetch_add(1, Ordering::Relaxed);
    }

    /// A call of `PutMetricData`.
    pub(crate) fn metric_call(&self) {
        self.metric_calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes of log lines that are no records: those of metrics.
    pub(crate) fn log_bytes(&self, bytes: u64) {
        self.log_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What was counted since this was last asked.
    pub(crate) fn take(&self) -> Reading {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Reading {
            lease_writes: take(&self.lease_writes),
            writes: take(&self.writes),
            half_reads: take(&self.half_reads),
            metric_calls: take(&self.metric_calls),
            log_bytes: take(&self.log_bytes),
        }
    }
}
