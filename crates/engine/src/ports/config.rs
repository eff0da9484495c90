//! The Config table, by what each part may do with it.

use async_trait::async_trait;
use bytes::Bytes;
use faregate_core::time::Timestamp;
use serde_json::{Map, Value};

use super::StoreError;
use crate::published::{SnapshotHead, Status};

/// Reads published snapshots; what the gateway may do.
#[async_trait]
pub trait SnapshotStore: Send + Sync {
    /// The head that serves: item `snapshot` / `current`.
    async fn current(&self, consistent: bool) -> Result<Option<SnapshotHead>, StoreError>;
    /// The heads of the kept versions, newest first.
    async fn heads(&self) -> Result<Vec<SnapshotHead>, StoreError>;
    /// The chunks that exist of `snapshot#<hash>`, in order of their number.
    async fn chunks(&self, hash: &str) -> Result<Vec<Bytes>, StoreError>;
}

/// Reads the configuration and writes snapshots; what the publisher may do.
#[async_trait]
pub trait ConfigStore: SnapshotStore {
    /// Every item of the kinds that users write, read consistently and in order of kind and id.
    async fn entries(&self) -> Result<Vec<StoredEntry>, StoreError>;
    /// The lock of a running `faregate apply`, expired or not.
    async fn lock(&self) -> Result<Option<ApplyLock>, StoreError>;
    /// Writes one chunk of `snapshot#<hash>`.
    async fn put_chunk(&self, hash: &str, number: usize, bytes: Bytes) -> Result<(), StoreError>;
    /// Makes `head` the current one if the current item still is as `expected`, and writes item `snapshot` /
    /// `<version, 12 digits>` in the same transaction, so that two publishers at once cannot leave one's version
    /// beside the other's content.
    async fn flip(&self, head: &SnapshotHead, expected: Expected) -> Result<Flip, StoreError>;
    /// Deletes the head of one version; nothing happens where there is none.
    async fn delete_head(&self, version: u64) -> Result<(), StoreError>;
    /// Deletes all chunks of `snapshot#<hash>`.
    async fn delete_chunks(&self, hash: &str) -> Result<(), StoreError>;
    /// The publisher's status item.
    async fn status(&self) -> Result<Option<Status>, StoreError>;
    /// Replaces the publisher's status item.
    async fn put_status(&self, status: &Status) -> Result<(), StoreError>;
}

/// Writes the configuration itself; what an operator may do.
#[async_trait]
pub trait ConfigWriter: ConfigStore {
    /// Takes the lock unless another holder's has not expired at `now`; `false` when it has not.
    async fn take_lock(&self, lock: &ApplyLock, now: Timestamp) -> Result<bool, StoreError>;
    /// Gives the lock back if `holder` holds it.
    async fn release_lock(&self, holder: &str) -> Result<(), StoreError>;
    /// Writes one entry: its fields plus `kind` and `id`.
    async fn put_entry(&self, entry: &StoredEntry) -> Result<(), StoreError>;
    /// Deletes one entry.
    async fn delete_entry(&self, kind: &str, id: &str) -> Result<(), StoreError>;
}

/// One item as it is stored, unchecked.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEntry {
    /// The item's `kind`.
    pub kind: String,
    /// The item's `id`.
    pub id: String,
    /// The other attributes, or why they are no JSON (binary values).
    pub fields: Result<Map<String, Value>, String>,
}

/// The item `lock` / `apply`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyLock {
    /// A random name of the process that holds it.
    pub holder: String,
    /// When it no longer counts.
    pub expires_at: Timestamp,
}

/// What [`ConfigStore::flip`] found as the current item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// None.
    Absent,
    /// That of this version.
    Version(u64),
    /// One that cannot be read, which is replaced whatever it is, unless the version has been written already: so of
    /// two publishers who replace it at once, one is done.
    Unreadable,
}

/// What became of a [`ConfigStore::flip`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flip {
    /// The head is current now.
    Done,
    /// Somebody else was faster; nothing was written.
    Conflict,
}
