//! Snapshots whose reads are counted as DynamoDB charges for them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use faregate_engine::{
    fakes::FakeConfigStore,
    ports::{SnapshotStore, StoreError},
    published::SnapshotHead,
};

/// Bytes that half a read unit reads.
const HALF_READ_BYTES: usize = 4096;
/// What an item has beside a chunk's data, at most.
const ITEM_BYTES: usize = 200;

/// The snapshots of a fleet, and halves of read units that they took.
#[derive(Debug, Default)]
pub(crate) struct CountedSnapshots {
    pub(crate) inner: Arc<FakeConfigStore>,
    half_reads: AtomicU64,
}

impl CountedSnapshots {
    pub(crate) fn half_reads(&self) -> u64 {
        self.half_reads.load(Ordering::Relaxed)
    }

    /// A consistent read, which takes a whole unit where another takes half of one.
    fn consistent(&self, bytes: usize) {
        self.half_reads.fetch_add(2 * bytes.div_ceil(HALF_READ_BYTES).max(1) as u64, Ordering::Relaxed);
    }
}

#[async_trait]
impl SnapshotStore for CountedSnapshots {
    async fn current(&self, consistent: bool) -> Result<Option<SnapshotHead>, StoreError> {
        self.half_reads.fetch_add(if consistent { 2 } else { 1 }, Ordering::Relaxed);
        self.inner.current(consistent).await
    }

    async fn heads(&self) -> Result<Vec<SnapshotHead>, StoreError> {
        let heads = self.inner.heads().await?;
        self.consistent(heads.len() * ITEM_BYTES);
        Ok(heads)
    }

    async fn chunks(&self, hash: &str) -> Result<Vec<Bytes>, StoreError> {
        let chunks = self.inner.chunks(hash).await?;
        self.consistent(chunks.iter().map(|chunk| chunk.len() + ITEM_BYTES).sum());
        Ok(chunks)
    }
}
