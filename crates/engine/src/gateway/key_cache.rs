//! API keys in memory, for a bounded time and in bounded space.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use faregate_core::{
    api_key::{KeyHash, KeyItem},
    time::Timestamp,
};
use lru::LruCache;

use super::Ports;
use crate::ports::{Clock, KeyStore, Metric, StoreError, Telemetry};

/// How long a key that works is believed: the bound on revocation.
pub(super) const HIT_AGE_MAX: Duration = Duration::from_secs(60);
/// How long a key that does not work is remembered.
pub(super) const MISS_AGE_MAX: Duration = Duration::from_secs(10);
/// How many keys of each sort are remembered.
pub(super) const KEYS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("10,000 is not zero");
/// How many bytes of items are remembered.
pub(super) const ITEM_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why a key proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyError {
    /// The key is unknown, disabled, expired or its item is not believed.
    Refused(String),
    /// The store does not say.
    Store(StoreError),
}

/// Looks keys up. Hits and misses have a cache each, so that a flood of wrong keys evicts no right one.
pub(super) struct KeyCache {
    store: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
    telemetry: Arc<dyn Telemetry>,
    hits: Mutex<Hits>,
    misses: Mutex<LruCache<KeyHash, (Timestamp, Arc<str>)>>,
}

struct Hits {
    items: LruCache<KeyHash, (Timestamp, Arc<KeyItem>)>,
    bytes: usize,
}

impl KeyCache {
    pub(super) fn new(ports: &Ports) -> Self {
        Self {
            store: Arc::clone(&ports.keys),
            clock: Arc::clone(&ports.clock),
            telemetry: Arc::clone(&ports.telemetry),
            // Unbounded only in name: a bounded one would reserve its whole table at the start.
            hits: Mutex::new(Hits { items: LruCache::unbounded(), bytes: 0 }),
            misses: Mutex::new(LruCache::unbounded()),
        }
    }

    /// The item of a key that works now.
    pub(super) async fn get(&self, hash: &KeyHash) -> Result<Arc<KeyItem>, KeyError> {
        let now = self.clock.now();
        if let Some(item) = self.hit(hash, now) {
            return usable(item, now);
        }
        if let Some(cause) = self.miss(hash, now) {
            return Err(KeyError::Refused(cause.to_string()));
        }
        let attributes = self.store.get(hash).await.map_err(KeyError::Store)?;
        let Some(attributes) = attributes else { return Err(self.remember_miss(hash, now, "unknown")) };
        match KeyItem::decode(attributes) {
            Ok(item) => {
                let item = Arc::new(item);
                self.remember_hit(hash, now, &item);
                usable(item, now)
            }
            Err(error) => {
                self.telemetry.metric(Metric::KeyItemsInvalid, &format!("key {}: {error}", hash.short()));
                Err(self.remember_miss(hash, now, &error.to_string()))
            }
        }
    }

    fn hit(&self, hash: &KeyHash, now: Timestamp) -> Option<Arc<KeyItem>> {
        let mut hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, item) = hits.items.get(hash)?;
        (fresh(*since, now, HIT_AGE_MAX)).then(|| Arc::clone(item))
    }

    fn miss(&self, hash: &KeyHash, now: Timestamp) -> Option<Arc<str>> {
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, cause) = misses.get(hash)?;
        (fresh(*since, now, MISS_AGE_MAX)).then(|| Arc::clone(cause))
    }

    fn remember_hit(&self, hash: &KeyHash, now: Timestamp, item: &Arc<KeyItem>) {
        let mut hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
        hits.bytes += size_of(item);
        if let Some((_, (_, replaced))) = hits.items.push(hash.clone(), (now, Arc::clone(item))) {
            hits.bytes -= size_of(&replaced);
        }
        while hits.items.len() > KEYS_MAX.get() || hits.bytes > ITEM_BYTES_MAX {
            let Some((_, (_, evicted))) = hits.items.pop_lru() else { break };
            hits.bytes -= size_of(&evicted);
        }
    }

    fn remember_miss(&self, hash: &KeyHash, now: Timestamp, cause: &str) -> KeyError {
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        misses.put(hash.clone(), (now, cause.chars().take(200).collect::<String>().into()));
        while misses.len() > KEYS_MAX.get() {
            misses.pop_lru();
        }
        KeyError::Refused(cause.to_owned())
    }
}

/// A time of the future is no age: the clock was set back.
fn fresh(since: Timestamp, now: Timestamp, age_max: Duration) -> bool {
    since <= now && now.since(since) < age_max
}

fn usable(item: Arc<KeyItem>, now: Timestamp) -> Result<Arc<KeyItem>, KeyError> {
    if !item.enabled {
        return Err(KeyError::Refused("disabled".to_owned()));
    }
    if item.expired(now) {
        return Err(KeyError::Refused("expired".to_owned()));
    }
    Ok(item)
}

/// What an item takes in memory, roughly.
fn size_of(item: &KeyItem) -> usize {
    let routes = item.routes.iter().flatten().map(|route| route.len() + 16).sum::<usize>();
    200 + item.consumer.len() + routes
}
