//! DynamoDB, as far as limits see it: one item, and how many writes it takes.

use faregate_core::limit::Counter;

/// Writes a second that one item takes, and how many it stores.
const WRITES_PER_SECOND: f64 = 1000.0;

/// One item of the store.
pub(crate) struct Store {
    pub(crate) counter: Counter,
    pub(crate) writes: u64,
    /// What environments have told of what they admitted alone.
    pub(crate) told: u64,
    stored: f64,
    at: f64,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { counter: Counter::default(), writes: 0, told: 0, stored: WRITES_PER_SECOND, at: 0.0 }
    }

    /// Whether the item takes no write now; else it counts one.
    pub(crate) fn throttles(&mut self, now: f64) -> bool {
        self.stored = (self.stored + (now - self.at) * WRITES_PER_SECOND).min(WRITES_PER_SECOND);
        self.at = now;
        if self.stored < 1.0 {
            return true;
        }
        self.stored -= 1.0;
        self.writes += 1;
        false
    }
}
