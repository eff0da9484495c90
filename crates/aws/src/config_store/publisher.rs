//! What the publisher may do: read everything, write items of `snapshot`, `snapshot#<hash>` and `status`.

use async_trait::async_trait;
use bytes::Bytes;
use faregate_core::time::Timestamp;
use faregate_engine::{
    ports::{ApplyLock, ConfigStore, Expected, Flip, StoreError, StoredEntry},
    published::{SnapshotHead, Status},
};
use serde::Deserialize;

use super::{APPLY, DynamoConfigStore, LOCK, PUBLISHER, SNAPSHOT, STATUS, head_id};
use crate::attributes::{deserialize, serialize};

#[async_trait]
impl ConfigStore for DynamoConfigStore {
    async fn entries(&self) -> Result<Vec<StoredEntry>, StoreError> {
        self.scan_entries().await
    }

    async fn lock(&self) -> Result<Option<ApplyLock>, StoreError> {
        let item = self.get(LOCK, APPLY, true).await?;
        let lock: Option<LockItem> = item.map(|item| deserialize(item, "lock/apply")).transpose()?;
        Ok(lock.map(|lock| ApplyLock { holder: lock.holder, expires_at: lock.expires_at }))
    }

    async fn put_chunk(&self, hash: &str, number: usize, bytes: Bytes) -> Result<(), StoreError> {
        self.write_chunk(hash, number, bytes).await
    }

    async fn flip(&self, head: &SnapshotHead, expected: Expected) -> Result<Flip, StoreError> {
        self.write_heads(head, expected).await
    }

    async fn delete_head(&self, version: u64) -> Result<(), StoreError> {
        self.delete(SNAPSHOT, &head_id(version)).await
    }

    async fn delete_chunks(&self, hash: &str) -> Result<(), StoreError> {
        self.remove_chunks(hash).await
    }

    async fn status(&self) -> Result<Option<Status>, StoreError> {
        let item = self.get(STATUS, PUBLISHER, true).await?;
        item.map(|item| deserialize(item, "status/publisher")).transpose()
    }

    async fn put_status(&self, status: &Status) -> Result<(), StoreError> {
        self.put(STATUS, PUBLISHER, serialize(status)?).await
    }
}

#[derive(Deserialize)]
struct LockItem {
    holder: String,
    expires_at: Timestamp,
}
