//! What an operator may do.

use async_trait::async_trait;
use faregate_core::time::Timestamp;
use faregate_engine::ports::{ApplyLock, ConfigWriter, StoreError, StoredEntry};

use super::{APPLY, DynamoConfigStore, LOCK, key, keyed};
use crate::{
    attributes::{Item, number, text},
    errors::condition_held,
};

const HOLDER: &str = "holder";
const EXPIRES_AT: &str = "expires_at";

#[async_trait]
impl ConfigWriter for DynamoConfigStore {
    /// One's own lock is taken again, so a repeated try whose first answer was lost does not refuse itself.
    async fn take_lock(&self, lock: &ApplyLock, now: Timestamp) -> Result<bool, StoreError> {
        let item = Item::from([
            (HOLDER.to_owned(), text(&lock.holder)),
            (EXPIRES_AT.to_owned(), number(lock.expires_at.as_millis())),
        ]);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(keyed(LOCK, APPLY, item)))
            .condition_expression(
                "attribute_not_exists(#expires_at) OR NOT attribute_type(#expires_at, :number) \
                 OR #expires_at <= :now OR #holder = :holder",
            )
            .expression_attribute_names("#expires_at", EXPIRES_AT)
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":number", text("N"))
            .expression_attribute_values(":holder", text(&lock.holder));
        condition_held(put.send().await)
    }

    async fn release_lock(&self, holder: &str) -> Result<(), StoreError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key(LOCK, APPLY)))
            .condition_expression("#holder = :holder")
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_values(":holder", text(holder));
        condition_held(delete.send().await)?;
        Ok(())
    }

    async fn put_entry(&self, entry: &StoredEntry) -> Result<(), StoreError> {
        self.write_entry(entry).await
    }

    async fn delete_entry(&self, kind: &str, id: &str) -> Result<(), StoreError> {
        self.remove_entry(kind, id).await
    }
}
