//! Fakes of every port, for tests: the same promises as the real adapters, kept in memory.
//!
//! The contract suites of `faregate-testing` hold each store here to its real twin. Whatever a test wants
//! to see or to break has a method of its own; nothing here sleeps or draws real randomness.

mod clock;
mod config;
mod counters;
mod faults;
mod keys;
mod metrics;
mod outbound;
mod random;
mod secrets;
mod telemetry;

pub use clock::FakeClock;
pub use config::FakeConfigStore;
pub use counters::FakeCounters;
pub use faults::Faults;
pub use keys::FakeKeyStore;
pub use metrics::FakeMetricSink;
pub use outbound::{FakeOutbound, frames};
pub use random::FakeRandom;
pub use secrets::FakeSecrets;
pub use telemetry::FakeTelemetry;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a test that panicked elsewhere is no reason to fail here.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
