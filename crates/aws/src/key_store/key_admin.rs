//! What an operator may do.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::ReturnValue;
use faregate_core::api_key::KeyHash;
use faregate_engine::ports::{KeyAdmin, StoreError};
use serde_json::{Map, Value};

use super::{DynamoKeyStore, KEY_HASH, attributes_of, changes::with_changes, key};
use crate::{
    attributes::{item_of, text},
    errors::{condition_held, store_error},
};

/// The index of the template.
const BY_CONSUMER: &str = "by_consumer";

#[async_trait]
impl KeyAdmin for DynamoKeyStore {
    async fn create(&self, item: Map<String, Value>) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item_of(&item)?))
            .condition_expression("attribute_not_exists(#key_hash)")
            .expression_attribute_names("#key_hash", KEY_HASH);
        condition_held(put.send().await)
    }

    async fn update(&self, hash: &KeyHash, changes: Map<String, Value>) -> Result<bool, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(hash)))
            .condition_expression("attribute_exists(#key_hash)")
            .expression_attribute_names("#key_hash", KEY_HASH);
        condition_held(with_changes(update, &changes)?.send().await)
    }

    async fn delete(&self, hash: &KeyHash) -> Result<bool, StoreError> {
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key(hash)));
        let answer = delete.return_values(ReturnValue::AllOld).send().await.map_err(store_error)?;
        Ok(answer.attributes.is_some_and(|attributes| !attributes.is_empty()))
    }

    /// By consumer from the index, which is eventually consistent; all items from the table, consistently.
    async fn list(&self, consumer: Option<&str>) -> Result<Vec<Map<String, Value>>, StoreError> {
        let mut found = Vec::new();
        match consumer {
            Some(consumer) => {
                let query = self
                    .client
                    .query()
                    .table_name(&self.table)
                    .index_name(BY_CONSUMER)
                    .key_condition_expression("#consumer = :consumer")
                    .expression_attribute_names("#consumer", "consumer")
                    .expression_attribute_values(":consumer", text(consumer));
                let mut items = query.into_paginator().items().send();
                while let Some(item) = items.next().await {
                    found.push(attributes_of(item.map_err(store_error)?)?);
                }
            }
            None => {
                let scan = self.client.scan().table_name(&self.table).consistent_read(true);
                let mut items = scan.into_paginator().items().send();
                while let Some(item) = items.next().await {
                    found.push(attributes_of(item.map_err(store_error)?)?);
                }
            }
        }
        Ok(found)
    }
}
