//! What is published: versions of the snapshot as they stand in the Config table.

mod codec;

pub use codec::{CHUNK_BYTES_MAX, CorruptSnapshot, DOCUMENT_BYTES_MAX, FORMAT, Packed, pack, unpack};

use faregate_core::{diagnostic::Diagnostic, time::Timestamp};
use serde::{Deserialize, Serialize};

/// How many diagnostics the status item holds.
pub const DIAGNOSTICS_KEPT: usize = 100;

/// What a version of the snapshot is: items `snapshot` / `current` and `snapshot` / `<version>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotHead {
    /// Only ever rises.
    pub version: u64,
    /// Lower-case hex SHA-256 of the content, before compression.
    pub hash: String,
    /// How the content is written; see [`FORMAT`].
    pub format: u32,
    /// How many chunks there are under the hash.
    pub chunks: usize,
    /// When it was published, in milliseconds since 1970.
    pub published_at: Timestamp,
}

impl SnapshotHead {
    /// Whether it is the same content under the same version.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.version == other.version && self.hash == other.hash
    }
}

/// What the publisher last found: item `status` / `publisher`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The version that serves.
    pub version: Option<u64>,
    /// When the publisher looked, in milliseconds since 1970.
    pub time: Timestamp,
    /// Whether the configuration in the table is refused.
    pub refused: bool,
    /// The first [`DIAGNOSTICS_KEPT`] findings.
    pub diagnostics: Vec<Diagnostic>,
    /// How many findings there are in all.
    pub count: usize,
}
