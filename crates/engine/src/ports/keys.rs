//! The Keys table.

use async_trait::async_trait;
use faregate_core::api_key::KeyHash;
use serde_json::{Map, Value};

use super::StoreError;

/// Looks API keys up by hash; what the gateway may do.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// The item's attributes as JSON (without interpretation), or `None` where there is none.
    ///
    /// Eventually consistent: a change is seen within the cache bound of 60 s plus that delay.
    async fn get(&self, hash: &KeyHash) -> Result<Option<Map<String, Value>>, StoreError>;
}

/// Manages API keys; what an operator may do.
#[async_trait]
pub trait KeyAdmin: KeyStore {
    /// Writes a new item; `false` when an item of that hash exists already and nothing was written.
    async fn create(&self, item: Map<String, Value>) -> Result<bool, StoreError>;
    /// Replaces attributes of an existing item; a JSON null removes one. `false` when there is no such item.
    async fn update(&self, hash: &KeyHash, changes: Map<String, Value>) -> Result<bool, StoreError>;
    /// Deletes the item; `false` when there was none.
    async fn delete(&self, hash: &KeyHash) -> Result<bool, StoreError>;
    /// The items of one consumer, or all items, in no particular order.
    async fn list(&self, consumer: Option<&str>) -> Result<Vec<Map<String, Value>>, StoreError>;
}
