//! Time and randomness, injected so that tests decide both.

use std::time::Duration;

use faregate_core::time::Timestamp;

/// Wall and monotonic time.
///
/// Windows, expiry and age use the wall clock, because the monotonic clock of an execution environment
/// stands still while it is frozen; latencies within one invocation use the monotonic one.
pub trait Clock: Send + Sync {
    /// Wall time.
    fn now(&self) -> Timestamp;
    /// Time since some fixed instant of this process; never goes back.
    fn monotonic(&self) -> Duration;
}

/// Random numbers that an attacker cannot predict.
pub trait Random: Send + Sync {
    /// 64 uniformly distributed bits.
    fn next_u64(&self) -> u64;
}
