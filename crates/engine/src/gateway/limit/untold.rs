//! What is kept in mind of accounts that have to go: what approximate limits counted alone of those that clients choose, what
//! passed without permits, and that a slot has begun. What was counted alone of callers is told to their counters.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use faregate_core::{limit::Counted, time::Timestamp};
use lru::LruCache;

use super::{
    Limits,
    accounts::{self, Account, Crowd},
    acquire::Reason,
    wants::Want,
};

/// Of how many limits of a crowd's accounts something is kept in mind: some 100 bytes each.
const REMEMBERED_MAX: usize = 16_384;

/// What is kept in mind of one limit of an account that had to go.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    /// The window that it is about.
    pub(super) index: u64,
    /// What was counted alone.
    pub(super) counted: Option<Counted>,
    /// What passed without permits.
    pub(super) unpaid: u64,
    /// Whether the counter's slot has begun.
    pub(super) has_begun: bool,
}

/// What is kept in mind, by limit and counter. No crowd pushes out what is known of another one.
#[derive(Default)]
pub(super) struct Remembered {
    callers: Memories,
    values: Memories,
    strangers: Memories,
    /// Nobody can choose two counters that are one here.
    hasher: RandomState,
}

struct Memories(Mutex<LruCache<u64, Memory>>);

impl Default for Memories {
    fn default() -> Self {
        // Unbounded only in name: a bounded one would reserve its whole table at the start.
        Self(Mutex::new(LruCache::unbounded()))
    }
}

impl Remembered {
    /// Keeps in mind what an account knows that has to go.
    fn keep(&self, account: &Account, now: Timestamp) {
        for (key, holding) in &*account.lock() {
            if let Some(memory) = holding.memory(account.is_chosen(), now) {
                let mut memories = self.of(account);
                memories.put(self.name(account, key), memory);
                if memories.len() > REMEMBERED_MAX {
                    memories.pop_lru();
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
        let memory = self.of(&want.account).pop(&self.name(&want.account, key));
        if let Some(memory) = memory.filter(|memory| memory.index == rule.window.index(now)) {
            accounts::holding(&mut holdings, rule).recall(rule, memory, now);
        }
    }

    fn name(&self, account: &Account, key: &str) -> u64 {
        self.hasher.hash_one((&*account.counter, key))
    }

    fn of(&self, account: &Account) -> MutexGuard<'_, LruCache<u64, Memory>> {
        let Memories(memories) = match account.crowd {
            Crowd::Callers => &self.callers,
            Crowd::Values => &self.values,
            Crowd::Strangers => &self.strangers,
        };
        memories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limits {
    /// Gives accounts back what was known of them before they had to go.
    pub(super) fn recall(&self, wants: &[Want], now: Timestamp) {
        wants.iter().for_each(|want| self.remembered.recall(want, now));
    }

    /// Keeps in mind what is known of an account that has to go.
    pub(super) fn remember(&self, account: &Account, now: Timestamp) {
        self.remembered.keep(account, now);
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
