//! The host's clock and randomness.
#![allow(clippy::disallowed_methods, reason = "this is where time and randomness come from")]

use std::{
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use faregate_core::time::Timestamp;
use faregate_engine::ports::{Clock, Random};

/// The operating system's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// The operating system's randomness.
#[derive(Clone, Debug, Default)]
pub struct OsRandom {
    /// Keyed by the operating system too; stands in where it refuses later on.
    fallback: RandomState,
}

impl Random for OsRandom {
    fn next_u64(&self) -> u64 {
        getrandom::u64().unwrap_or_else(|_| self.fallback.hash_one(Instant::now()))
    }
}
