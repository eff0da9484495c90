//! A clock that stands still until it is told otherwise.

use std::{sync::Mutex, time::Duration};

use faregate_core::time::Timestamp;

use super::locked;
use crate::ports::Clock;

/// Wall and monotonic time, both set by the test.
#[derive(Debug)]
pub struct FakeClock {
    time: Mutex<Time>,
}

#[derive(Clone, Copy, Debug)]
struct Time {
    wall: Timestamp,
    monotonic: Duration,
}

impl FakeClock {
    /// A clock whose wall time is `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { time: Mutex::new(Time { wall: now, monotonic: Duration::ZERO }) }
    }

    /// Time passes: both clocks go on.
    pub fn advance(&self, duration: Duration) {
        let mut time = locked(&self.time);
        time.wall = time.wall.plus(duration);
        time.monotonic = time.monotonic.saturating_add(duration);
    }

    /// The environment is frozen for a while: only the wall clock goes on.
    pub fn freeze_for(&self, duration: Duration) {
        let mut time = locked(&self.time);
        time.wall = time.wall.plus(duration);
    }

    /// Sets the wall clock, also backwards.
    pub fn set(&self, now: Timestamp) {
        locked(&self.time).wall = now;
    }
}

impl Default for FakeClock {
    /// A clock at 2026-11-24T00:00:00Z.
    fn default() -> Self {
        Self::new(Timestamp::from_seconds(1_795_478_400))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        locked(&self.time).wall
    }

    fn monotonic(&self) -> Duration {
        locked(&self.time).monotonic
    }
}
