//! What the gateway may do.

use async_trait::async_trait;
use bytes::Bytes;

use super::{FakeConfigStore, locked};
use crate::{
    ports::{SnapshotStore, StoreError},
    published::SnapshotHead,
};

#[async_trait]
impl SnapshotStore for FakeConfigStore {
    async fn current(&self, _consistent: bool) -> Result<Option<SnapshotHead>, StoreError> {
        self.faults.begin("current").await?;
        let table = locked(&self.table);
        if table.damaged {
            Err(StoreError::Malformed("snapshot/current".to_owned()))
        } else {
            Ok(table.current.clone())
        }
    }

    async fn heads(&self) -> Result<Vec<SnapshotHead>, StoreError> {
        self.faults.begin("heads").await?;
        Ok(locked(&self.table).heads.values().rev().cloned().collect())
    }

    async fn chunks(&self, hash: &str) -> Result<Vec<Bytes>, StoreError> {
        self.faults.begin("chunks").await?;
        let table = locked(&self.table);
        Ok(table.chunks.get(hash).map(|chunks| chunks.values().cloned().collect()).unwrap_or_default())
    }
}
