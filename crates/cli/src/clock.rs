//! The machine's clock: the one place that reads it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use faregate_core::time::Timestamp;
use faregate_engine::ports::Clock;

/// Wall time and monotonic time of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[allow(clippy::disallowed_methods, reason = "the composition root's clock; everything else is given the time")]
    pub(crate) fn new() -> Self {
        Self { started: Instant::now() }
    }
}

#[allow(clippy::disallowed_methods, reason = "the composition root's clock; everything else is given the time")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
