//! What users write.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_engine::ports::{StoreError, StoredEntry};

use super::{CHUNKS, DynamoConfigStore, ID, KIND, LOCK, SNAPSHOT, STATUS, is_machine_written};
use crate::{
    attributes::{Item, item_of, json_of, text},
    errors::store_error,
};

impl DynamoConfigStore {
    /// A scan, because a kind that nobody knows has to be found too. The table filters, so that chunks do not
    /// travel.
    pub(super) async fn scan_entries(&self) -> Result<Vec<StoredEntry>, StoreError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression("NOT (begins_with(#kind, :chunks) OR #kind IN (:snapshot, :status, :lock))")
            .expression_attribute_names("#kind", KIND)
            .expression_attribute_values(":chunks", text(CHUNKS))
            .expression_attribute_values(":snapshot", text(SNAPSHOT))
            .expression_attribute_values(":status", text(STATUS))
            .expression_attribute_values(":lock", text(LOCK))
            .consistent_read(true);
        let mut items = scan.into_paginator().items().send();
        let mut entries = Vec::new();
        while let Some(item) = items.next().await {
            entries.push(entry_of(item.map_err(store_error)?)?);
        }
        entries.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
        Ok(entries)
    }

    pub(super) async fn write_entry(&self, entry: &StoredEntry) -> Result<(), StoreError> {
        refuse_machine_written(&entry.kind)?;
        let fields = entry.fields.as_ref().map_err(|cause| StoreError::Rejected(cause.clone()))?;
        self.put(&entry.kind, &entry.id, item_of(fields)?).await
    }

    pub(super) async fn remove_entry(&self, kind: &str, id: &str) -> Result<(), StoreError> {
        refuse_machine_written(kind)?;
        self.delete(kind, id).await
    }
}

fn entry_of(mut item: Item) -> Result<StoredEntry, StoreError> {
    let mut take = |name: &str| match item.remove(name) {
        Some(AttributeValue::S(value)) => Ok(value),
        _ => Err(StoreError::Malformed(format!("an item without `{name}`"))),
    };
    Ok(StoredEntry { kind: take(KIND)?, id: take(ID)?, fields: json_of(item) })
}

fn refuse_machine_written(kind: &str) -> Result<(), StoreError> {
    if is_machine_written(kind) {
        return Err(StoreError::Rejected(format!("items of kind `{kind}` are not written by hand")));
    }
    Ok(())
}
