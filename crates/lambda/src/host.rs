//! The host's clock and randomness.
#![allow(clippy::disallowed_methods, reason = "this is where time and randomness come from")]

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
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

/// The operating system's randomness, fetched for some requests at once: each fetch is a system call.
#[derive(Default)]
pub struct OsRandom {
    /// Words that nobody had yet.
    pool: Mutex<Vec<u64>>,
    /// Keyed by the operating system too; stands in where it refuses later on.
    fallback: RandomState,
}

/// How many words are fetched at once; a request takes eight or so.
const POOL_WORDS: usize = 64;

impl OsRandom {
    /// Words that nobody had yet; none where the operating system refuses.
    fn fetch() -> Vec<u64> {
        let mut bytes = [0; POOL_WORDS * 8];
        match getrandom::fill(&mut bytes) {
            Ok(()) => bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect(),
            Err(_) => Vec::new(),
        }
    }
}

impl fmt::Debug for OsRandom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What will be drawn is nobody's business.
        formatter.debug_struct("OsRandom").finish_non_exhaustive()
    }
}

impl Random for OsRandom {
    fn next_u64(&self) -> u64 {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.is_empty() {
            *pool = Self::fetch();
        }
        pool.pop().unwrap_or_else(|| self.fallback.hash_one(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use faregate_engine::ports::Random;

    use super::{OsRandom, POOL_WORDS};

    #[test]
    fn no_word_is_drawn_twice_and_none_is_shown() {
        let random = OsRandom::default();
        let drawn: BTreeSet<u64> = (0..10 * POOL_WORDS).map(|_| random.next_u64()).collect();
        assert_eq!(drawn.len(), 10 * POOL_WORDS);
        assert_eq!(format!("{random:?}"), "OsRandom { .. }");
    }
}
