//! What approximate limits counted alone, of accounts that have to go: told to the counters of callers, and kept in mind of
//! those that clients choose, as many of them as there are.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use faregate_core::{limit::Mode, time::Timestamp};
use lru::LruCache;

use super::{
    Limits,
    accounts::{self, Account},
    acquire::Reason,
    wants::Want,
};

/// Of how many limits of such accounts it is kept in mind what was counted: some 60 bytes each.
const REMEMBERED_MAX: usize = 16_384;

/// What was counted of accounts that had to go, by limit and counter.
pub(super) struct Remembered {
    counts: Mutex<LruCache<u64, Count>>,
    /// Nobody can choose two counters that are one here.
    hasher: RandomState,
}

/// What was known of a window.
#[derive(Clone, Copy)]
struct Count {
    index: u64,
    counted: (u64, u64),
}

impl Default for Remembered {
    fn default() -> Self {
        // Unbounded only in name: a bounded one would reserve its whole table at the start.
        Self { counts: Mutex::new(LruCache::unbounded()), hasher: RandomState::new() }
    }
}

impl Remembered {
    /// Keeps in mind what an account knows that has to go.
    fn keep(&self, account: &Account, now: Timestamp) {
        for (key, holding) in &*account.lock() {
            let counted = holding.rule.as_ref().and_then(|rule| Some((rule, holding.lease.counted(rule, now)?)));
            if let Some((rule, counted)) = counted {
                let mut counts = self.lock();
                counts.put(self.name(account, key), Count { index: rule.window.index(now), counted });
                if counts.len() > REMEMBERED_MAX {
                    counts.pop_lru();
                }
            }
        }
    }

    /// Gives an account back what is in mind of a limit that it knows nothing of.
    fn recall(&self, want: &Want, now: Timestamp) {
        let (rule, key) = (&want.rule, want.rule.key());
        let mut holdings = want.account.lock();
        if holdings.contains_key(&**key) {
            return;
        }
        let count = self.lock().pop(&self.name(&want.account, key));
        if let Some(Count { counted, .. }) = count.filter(|count| count.index == rule.window.index(now)) {
            accounts::holding(&mut holdings, rule).lease.recall(rule, now, counted);
        }
    }

    fn name(&self, account: &Account, key: &str) -> u64 {
        self.hasher.hash_one((&*account.counter, key))
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<u64, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limits {
    /// Gives accounts back what was counted before they had to go.
    pub(super) fn recall(&self, wants: &[Want], now: Timestamp) {
        let chosen = wants.iter().filter(|want| want.account.is_chosen && want.rule.mode == Mode::Approximate);
        chosen.for_each(|want| self.remembered.recall(want, now));
    }

    /// Keeps in mind what an account counted that has to go, where clients choose such accounts.
    pub(super) fn remember(&self, account: &Account, now: Timestamp) {
        if account.is_chosen {
            self.remembered.keep(account, now);
        }
    }

    /// Tells a caller's counter what was counted alone, since its account has to go.
    pub(super) async fn tell_rest(&self, account: &Arc<Account>, now: Timestamp) {
        let rest: Vec<Want> = match account.has_rest(now) {
            true => account.rules().into_iter().map(|rule| Want::of_rest(account, rule)).collect(),
            false => Vec::new(),
        };
        if !rest.is_empty() {
            // Whatever comes of it, nobody is here to try again.
            let _ = self.acquire(account, &rest, Reason::Spent).await;
        }
    }
}
