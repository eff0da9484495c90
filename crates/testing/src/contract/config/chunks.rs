//! Chunks of snapshots.

use bytes::Bytes;
use faregate_engine::{ports::ConfigWriter, published::CHUNK_BYTES_MAX};

async fn put(store: &dyn ConfigWriter, hash: &str, number: usize, bytes: Bytes) {
    assert_eq!(store.put_chunk(hash, number, bytes).await, Ok(()), "{hash}/{number}");
}

fn chunk(number: usize) -> Bytes {
    Bytes::from(vec![u8::try_from(number).expect("a small number"), 0, 0xff])
}

/// Chunks come in order of their number, whatever the order they were written in, also beyond ten; writing
/// one again replaces it.
pub async fn chunks_come_in_order_of_their_number(store: &dyn ConfigWriter) {
    for number in [11, 2, 0, 7, 10, 1, 9, 3, 5, 8, 4, 6] {
        put(store, "aa", number, chunk(number)).await;
    }
    let mut expected: Vec<Bytes> = (0..12).map(chunk).collect();
    assert_eq!(store.chunks("aa").await, Ok(expected.clone()));
    put(store, "aa", 3, chunk(99)).await;
    expected[3] = chunk(99);
    assert_eq!(store.chunks("aa").await, Ok(expected));
    assert_eq!(store.chunks("a").await, Ok(vec![]));
}

/// More than DynamoDB answers at once comes back whole.
pub async fn chunks_larger_than_a_page_come_back_whole(store: &dyn ConfigWriter) {
    let chunks: Vec<Bytes> = (0..20u8).map(|number| Bytes::from(vec![number; CHUNK_BYTES_MAX])).collect();
    for (number, chunk) in chunks.iter().enumerate() {
        put(store, "aa", number, chunk.clone()).await;
    }
    let found = store.chunks("aa").await.expect("chunks");
    assert!(found == chunks, "{} chunks of {}", found.len(), chunks.len());
    assert_eq!(store.delete_chunks("aa").await, Ok(()));
    assert_eq!(store.chunks("aa").await, Ok(vec![]));
}

/// `delete_chunks` deletes all chunks of one hash and no other; none is no error.
pub async fn deleting_chunks_leaves_those_of_other_hashes(store: &dyn ConfigWriter) {
    for (hash, number) in [("aa", 0), ("aa", 1), ("aab", 0), ("bb", 0)] {
        put(store, hash, number, chunk(number)).await;
    }
    assert_eq!(store.delete_chunks("aa").await, Ok(()));
    assert_eq!(store.delete_chunks("aa").await, Ok(()));
    assert_eq!(store.chunks("aa").await, Ok(vec![]));
    assert_eq!(store.chunks("aab").await, Ok(vec![chunk(0)]));
    assert_eq!(store.chunks("bb").await, Ok(vec![chunk(0)]));
}
