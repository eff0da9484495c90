//! Counters in memory.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use faregate_core::{
    cost::Cost,
    limit::{Ask, Counter, Return, RollUp, SlotName},
    time::Timestamp,
};

use super::{Faults, locked};
use crate::ports::{Counters, StoreError, Taken, Terms};

/// Counters by name.
#[derive(Debug, Default)]
pub struct FakeCounters {
    /// Makes operations fail, and knows which there were.
    pub faults: Faults,
    counters: Mutex<BTreeMap<String, Counter>>,
    expires_at: Mutex<BTreeMap<String, Timestamp>>,
    months: Mutex<BTreeMap<(String, String), u64>>,
    costs: Mutex<BTreeMap<(String, String), u64>>,
    skew_millis: AtomicI64,
}

impl FakeCounters {
    /// A counter as it is.
    #[must_use]
    pub fn counter(&self, name: &str) -> Option<Counter> {
        locked(&self.counters).get(name).cloned()
    }

    /// When a counter may be deleted.
    #[must_use]
    pub fn expires_at(&self, name: &str) -> Option<Timestamp> {
        locked(&self.expires_at).get(name).copied()
    }

    /// What requests of a month cost that a counter counted, in nano-dollars.
    #[must_use]
    pub fn cost(&self, counter: &str, month: &str) -> Option<u64> {
        locked(&self.costs).get(&(counter.to_owned(), Cost::attribute_of(month))).copied()
    }

    /// What a consumer's month counts of a limit.
    #[must_use]
    pub fn month(&self, item: &str, limit: &str) -> Option<u64> {
        locked(&self.months).get(&(item.to_owned(), limit.to_owned())).copied()
    }

    /// The clock is ahead of the store's by so many milliseconds from now on.
    pub fn set_skew_millis(&self, millis: i64) {
        self.skew_millis.store(millis, Ordering::Relaxed);
    }

    /// The names of all counters.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        locked(&self.counters).keys().cloned().collect()
    }
}

#[async_trait]
impl Counters for FakeCounters {
    async fn take(&self, counter: &str, asked: &[Ask], terms: Terms) -> Result<Taken, StoreError> {
        self.faults.begin("take").await?;
        if asked.is_empty() {
            return Err(StoreError::Rejected("a take of nothing".to_owned()));
        }
        let mut counters = locked(&self.counters);
        let known = counters.get(counter).cloned().unwrap_or_default();
        let mut changed = known.clone();
        match changed.take(asked) {
            Some(granted) => {
                counters.insert(counter.to_owned(), changed);
                locked(&self.expires_at).insert(counter.to_owned(), terms.expires_at);
                if let Some(cost) = terms.cost {
                    let mut costs = locked(&self.costs);
                    *costs.entry((counter.to_owned(), cost.attribute)).or_default() += cost.nanodollars;
                    costs.remove(&(counter.to_owned(), cost.outdated));
                }
                Ok(Taken::Granted(granted))
            }
            None => Ok(Taken::Refused(known)),
        }
    }

    async fn give_back(&self, counter: &str, back: &Return) -> Result<bool, StoreError> {
        self.faults.begin("give_back").await?;
        Ok(locked(&self.counters).get_mut(counter).is_some_and(|counter| counter.give_back(back)))
    }

    async fn roll_up(&self, roll_up: &RollUp, _: Timestamp) -> Result<(), StoreError> {
        self.faults.begin("roll_up").await?;
        let RollUp { item, limit, settled } = roll_up.clone();
        *locked(&self.months).entry((item, limit)).or_default() += settled;
        Ok(())
    }

    async fn read(&self, counter: &str, slots: &[SlotName]) -> Result<Counter, StoreError> {
        self.faults.begin("read").await?;
        let mut known = locked(&self.counters).get(counter).cloned().unwrap_or_default();
        known.slots.retain(|name, _| slots.contains(name));
        known.buckets.clear();
        Ok(known)
    }

    fn skew_millis(&self) -> i64 {
        self.skew_millis.load(Ordering::Relaxed)
    }
}
