//! What the publisher may do.

use async_trait::async_trait;
use bytes::Bytes;

use super::{FakeConfigStore, locked};
use crate::{
    ports::{ApplyLock, ConfigStore, Expected, Flip, StoreError, StoredEntry},
    published::{SnapshotHead, Status},
};

#[async_trait]
impl ConfigStore for FakeConfigStore {
    async fn entries(&self) -> Result<Vec<StoredEntry>, StoreError> {
        self.faults.begin("entries").await?;
        Ok(locked(&self.table).entries.values().cloned().collect())
    }

    async fn lock(&self) -> Result<Option<ApplyLock>, StoreError> {
        self.faults.begin("lock").await?;
        Ok(locked(&self.table).lock.clone())
    }

    async fn put_chunk(&self, hash: &str, number: usize, bytes: Bytes) -> Result<(), StoreError> {
        self.faults.begin("put_chunk").await?;
        locked(&self.table).chunks.entry(hash.to_owned()).or_default().insert(number, bytes);
        Ok(())
    }

    async fn flip(&self, head: &SnapshotHead, expected: Expected) -> Result<Flip, StoreError> {
        self.compete();
        self.faults.begin("flip").await?;
        let mut table = locked(&self.table);
        let as_expected = match (expected, &table.current) {
            (Expected::Absent, current) => current.is_none() && !table.damaged,
            (Expected::Version(version), Some(current)) => current.version == version && !table.damaged,
            (Expected::Version(_), None) => false,
            (Expected::Unreadable, _) => !table.heads.contains_key(&head.version),
        };
        if !as_expected {
            return Ok(Flip::Conflict);
        }
        table.damaged = false;
        table.heads.insert(head.version, head.clone());
        table.current = Some(head.clone());
        Ok(Flip::Done)
    }

    async fn delete_head(&self, version: u64) -> Result<(), StoreError> {
        self.faults.begin("delete_head").await?;
        locked(&self.table).heads.remove(&version);
        Ok(())
    }

    async fn delete_chunks(&self, hash: &str) -> Result<(), StoreError> {
        self.faults.begin("delete_chunks").await?;
        locked(&self.table).chunks.remove(hash);
        Ok(())
    }

    async fn status(&self) -> Result<Option<Status>, StoreError> {
        self.faults.begin("status").await?;
        Ok(locked(&self.table).status.clone())
    }

    async fn put_status(&self, status: &Status) -> Result<(), StoreError> {
        self.faults.begin("put_status").await?;
        locked(&self.table).status = Some(status.clone());
        Ok(())
    }
}
