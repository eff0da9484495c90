//! The Keys table (ARCHITECTURE.md, tables).

mod changes;
mod key_admin;

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use faregate_core::api_key::KeyHash;
use faregate_engine::ports::{KeyStore, StoreError};
use serde_json::{Map, Value};

use crate::{
    AwsConfig,
    attributes::{Item, json_with_binaries, text},
    errors::store_error,
};

const KEY_HASH: &str = "key_hash";

/// The Keys table in DynamoDB.
///
/// Binary values, which no key item has, come out as the object `{"B": "<n> bytes"}`: a wrong type, so that
/// the item is refused and `faregate key check` finds it.
#[derive(Clone, Debug)]
pub struct DynamoKeyStore {
    client: Client,
    table: String,
}

impl DynamoKeyStore {
    /// The table of this name.
    #[must_use]
    pub fn new(config: &AwsConfig, table: impl Into<String>) -> Self {
        Self { client: Client::from_conf(config.dynamodb().build()), table: table.into() }
    }
}

#[async_trait]
impl KeyStore for DynamoKeyStore {
    async fn get(&self, hash: &KeyHash) -> Result<Option<Map<String, Value>>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key(hash))).consistent_read(false);
        let answer = get.send().await.map_err(store_error)?;
        answer.item.map(attributes_of).transpose()
    }
}

fn attributes_of(item: Item) -> Result<Map<String, Value>, StoreError> {
    json_with_binaries(item).map_err(StoreError::Malformed)
}

fn key(hash: &KeyHash) -> HashMap<String, AttributeValue> {
    HashMap::from([(KEY_HASH.to_owned(), text(hash.as_str()))])
}
