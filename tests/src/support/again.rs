//! Waiting for what is not there yet.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

/// How long nobody asks.
const PAUSE: Duration = Duration::from_millis(50);

/// When to ask again for what is not there yet: soon, and yet leaving the machine to what makes it. The first tick is at
/// once.
#[must_use]
pub fn again() -> Interval {
    let mut again = interval(PAUSE);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    again
}
