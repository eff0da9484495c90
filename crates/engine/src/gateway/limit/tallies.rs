//! Requests that no write of a counter tells of: added up in memory, and told once in a while.

use std::{
    ops::AddAssign,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use faregate_core::{
    cost::Cost,
    limit::{RollUp, Window},
    time::Timestamp,
};
use futures_util::future::join_all;
use lru::LruCache;

use super::{Limits, acquire::KEPT_QUOTA};
use crate::{gateway::SideWork, ports::StoreError};

/// For how long requests are added up, at least, before they are told.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// How many items' requests are added up: of more, those that wait for longest are told early.
const TALLIES_MAX: usize = 1024;
/// How many items are told beside one request, at most.
const SENT_MAX: usize = 8;

/// Where requests are added up: sums of one month in an item of the Usage table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum TallyKey {
    /// The month of a consumer of whom no counter counts the request.
    Consumer(Box<str>, Month),
    /// A counter of callers, whose takes tell the same sums.
    Counter(Box<str>, Month),
}

/// A month of the calendar, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Month(u64);

impl Month {
    fn of(now: Timestamp) -> Self {
        Self(Window::Month.index(now))
    }

    /// As `2026-11`.
    fn text(self) -> String {
        Cost::month_of(Window::Month.start(self.0))
    }
}

impl TallyKey {
    pub(super) fn of_consumer(consumer: &str, now: Timestamp) -> Self {
        Self::Consumer(consumer.into(), Month::of(now))
    }

    pub(super) fn of_counter(counter: &str, now: Timestamp) -> Self {
        Self::Counter(counter.into(), Month::of(now))
    }

    fn roll_up(&self, sum: UsageSum) -> RollUp {
        let (item, requests, cost) = match self {
            Self::Consumer(consumer, month) => {
                (RollUp::item_of(consumer, &month.text()), "requests".to_owned(), "cost".to_owned())
            }
            Self::Counter(counter, month) => {
                let month = month.text();
                (counter.to_string(), Cost::requests_attribute_of(&month), Cost::attribute_of(&month))
            }
        };
        RollUp { item, sums: vec![(requests, sum.requests), (cost, sum.nanodollars)] }
    }
}

/// Requests, and what they cost in nano-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct UsageSum {
    pub(super) requests: u64,
    pub(super) nanodollars: u64,
}

impl AddAssign for UsageSum {
    fn add_assign(&mut self, more: Self) {
        self.requests += more.requests;
        self.nanodollars += more.nanodollars;
    }
}

/// A sum that is not told yet.
struct Tally {
    sum: UsageSum,
    since: Timestamp,
}

/// What is still to be told, by where, in the order in which each began.
pub(super) struct Tallies(Mutex<LruCache<TallyKey, Tally>>);

impl Default for Tallies {
    fn default() -> Self {
        // Unbounded only in name: a bounded one would reserve its whole table at the start.
        Self(Mutex::new(LruCache::unbounded()))
    }
}

impl Tallies {
    /// Adds to a sum.
    pub(super) fn add(&self, key: &TallyKey, sum: UsageSum, now: Timestamp) {
        let mut tallies = self.lock();
        if let Some(tally) = tallies.peek_mut(key) {
            tally.sum += sum;
        } else if tallies.len() < TALLIES_MAX {
            // What there is no room for is lost: no request came that would have told others.
            tallies.put(key.clone(), Tally { sum, since: now });
        }
    }

    /// Sums whose time has come, or that have to go for others; they are not here any more.
    fn due(&self, now: Timestamp) -> Vec<(TallyKey, UsageSum)> {
        let mut tallies = self.lock();
        let mut due = Vec::new();
        while due.len() < SENT_MAX
            && let Some((_, tally)) = tallies.peek_lru()
        {
            // A clock that was set back tells at once.
            let is_over = now < tally.since || now.since(tally.since) >= TOLD_EVERY;
            // There is room for what this request adds and what it settles.
            if !is_over && tallies.len() + SENT_MAX <= TALLIES_MAX {
                break;
            }
            due.extend(tallies.pop_lru().map(|(key, tally)| (key, tally.sum)));
        }
        due
    }

    /// All sums, none of which is here any more.
    pub(super) fn take_all(&self) -> Vec<(TallyKey, UsageSum)> {
        let mut tallies = self.lock();
        std::iter::from_fn(|| tallies.pop_lru()).map(|(key, tally)| (key, tally.sum)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<TallyKey, Tally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limits {
    /// Tells sums whose time has come.
    pub(super) fn tally_beside(self: &Arc<Self>, side_work: &mut SideWork) {
        let due = self.tallies.due(self.clock.now());
        if !due.is_empty() {
            let limits = Arc::clone(self);
            side_work.spawn(async move { limits.send_tallies(due).await });
        }
    }

    /// Sent once: what may have been written is not told again.
    pub(super) async fn send_tallies(&self, due: Vec<(TallyKey, UsageSum)>) {
        let sent = due.iter().map(|(key, sum)| async move {
            self.meter.lease_write();
            let told = self.counters.roll_up(&key.roll_up(*sum), self.clock.now().plus(KEPT_QUOTA)).await;
            self.note_units();
            if let Err(StoreError::Throttled(_) | StoreError::Rejected(_)) = told {
                self.tallies.add(key, *sum, self.clock.now());
            }
        });
        join_all(sent).await;
    }
}

#[cfg(test)]
mod tests {
    use faregate_core::time::Timestamp;

    use super::{TALLIES_MAX, Tallies, TallyKey, UsageSum};

    #[test]
    fn no_more_sums_are_held_than_there_is_room_for_though_nobody_takes_any() {
        let (tallies, now) = (Tallies::default(), Timestamp::from_seconds(1_800_000_000));
        let sum = UsageSum { requests: 1, nanodollars: 2 };
        for number in 0..3 * TALLIES_MAX {
            tallies.add(&TallyKey::of_consumer(&format!("c{number}"), now), sum, now);
            tallies.add(&TallyKey::of_consumer("c0", now), sum, now);
        }
        let held = tallies.take_all();
        assert_eq!(held.len(), TALLIES_MAX);
        let first = held.iter().find(|(key, _)| *key == TallyKey::of_consumer("c0", now));
        assert_eq!(first.map(|(_, sum)| sum.requests), Some(3 * TALLIES_MAX as u64 + 1));
    }
}
