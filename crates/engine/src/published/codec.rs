//! A document as chunks of an item's size.

use std::io::Read;

use bytes::Bytes;
use faregate_core::document::RawDocument;
use sha2::{Digest, Sha256};

use super::SnapshotHead;

/// How the content is written: 1 is the JSON of the document, zstd over all of it, cut into chunks.
///
/// While functions are deployed a gateway may meet the next format, and the one before: it will have to read both. A
/// document that has fields which an older build does not know is of the same format: that build refuses it and goes on
/// with the version before, as with any snapshot that does not load.
pub const FORMAT: u32 = 1;
/// Largest chunk in bytes.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// Largest content in bytes: what unpacks to more is refused unread.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;

const COMPRESSION_LEVEL: i32 = 10;

/// A document, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Lower-case hex SHA-256 of the content.
    pub hash: String,
    /// The compressed content, cut.
    pub chunks: Vec<Bytes>,
}

/// Why chunks are no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorruptSnapshot {
    /// A format that this build does not read.
    #[error("the snapshot has format {0}, which this build does not read")]
    Format(u32),
    /// Chunks are missing, or there are too many.
    #[error("the snapshot has {found} of {expected} chunks")]
    Chunks {
        /// How many the head names.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The chunks do not decompress within the bound.
    #[error("the snapshot cannot be decompressed: {0}")]
    Compression(String),
    /// The content is another than its hash says.
    #[error("the snapshot's content does not have its hash")]
    Hash,
    /// The content is no document.
    #[error("the snapshot's content is no document: {0}")]
    Content(String),
}

/// Packs a document. The same document gives the same hash.
///
/// # Errors
///
/// [`CorruptSnapshot`] for a document over [`DOCUMENT_BYTES_MAX`].
pub fn pack(document: &RawDocument) -> Result<Packed, CorruptSnapshot> {
    let content = serde_json::to_vec(document).map_err(|error| CorruptSnapshot::Content(error.to_string()))?;
    if content.len() > DOCUMENT_BYTES_MAX {
        return Err(CorruptSnapshot::Content(format!("{} bytes are too many", content.len())));
    }
    let compressed = zstd::bulk::compress(&content, COMPRESSION_LEVEL)
        .map_err(|error| CorruptSnapshot::Compression(error.to_string()))?;
    let compressed = Bytes::from(compressed);
    let chunks = (0..compressed.len())
        .step_by(CHUNK_BYTES_MAX)
        .map(|start| compressed.slice(start..compressed.len().min(start + CHUNK_BYTES_MAX)))
        .collect();
    Ok(Packed { hash: hash_of(&content), chunks })
}

/// Puts the content together again: JSON that has the hash of the head.
///
/// # Errors
///
/// [`CorruptSnapshot`] for anything but what was packed.
pub fn unpack(head: &SnapshotHead, chunks: &[Bytes]) -> Result<Vec<u8>, CorruptSnapshot> {
    if head.format != FORMAT {
        return Err(CorruptSnapshot::Format(head.format));
    }
    if head.chunks != chunks.len() {
        return Err(CorruptSnapshot::Chunks { expected: head.chunks, found: chunks.len() });
    }
    let compressed = chunks.concat();
    let corrupt = |error: std::io::Error| CorruptSnapshot::Compression(error.to_string());
    let decoder = zstd::stream::read::Decoder::with_buffer(compressed.as_slice()).map_err(corrupt)?;
    let mut content = Vec::new();
    decoder.take(DOCUMENT_BYTES_MAX as u64 + 1).read_to_end(&mut content).map_err(corrupt)?;
    if content.len() > DOCUMENT_BYTES_MAX {
        return Err(CorruptSnapshot::Compression(format!("it unpacks to more than {DOCUMENT_BYTES_MAX} bytes")));
    }
    if hash_of(&content) == head.hash { Ok(content) } else { Err(CorruptSnapshot::Hash) }
}

fn hash_of(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use faregate_core::{
        document::{Entry, Kind, RawDocument},
        time::Timestamp,
    };
    use serde_json::json;

    use super::{CHUNK_BYTES_MAX, CorruptSnapshot, DOCUMENT_BYTES_MAX, FORMAT, SnapshotHead, hash_of, pack, unpack};

    /// A document whose content does not compress well, so that it takes several chunks.
    fn large() -> RawDocument {
        let entry = |number: u32| {
            let noise = hash_of(&number.to_be_bytes()).repeat(2);
            let mut fields = serde_json::Map::new();
            fields.insert("description".to_owned(), json!(noise));
            Entry { kind: Kind::Route, id: format!("r{number}"), fields }
        };
        RawDocument::from_entries(&(0..5000).map(entry).collect::<Vec<_>>())
    }

    fn head(hash: &str, chunks: usize) -> SnapshotHead {
        SnapshotHead { version: 1, hash: hash.to_owned(), format: FORMAT, chunks, published_at: Timestamp::default() }
    }

    #[test]
    fn what_was_packed_comes_out_again() {
        let packed = pack(&large()).expect("chunks");
        assert!(packed.chunks.len() > 2);
        assert!(packed.chunks.iter().all(|chunk| chunk.len() <= CHUNK_BYTES_MAX));
        let content = unpack(&head(&packed.hash, packed.chunks.len()), &packed.chunks).expect("content");
        assert_eq!(serde_json::from_slice::<RawDocument>(&content).expect("a document"), large());
    }

    #[test]
    fn anything_else_is_corrupt() {
        let packed = pack(&large()).expect("chunks");
        let head = head(&packed.hash, packed.chunks.len());
        let mut lost = packed.chunks.clone();
        lost.pop();
        assert!(matches!(unpack(&head, &lost), Err(CorruptSnapshot::Chunks { .. })));
        let mut flipped = packed.chunks.clone();
        let mut bytes = flipped[1].to_vec();
        bytes[100] ^= 1;
        flipped[1] = Bytes::from(bytes);
        assert!(unpack(&head, &flipped).is_err());
        let other = SnapshotHead { hash: hash_of(b"other"), ..head.clone() };
        assert_eq!(unpack(&other, &packed.chunks), Err(CorruptSnapshot::Hash));
        let newer = SnapshotHead { format: FORMAT + 1, ..head };
        assert_eq!(unpack(&newer, &packed.chunks), Err(CorruptSnapshot::Format(FORMAT + 1)));
    }

    #[test]
    fn a_bomb_is_refused_unread() {
        let bomb = zstd::bulk::compress(&vec![b' '; DOCUMENT_BYTES_MAX + 1], 19).expect("a bomb");
        assert!(bomb.len() < CHUNK_BYTES_MAX);
        let unpacked = unpack(&head("00", 1), &[Bytes::from(bomb)]);
        assert!(matches!(unpacked, Err(CorruptSnapshot::Compression(_))));
    }
}
