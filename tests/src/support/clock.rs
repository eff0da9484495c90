//! The time of this machine, for publishing.
#![allow(clippy::disallowed_methods, reason = "end-to-end tests run on the machine's own time")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use faregate_core::time::Timestamp;
use faregate_engine::ports::Clock;

/// The operating system's clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MachineClock {
    started: Instant,
}

impl Default for MachineClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
