//! Chance that is the same on each run.

/// Median of DynamoDB's answers in seconds, and the spread of their logarithm (4.2 ms, 99th percentile 25 ms).
const LATENCY_MEDIAN: f64 = 0.0042;
const LATENCY_SPREAD: f64 = 0.767;

/// A generator of Marsaglia's xorshift family.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Uniform in 0..1.
    pub(crate) fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn is_one_of(&mut self, percent: u32) -> bool {
        self.part() * 100.0 < f64::from(percent)
    }

    /// Seconds to the next of events that come at random, so many a second.
    pub(crate) fn gap(&mut self, rate: f64) -> f64 {
        -(1.0 - self.part()).ln() / rate
    }

    /// Seconds that an answer takes.
    pub(crate) fn latency(&mut self) -> f64 {
        let normal = (-2.0 * (1.0 - self.part()).ln()).sqrt() * (std::f64::consts::TAU * self.part()).cos();
        LATENCY_MEDIAN * (LATENCY_SPREAD * normal).exp()
    }
}
