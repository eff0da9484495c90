//! What this environment uses, counted where it is used, and charged to the next record that closes.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Units since they were last charged.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    lease_writes: AtomicU64,
    writes: AtomicU64,
    half_reads: AtomicU64,
    metric_calls: AtomicU64,
    log_bytes: AtomicU64,
    side_micros: AtomicU64,
}

/// What a [`Meter`] had counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) lease_writes: u64,
    pub(crate) writes: u64,
    pub(crate) half_reads: u64,
    pub(crate) metric_calls: u64,
    pub(crate) log_bytes: u64,
    /// How long the host waited for side work after an answer.
    pub(crate) side_work: Duration,
}

impl Meter {
    /// A write of a counter of limits.
    pub(crate) fn lease_write(&self) {
        self.lease_writes.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    /// Write units that writes of counters took beyond one for each.
    pub(crate) fn more_units(&self, units: u64) {
        self.writes.fetch_add(units, Ordering::Relaxed);
    }

    /// An eventually consistent read of at most 4 KB.
    pub(crate) fn half_read(&self) {
        self.half_reads(1);
    }

    /// Halves of read units.
    pub(crate) fn half_reads(&self, halves: u64) {
        self.half_reads.fetch_add(halves, Ordering::Relaxed);
    }

    /// A call of `PutMetricData`.
    pub(crate) fn metric_call(&self) {
        self.metric_calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes of log lines, with what is added to each.
    pub(crate) fn log_bytes(&self, bytes: u64) {
        self.log_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Time that the function is billed for after an answer.
    pub(crate) fn side_work(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.side_micros.fetch_add(micros, Ordering::Relaxed);
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
            side_work: Duration::from_micros(take(&self.side_micros)),
        }
    }
}
