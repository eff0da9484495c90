//! Requests that no write of a counter tells of: added up in memory, and told once in a while.

use std::{
    ops::AddAssign,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use faregate_core::{cost::Cost, limit::RollUp, time::Timestamp};
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
pub(super) struct Place {
    item: String,
    requests: String,
    cost: String,
}

impl Place {
    /// The month of a consumer of whom no counter counts the request.
    pub(super) fn of_consumer(consumer: &str, now: Timestamp) -> Self {
        let item = RollUp::item_of(consumer, &Cost::month_of(now));
        Self { item, requests: "requests".to_owned(), cost: "cost".to_owned() }
    }

    /// A counter of callers, whose takes tell the same sums.
    pub(super) fn of_counter(counter: &str, now: Timestamp) -> Self {
        let month = Cost::month_of(now);
        let (requests, cost) = (Cost::requests_attribute_of(&month), Cost::attribute_of(&month));
        Self { item: counter.to_owned(), requests, cost }
    }

    fn roll_up(&self, sum: Sum) -> RollUp {
        let sums = vec![(self.requests.clone(), sum.requests), (self.cost.clone(), sum.nanodollars)];
        RollUp { item: self.item.clone(), sums }
    }
}

/// Requests, and what they cost in nano-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) requests: u64,
    pub(super) nanodollars: u64,
}

impl AddAssign for Sum {
    fn add_assign(&mut self, more: Self) {
        self.requests += more.requests;
        self.nanodollars += more.nanodollars;
    }
}

/// A sum that is not told yet.
struct Tally {
    sum: Sum,
    since: Timestamp,
}

/// What is still to be told, by where, in the order in which each began.
pub(super) struct Tallies(Mutex<LruCache<Arc<Place>, Tally>>);

impl Default for Tallies {
    fn default() -> Self {
        // Unbounded only in name: a bounded one would reserve its whole table at the start.
        Self(Mutex::new(LruCache::unbounded()))
    }
}

impl Tallies {
    /// Adds to a sum.
    pub(super) fn add(&self, place: &Arc<Place>, sum: Sum, now: Timestamp) {
        let mut tallies = self.lock();
        match tallies.peek_mut(place) {
            Some(tally) => tally.sum += sum,
            None => {
                tallies.put(Arc::clone(place), Tally { sum, since: now });
            }
        }
    }

    /// Sums whose time has come, or that have to go for others; they are not here any more.
    fn due(&self, now: Timestamp) -> Vec<(Arc<Place>, Sum)> {
        let mut tallies = self.lock();
        let mut due = Vec::new();
        while due.len() < SENT_MAX
            && let Some((_, tally)) = tallies.peek_lru()
        {
            // A clock that was set back tells at once.
            let is_over = now < tally.since || now.since(tally.since) >= TOLD_EVERY;
            if !is_over && tallies.len() <= TALLIES_MAX {
                break;
            }
            due.extend(tallies.pop_lru().map(|(place, tally)| (place, tally.sum)));
        }
        due
    }

    /// All sums, none of which is here any more.
    fn take_all(&self) -> Vec<(Arc<Place>, Sum)> {
        let mut tallies = self.lock();
        std::iter::from_fn(|| tallies.pop_lru()).map(|(place, tally)| (place, tally.sum)).collect()
    }

    /// Takes a sum back that was certainly not told; lost where there is no room for it.
    fn keep(&self, place: &Arc<Place>, sum: Sum, now: Timestamp) {
        let has_room = {
            let tallies = self.lock();
            tallies.contains(place) || tallies.len() < TALLIES_MAX
        };
        if has_room {
            self.add(place, sum, now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Arc<Place>, Tally>> {
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

    /// Tells all sums: the environment ends.
    pub(super) async fn tally_all(&self) {
        self.send_tallies(self.tallies.take_all()).await;
    }

    /// Sent once: what may have been written is not told again.
    async fn send_tallies(&self, due: Vec<(Arc<Place>, Sum)>) {
        let sent = due.iter().map(|(place, sum)| async move {
            self.meter.lease_write();
            let told = self.counters.roll_up(&place.roll_up(*sum), self.clock.now().plus(KEPT_QUOTA)).await;
            if let Err(StoreError::Throttled(_) | StoreError::Rejected(_)) = told {
                self.tallies.keep(place, *sum, self.clock.now());
            }
        });
        join_all(sent).await;
    }
}
