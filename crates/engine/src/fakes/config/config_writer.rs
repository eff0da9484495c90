//! What an operator may do.

use async_trait::async_trait;
use faregate_core::time::Timestamp;

use super::{FakeConfigStore, locked};
use crate::ports::{ApplyLock, ConfigWriter, StoreError, StoredEntry};

#[async_trait]
impl ConfigWriter for FakeConfigStore {
    async fn take_lock(&self, lock: &ApplyLock, now: Timestamp) -> Result<bool, StoreError> {
        self.faults.begin("take_lock").await?;
        let mut table = locked(&self.table);
        let is_foreign = |held: &&ApplyLock| held.holder != lock.holder && held.expires_at > now;
        if table.lock.as_ref().filter(is_foreign).is_some() {
            return Ok(false);
        }
        table.lock = Some(lock.clone());
        Ok(true)
    }

    async fn release_lock(&self, holder: &str) -> Result<(), StoreError> {
        self.faults.begin("release_lock").await?;
        let mut table = locked(&self.table);
        if table.lock.as_ref().is_some_and(|held| held.holder == holder) {
            table.lock = None;
        }
        Ok(())
    }

    async fn put_entry(&self, entry: &StoredEntry) -> Result<(), StoreError> {
        self.faults.begin("put_entry").await?;
        refuse_machine_written(&entry.kind)?;
        if let Err(cause) = &entry.fields {
            return Err(StoreError::Rejected(cause.clone()));
        }
        self.insert(entry.clone());
        Ok(())
    }

    async fn delete_entry(&self, kind: &str, id: &str) -> Result<(), StoreError> {
        self.faults.begin("delete_entry").await?;
        refuse_machine_written(kind)?;
        locked(&self.table).entries.remove(&(kind.to_owned(), id.to_owned()));
        Ok(())
    }
}

fn refuse_machine_written(kind: &str) -> Result<(), StoreError> {
    if kind.starts_with("snapshot#") || ["snapshot", "status", "lock"].contains(&kind) {
        return Err(StoreError::Rejected(format!("items of kind `{kind}` are not written by hand")));
    }
    Ok(())
}
