//! Time for limits, and whether this environment's clock is right.
//!
//! Windows are exact by their label whatever the clock says, and a bucket is as exact as the clocks: what is known to be
//! wrong is taken off. The rest is a second at most, and what is held with it of a short window is of use to nobody for
//! much of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use faregate_core::time::Timestamp;

use crate::{
    gateway::Ports,
    ports::{Clock, Counters, Metric, Telemetry},
};

/// How wrong a clock may be.
const SKEW_MAX: Duration = Duration::from_secs(1);
/// How often a line says that it is wrong, at most.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Compares the clock with the store's.
pub(super) struct ClockWatch {
    counters: Arc<dyn Counters>,
    clock: Arc<dyn Clock>,
    telemetry: Arc<dyn Telemetry>,
    /// When that was last told, in milliseconds of a clock that may be wrong.
    told_at: AtomicU64,
}

impl ClockWatch {
    pub(super) fn new(ports: &Ports) -> Self {
        Self {
            counters: Arc::clone(&ports.counters),
            clock: Arc::clone(&ports.clock),
            telemetry: Arc::clone(&ports.telemetry),
            told_at: AtomicU64::new(0),
        }
    }

    /// Time for durations, which is never set.
    pub(super) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Time as the store has it, as far as that is known.
    pub(super) fn now(&self) -> Timestamp {
        let behind = self.counters.skew_millis().saturating_neg();
        Timestamp::from_millis(self.clock.now().as_millis().saturating_add_signed(behind))
    }

    /// Whether the clock is certainly wrong by more than a second.
    pub(super) fn is_wrong(&self) -> bool {
        Duration::from_millis(self.counters.skew_millis().unsigned_abs()) > SKEW_MAX
    }

    /// By how much the clock is certainly wrong, which a line tells now and then; zero where that is not too much.
    pub(super) fn skew(&self) -> Duration {
        let millis = self.counters.skew_millis();
        let skew = Duration::from_millis(millis.unsigned_abs());
        if skew <= SKEW_MAX {
            return Duration::ZERO;
        }
        let (now, told_at) = (self.clock.now(), Timestamp::from_millis(self.told_at.load(Ordering::Relaxed)));
        if now < told_at || now.since(told_at) >= TOLD_EVERY {
            self.told_at.store(now.as_millis(), Ordering::Relaxed);
            let direction = if millis > 0 { "ahead of" } else { "behind" };
            let detail = format!("the clock is at least {} ms {direction} DynamoDB's", skew.as_millis());
            self.telemetry.metric(Metric::ClockSkew, &detail);
        }
        skew
    }
}
