//! The Config table in memory.

mod competition;
mod config_store;
mod config_writer;
mod snapshot_store;

use std::{collections::BTreeMap, fmt, sync::Mutex};

use bytes::Bytes;

use super::{Faults, locked};
use crate::{
    ports::{ApplyLock, StoredEntry},
    published::{SnapshotHead, Status},
};

type Hook = Box<dyn FnMut(&FakeConfigStore) + Send>;

/// All three ports of the Config table.
#[derive(Default)]
pub struct FakeConfigStore {
    /// Makes operations fail, and knows which there were.
    pub faults: Faults,
    table: Mutex<Table>,
    before_flip: Mutex<Option<Hook>>,
}

#[derive(Default)]
struct Table {
    current: Option<SnapshotHead>,
    damaged: bool,
    heads: BTreeMap<u64, SnapshotHead>,
    chunks: BTreeMap<String, BTreeMap<usize, Bytes>>,
    entries: BTreeMap<(String, String), StoredEntry>,
    lock: Option<ApplyLock>,
    status: Option<Status>,
}

impl FakeConfigStore {
    /// Puts an entry there without looking at it, as somebody at the console would; `fields` may be an error,
    /// as of a binary value.
    pub fn insert(&self, entry: StoredEntry) {
        let key = (entry.kind.clone(), entry.id.clone());
        locked(&self.table).entries.insert(key, entry);
    }

    /// Puts a head there as the current one and among the kept ones, without its chunks.
    pub fn insert_head(&self, head: SnapshotHead) {
        let mut table = locked(&self.table);
        table.heads.insert(head.version, head.clone());
        table.current = Some(head);
    }

    /// Takes the current head away; the kept ones stay.
    pub fn remove_current(&self) {
        locked(&self.table).current = None;
    }

    /// Makes the current item one that cannot be read.
    pub fn damage_current(&self) {
        locked(&self.table).damaged = true;
    }

    /// Damages a chunk, if there is one of that number.
    pub fn corrupt_chunk(&self, hash: &str, number: usize) {
        let mut table = locked(&self.table);
        if let Some(chunk) = table.chunks.get_mut(hash).and_then(|chunks| chunks.get_mut(&number)) {
            let mut bytes = chunk.to_vec();
            let middle = bytes.len() / 2;
            bytes[middle..].iter_mut().for_each(|byte| *byte ^= 0x55);
            *chunk = Bytes::from(bytes);
        }
    }

    /// Takes a chunk away.
    pub fn remove_chunk(&self, hash: &str, number: usize) {
        let mut table = locked(&self.table);
        if let Some(chunks) = table.chunks.get_mut(hash) {
            chunks.remove(&number);
        }
    }

    /// The hashes that chunks exist of.
    #[must_use]
    pub fn chunk_hashes(&self) -> Vec<String> {
        let table = locked(&self.table);
        table.chunks.iter().filter(|(_, chunks)| !chunks.is_empty()).map(|(hash, _)| hash.clone()).collect()
    }

    /// How many operations wrote, or tried to.
    #[must_use]
    pub fn writes(&self) -> usize {
        const READS: [&str; 6] = ["current", "heads", "chunks", "entries", "lock", "status"];
        self.faults.operations().iter().filter(|operation| !READS.contains(operation)).count()
    }
}

impl fmt::Debug for FakeConfigStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = locked(&self.table);
        f.debug_struct("FakeConfigStore")
            .field("current", &table.current)
            .field("entries", &table.entries.len())
            .finish_non_exhaustive()
    }
}
