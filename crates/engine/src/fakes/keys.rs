//! The Keys table in memory.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use faregate_core::api_key::KeyHash;
use serde_json::{Map, Value};

use super::{Faults, locked};
use crate::ports::{KeyAdmin, KeyStore, StoreError};

/// Items by hash.
#[derive(Debug, Default)]
pub struct FakeKeyStore {
    /// Makes operations fail, and knows which there were.
    pub faults: Faults,
    items: Mutex<BTreeMap<String, Map<String, Value>>>,
}

impl FakeKeyStore {
    /// Puts an item there, whatever it holds, as somebody at the console would; replaces one that is there.
    pub fn insert(&self, hash: &KeyHash, attributes: Map<String, Value>) {
        let mut item = attributes;
        item.insert("key_hash".to_owned(), Value::from(hash.as_str()));
        locked(&self.items).insert(hash.as_str().to_owned(), item);
    }

    /// Takes an item away.
    pub fn remove(&self, hash: &KeyHash) {
        locked(&self.items).remove(hash.as_str());
    }

    /// How many lookups there were.
    #[must_use]
    pub fn gets(&self) -> usize {
        self.faults.count("get")
    }
}

#[async_trait]
impl KeyStore for FakeKeyStore {
    async fn get(&self, hash: &KeyHash) -> Result<Option<Map<String, Value>>, StoreError> {
        self.faults.begin("get").await?;
        Ok(locked(&self.items).get(hash.as_str()).cloned())
    }
}

#[async_trait]
impl KeyAdmin for FakeKeyStore {
    async fn create(&self, item: Map<String, Value>) -> Result<bool, StoreError> {
        self.faults.begin("create").await?;
        let Some(hash) = item.get("key_hash").and_then(Value::as_str).filter(|hash| !hash.is_empty()) else {
            return Err(StoreError::Rejected("the item has no `key_hash`".to_owned()));
        };
        check_index_key(&item)?;
        let mut items = locked(&self.items);
        if items.contains_key(hash) {
            return Ok(false);
        }
        items.insert(hash.to_owned(), item);
        Ok(true)
    }

    async fn update(&self, hash: &KeyHash, changes: Map<String, Value>) -> Result<bool, StoreError> {
        self.faults.begin("update").await?;
        if changes.contains_key("key_hash") {
            return Err(StoreError::Rejected("`key_hash` cannot change".to_owned()));
        }
        let mut items = locked(&self.items);
        let Some(item) = items.get_mut(hash.as_str()) else { return Ok(false) };
        let mut changed = item.clone();
        for (name, value) in changes {
            if value.is_null() {
                changed.remove(&name)
            } else {
                changed.insert(name, value)
            };
        }
        check_index_key(&changed)?;
        *item = changed;
        Ok(true)
    }

    async fn delete(&self, hash: &KeyHash) -> Result<bool, StoreError> {
        self.faults.begin("delete").await?;
        Ok(locked(&self.items).remove(hash.as_str()).is_some())
    }

    async fn list(&self, consumer: Option<&str>) -> Result<Vec<Map<String, Value>>, StoreError> {
        self.faults.begin("list").await?;
        let items = locked(&self.items);
        let wanted = |item: &&Map<String, Value>| {
            consumer.is_none_or(|consumer| item.get("consumer").and_then(Value::as_str) == Some(consumer))
        };
        Ok(items.values().filter(wanted).cloned().collect())
    }
}

/// The index `by_consumer` makes DynamoDB refuse any other consumer than a text.
fn check_index_key(item: &Map<String, Value>) -> Result<(), StoreError> {
    match item.get("consumer") {
        Some(Value::String(consumer)) if !consumer.is_empty() => Ok(()),
        None => Ok(()),
        Some(_) => Err(StoreError::Rejected("`consumer` is no text".to_owned())),
    }
}
