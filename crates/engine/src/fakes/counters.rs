//! Counters in memory.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
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
    sums: Mutex<BTreeMap<(String, String), u64>>,
    skew_millis: AtomicI64,
    units_per_write: AtomicU64,
    more_units: AtomicU64,
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
        self.sum(counter, &Cost::attribute_of(month))
    }

    /// How many requests of a month a counter was told of.
    #[must_use]
    pub fn requests(&self, counter: &str, month: &str) -> Option<u64> {
        self.sum(counter, &Cost::requests_attribute_of(month))
    }

    /// A sum of a month: of a limit, or `requests` and `cost`.
    #[must_use]
    pub fn sum(&self, item: &str, attribute: &str) -> Option<u64> {
        locked(&self.sums).get(&(item.to_owned(), attribute.to_owned())).copied()
    }

    /// The clock is ahead of the store's by so many milliseconds from now on.
    pub fn set_skew_millis(&self, millis: i64) {
        self.skew_millis.store(millis, Ordering::Relaxed);
    }

    /// Every write takes so many units more than one from now on.
    pub fn set_more_units(&self, units: u64) {
        self.units_per_write.store(units, Ordering::Relaxed);
    }

    async fn begin_write(&self, operation: &'static str) -> Result<(), StoreError> {
        self.faults.begin(operation).await?;
        self.more_units.fetch_add(self.units_per_write.load(Ordering::Relaxed), Ordering::Relaxed);
        Ok(())
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
        self.begin_write("take").await?;
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
                    let mut sums = locked(&self.sums);
                    let mut add = |attribute, more| *sums.entry((counter.to_owned(), attribute)).or_default() += more;
                    add(Cost::attribute_of(&cost.month), cost.nanodollars);
                    add(Cost::requests_attribute_of(&cost.month), cost.requests);
                    for month in cost.outdated().filter(|_| asked.iter().any(Ask::begins)) {
                        sums.remove(&(counter.to_owned(), Cost::attribute_of(&month)));
                        sums.remove(&(counter.to_owned(), Cost::requests_attribute_of(&month)));
                    }
                }
                Ok(Taken::Granted(granted))
            }
            None => Ok(Taken::Refused(known)),
        }
    }

    async fn give_back(&self, counter: &str, back: &Return) -> Result<bool, StoreError> {
        self.begin_write("give_back").await?;
        Ok(locked(&self.counters).get_mut(counter).is_some_and(|counter| counter.give_back(back)))
    }

    async fn roll_up(&self, roll_up: &RollUp, _: Timestamp) -> Result<(), StoreError> {
        self.begin_write("roll_up").await?;
        let mut sums = locked(&self.sums);
        for (attribute, more) in &roll_up.sums {
            *sums.entry((roll_up.item.clone(), attribute.clone())).or_default() += more;
        }
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

    fn more_units(&self) -> u64 {
        self.more_units.swap(0, Ordering::Relaxed)
    }
}
