//! Random numbers that repeat.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ports::Random;

/// SplitMix64: well distributed, and the same for the same seed.
#[derive(Debug)]
pub struct FakeRandom {
    state: AtomicU64,
}

impl FakeRandom {
    /// The numbers of one seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }
}

impl Default for FakeRandom {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Random for FakeRandom {
    fn next_u64(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut bits = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}
