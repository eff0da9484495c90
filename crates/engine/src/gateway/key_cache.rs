//! API keys in memory, for a bounded time and in bounded space.

use std::{net::IpAddr, sync::Arc, time::Duration};

use faregate_core::{
    api_key::{KeyHash, KeyItem},
    cost::half_reads,
    time::Timestamp,
};

use serde_json::Value;

use super::{
    Ports,
    bounded::{Bounded, is_within},
    miss_budget::MissBudget,
};
use crate::{
    meter::Meter,
    ports::{Clock, KeyStore, Metric, StoreError, Telemetry},
};

/// How long a key that works is believed: the bound on revocation.
pub(super) const HIT_AGE_MAX: Duration = Duration::from_secs(60);
/// How long a key that does not work is remembered.
pub(super) const MISS_AGE_MAX: Duration = Duration::from_secs(10);
/// How many keys of each sort are remembered.
pub(super) const KEYS_MAX: usize = 10_000;
/// How many bytes of items are remembered.
pub(super) const ITEM_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many bytes of refusals are remembered.
pub(super) const MISS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a key proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyError {
    /// The key is unknown, disabled, expired or its item is not believed.
    Refused(String),
    /// The store does not say.
    Store(StoreError),
    /// Too many unknown keys were looked up already.
    Budget,
}

/// Looks keys up. Hits and misses have a cache each, so that a flood of wrong keys evicts no right one.
pub(super) struct KeyCache {
    store: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
    telemetry: Arc<dyn Telemetry>,
    meter: Arc<Meter>,
    hits: Bounded<KeyHash, (Timestamp, Arc<KeyItem>)>,
    misses: Bounded<KeyHash, (Timestamp, Arc<str>)>,
    budget: MissBudget,
}

impl KeyCache {
    pub(super) fn new(ports: &Ports, meter: &Arc<Meter>) -> Self {
        Self {
            store: Arc::clone(&ports.keys),
            clock: Arc::clone(&ports.clock),
            telemetry: Arc::clone(&ports.telemetry),
            meter: Arc::clone(meter),
            hits: Bounded::new(KEYS_MAX, ITEM_BYTES_MAX),
            misses: Bounded::new(KEYS_MAX, MISS_BYTES_MAX),
            budget: MissBudget::new(),
        }
    }

    /// The item of a key that works now.
    pub(super) async fn get(&self, hash: &KeyHash, address: Option<IpAddr>) -> Result<Arc<KeyItem>, KeyError> {
        let now = self.clock.now();
        if let Some(item) = self.hit(hash, now) {
            return usable(item, now);
        }
        if let Some(cause) = self.miss(hash, now) {
            return Err(KeyError::Refused(cause.to_string()));
        }
        // A key that was good a while ago is asked about whatever others make up.
        let is_new = self.hits.get(hash).is_none();
        // Paid before it is known what comes of it: many may be looked up at once.
        if is_new && !self.budget.pays(address, now) {
            return Err(KeyError::Budget);
        }
        self.meter.half_read();
        let found = self.store.get(hash).await;
        if is_new && !matches!(found, Ok(None)) {
            self.budget.refund(address, now);
        }
        let Some(attributes) = found.map_err(KeyError::Store)? else {
            return Err(self.remember_miss(hash, now, "unknown"));
        };
        // An item has about as many bytes as its JSON.
        let bytes = serde_json::to_vec(&attributes).map_or(0, |json| json.len());
        self.meter.half_reads(half_reads(bytes) - 1);
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
        let (since, item) = self.hits.get(hash)?;
        is_within(since, now, HIT_AGE_MAX).then_some(item)
    }

    fn miss(&self, hash: &KeyHash, now: Timestamp) -> Option<Arc<str>> {
        let (since, cause) = self.misses.get(hash)?;
        is_within(since, now, MISS_AGE_MAX).then_some(cause)
    }

    fn remember_hit(&self, hash: &KeyHash, now: Timestamp, item: &Arc<KeyItem>) {
        self.hits.put(hash.clone(), (now, Arc::clone(item)), size_of(item));
    }

    fn remember_miss(&self, hash: &KeyHash, now: Timestamp, cause: &str) -> KeyError {
        let short: Arc<str> = cause.chars().take(200).collect::<String>().into();
        let bytes = 100 + short.len();
        self.misses.put(hash.clone(), (now, short), bytes);
        KeyError::Refused(cause.to_owned())
    }
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
    let lists = item.routes.iter().flatten().chain(&item.scopes).chain(&item.groups);
    // Metadata takes more room as a tree than as text.
    let metadata = if item.metadata.is_empty() { 0 } else { 4 * Value::from(item.metadata.clone()).to_string().len() };
    let limits: usize = item.limits.keys().map(|id| id.len() + 64).sum();
    let plan = item.plan.as_ref().map_or(0, |plan| plan.len());
    200 + item.consumer.len() + plan + limits + lists.map(|text| text.len() + 32).sum::<usize>() + metadata
}
