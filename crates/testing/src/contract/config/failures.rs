//! How operations fail.

use bytes::Bytes;
use faregate_core::time::Timestamp;
use faregate_engine::{
    ports::{ApplyLock, ConfigWriter, Expected, StoreError},
    published::Status,
};
use serde_json::json;

use super::{entries::entry, heads::head};

/// Every operation of a store that cannot be reached fails with [`StoreError::Unavailable`].
pub async fn a_store_that_is_down_is_unavailable(store: &dyn ConfigWriter) {
    for (operation, failure) in failures(store).await {
        assert!(matches!(failure, Some(StoreError::Unavailable(_))), "{operation}: {failure:?}");
    }
}

/// Every operation on a table that does not exist fails with [`StoreError::Rejected`].
pub async fn an_absent_table_is_rejected(store: &dyn ConfigWriter) {
    for (operation, failure) in failures(store).await {
        assert!(matches!(failure, Some(StoreError::Rejected(_))), "{operation}: {failure:?}");
    }
}

/// What each operation fails with.
async fn failures(store: &dyn ConfigWriter) -> [(&'static str, Option<StoreError>); 15] {
    let time = Timestamp::from_seconds(1);
    let lock = ApplyLock { holder: "me".to_owned(), expires_at: time };
    let status = Status { version: None, time, refused: false, diagnostics: vec![], count: 0 };
    [
        ("current", store.current(false).await.err()),
        ("current, consistent", store.current(true).await.err()),
        ("heads", store.heads().await.err()),
        ("chunks", store.chunks("aa").await.err()),
        ("entries", store.entries().await.err()),
        ("lock", store.lock().await.err()),
        ("put_chunk", store.put_chunk("aa", 0, Bytes::from_static(b"x")).await.err()),
        ("flip", store.flip(&head(1), Expected::Absent).await.err()),
        ("delete_head", store.delete_head(1).await.err()),
        ("delete_chunks", store.delete_chunks("aa").await.err()),
        ("status", store.status().await.err()),
        ("put_status", store.put_status(&status).await.err()),
        ("take_lock", store.take_lock(&lock, time).await.err()),
        ("put_entry", store.put_entry(&entry("route", "a", json!({}))).await.err()),
        ("delete_entry", store.delete_entry("route", "a").await.err()),
    ]
}
