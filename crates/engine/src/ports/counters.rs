//! The counters of limits.

use async_trait::async_trait;
use faregate_core::{
    cost::Cost,
    limit::{Ask, Counter, Return, RollUp, SlotName},
    time::Timestamp,
};

use super::StoreError;

/// Reads and writes the counters that all environments share. No call is retried: what may have happened once must not
/// happen twice.
#[async_trait]
pub trait Counters: Send + Sync {
    /// All that is asked of one counter or nothing, in one write.
    ///
    /// A call that fails may have been made all the same.
    async fn take(&self, counter: &str, asked: &[Ask], terms: Terms) -> Result<Taken, StoreError>;
    /// Gives permits back; `false`, and nothing is changed, where the window is over or never had as many.
    async fn give_back(&self, counter: &str, back: &Return) -> Result<bool, StoreError>;
    /// Adds to sums of a month, all or none of them, in an item that is kept until `expires_at`. Sent once: what is lost is
    /// missing there.
    async fn roll_up(&self, roll_up: &RollUp, expires_at: Timestamp) -> Result<(), StoreError>;
    /// These slots of a counter as they were a moment ago; those that were never written are left out.
    async fn read(&self, counter: &str, slots: &[SlotName]) -> Result<Counter, StoreError>;
    /// By how many milliseconds the clock is certainly ahead of the store's, or behind where that is negative; 0 where it
    /// may be right. Known from what the store answered so far.
    fn skew_millis(&self) -> i64;
    /// How many write units calls took beyond one for each, since this was last asked: an item of more than a kilobyte takes
    /// several. 0 where the store does not say.
    fn more_units(&self) -> u64 {
        0
    }
}

/// What else a take needs to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What requests that this counter counts cost since it was last told, and how many they were.
    pub cost: Option<Cost>,
    /// When the counter may be deleted.
    pub expires_at: Timestamp,
    /// Who waits for the answer.
    pub waiting: Waiting,
}

/// Who waits for an answer of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// A request: better no answer than a late one.
    Request,
    /// Nobody: an answer that is given up costs what it would have brought.
    Nobody,
}

/// What became of [`Counters::take`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// What each slot counts now, or when each bucket is full, in microseconds since 1970; in the order asked.
    Granted(Vec<u64>),
    /// Nothing was written; the counter as it is.
    Refused(Counter),
}
