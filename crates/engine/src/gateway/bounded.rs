//! A cache that is bounded by count and by bytes (SECURITY.md 2).

use std::{
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use faregate_core::time::Timestamp;

use lru::LruCache;

/// Keeps what was used last.
pub(super) struct Bounded<K: Hash + Eq, V> {
    count_max: usize,
    bytes_max: usize,
    held: Mutex<Held<K, V>>,
}

struct Held<K: Hash + Eq, V> {
    entries: LruCache<K, (V, usize)>,
    bytes: usize,
}

impl<K: Hash + Eq, V: Clone> Bounded<K, V> {
    pub(super) fn new(count_max: usize, bytes_max: usize) -> Self {
        // Unbounded only in name: a bounded one would reserve its whole table at the start.
        Self { count_max, bytes_max, held: Mutex::new(Held { entries: LruCache::unbounded(), bytes: 0 }) }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.entries.get(key).map(|(value, _)| value.clone())
    }

    /// Keeps a value that takes about `bytes` of memory, and lets go of what was not used for longest.
    pub(super) fn put(&self, key: K, value: V, bytes: usize) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes += bytes;
        if let Some((_, (_, replaced))) = held.entries.push(key, (value, bytes)) {
            held.bytes -= replaced;
        }
        while held.entries.len() > self.count_max || held.bytes > self.bytes_max {
            let Some((_, (_, evicted))) = held.entries.pop_lru() else { break };
            held.bytes -= evicted;
        }
    }

    pub(super) fn remove(&self, key: &K) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = held.entries.pop(key) {
            held.bytes -= bytes;
        }
    }
}

/// Whether what was noted at `since` is younger than `age_max`. A time to come is no age: the clock was set back.
pub(super) fn is_within(since: Timestamp, now: Timestamp, age_max: Duration) -> bool {
    since <= now && now.since(since) < age_max
}

#[cfg(test)]
mod tests {
    use super::Bounded;

    #[test]
    fn what_was_used_last_stays_within_both_bounds() {
        let cache = Bounded::new(3, 100);
        for key in 0..5 {
            cache.put(key, key, 1);
        }
        assert_eq!([0, 1, 2, 3, 4].map(|key| cache.get(&key).is_some()), [false, false, true, true, true]);
        cache.get(&2);
        cache.put(5, 5, 99);
        assert_eq!([2, 3, 4, 5].map(|key| cache.get(&key).is_some()), [true, false, false, true]);
        cache.put(5, 6, 1);
        cache.remove(&2);
        assert_eq!((cache.get(&5), cache.get(&2)), (Some(6), None));
        cache.put(7, 7, 101);
        assert_eq!((cache.get(&5), cache.get(&7)), (None, None));
    }
}
