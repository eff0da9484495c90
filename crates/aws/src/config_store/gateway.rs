//! What the gateway may do: read items of `snapshot` and `snapshot#<hash>`.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use faregate_engine::{
    ports::{SnapshotStore, StoreError},
    published::SnapshotHead,
};

use super::{CURRENT, DynamoConfigStore, ID, KIND, SNAPSHOT};
use crate::{
    attributes::{Item, deserialize, text},
    errors::store_error,
};

#[async_trait]
impl SnapshotStore for DynamoConfigStore {
    async fn current(&self, consistent: bool) -> Result<Option<SnapshotHead>, StoreError> {
        let item = self.get(SNAPSHOT, CURRENT, consistent).await?;
        item.map(|item| deserialize(item, "snapshot/current")).transpose()
    }

    /// An item that is no head is left out, so that it cannot stand before those that are.
    async fn heads(&self) -> Result<Vec<SnapshotHead>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#kind = :kind AND #id BETWEEN :first AND :last")
            .expression_attribute_names("#kind", KIND)
            .expression_attribute_names("#id", ID)
            .expression_attribute_values(":kind", text(SNAPSHOT))
            .expression_attribute_values(":first", text("0"))
            .expression_attribute_values(":last", text("999999999999"))
            .scan_index_forward(false)
            .consistent_read(true);
        let mut items = query.into_paginator().items().send();
        let mut heads = Vec::new();
        while let Some(item) = items.next().await {
            heads.extend(head_of(item.map_err(store_error)?));
        }
        Ok(heads)
    }

    async fn chunks(&self, hash: &str) -> Result<Vec<Bytes>, StoreError> {
        self.read_chunks(hash).await
    }
}

fn head_of(item: Item) -> Option<SnapshotHead> {
    let id = item.get(ID).and_then(|id| AttributeValue::as_s(id).ok().cloned()).unwrap_or_default();
    if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match deserialize(item, &id) {
        Ok(head) => Some(head),
        Err(error) => {
            tracing::warn!(%error, "an item of kind `snapshot` is no head");
            None
        }
    }
}
