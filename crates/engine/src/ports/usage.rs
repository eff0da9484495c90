//! What operators read and change of the Usage table.

use async_trait::async_trait;
use faregate_core::{
    limit::{RollUp, SlotName, Spent},
    time::Timestamp,
};
use serde_json::{Map, Value};

use super::StoreError;

/// Reads counters and months as they are stored, and changes a counter by hand.
#[async_trait]
pub trait UsageAdmin: Send + Sync {
    /// The item of this id.
    async fn get(&self, id: &str) -> Result<Option<Map<String, Value>>, StoreError>;
    /// All counters and months, in no particular order.
    async fn all(&self) -> Result<Vec<Map<String, Value>>, StoreError>;
    /// Changes a slot and records who did so and why, both or none; `false`, and nothing is changed, where the slot has
    /// another window or counts fewer permits than are given.
    async fn adjust(&self, adjustment: &Adjustment) -> Result<bool, StoreError>;
}

/// Permits given or taken by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// The counter.
    pub counter: String,
    /// The slot.
    pub slot: SlotName,
    /// The number of the window.
    pub index: u64,
    /// What it takes to begin the slot, where it has none or an older window: only to take permits.
    pub beginning: Option<Beginning>,
    /// Permits to give (they are granted once more) or, where negative, to take.
    pub permits: i64,
    /// The limit's number, where it is known: what was granted beyond it was granted to nobody, and is not to be given.
    pub limit: Option<u64>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What a slot had before a window begins in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The window that it counted and what was spent in it; absent where it was never written. Where that is not so any
    /// more, nothing is changed.
    pub over: Option<Spent>,
    /// What is added to a month for that window.
    pub roll_up: Option<RollUp>,
    /// When the counter may be deleted.
    pub expires_at: Timestamp,
}
