//! What users write.

use bytes::Bytes;
use faregate_core::time::Timestamp;
use faregate_engine::{
    ports::{ApplyLock, ConfigWriter, Expected, Flip, StoreError, StoredEntry},
    published::Status,
};
use serde_json::{Value, json};

use super::heads::head;

pub(super) fn entry(kind: &str, id: &str, fields: Value) -> StoredEntry {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    StoredEntry { kind: kind.to_owned(), id: id.to_owned(), fields: Ok(fields) }
}

async fn put(store: &dyn ConfigWriter, entry: &StoredEntry) {
    assert_eq!(store.put_entry(entry).await, Ok(()), "{entry:?}");
}

/// Entries come back in order of kind and id, each value as it was written.
pub async fn entries_come_back_in_order_as_they_were_written(store: &dyn ConfigWriter) {
    let everything = json!({
        "text": "ü", "empty": "", "number": 7, "negative": -1, "fraction": 0.01, "largest": u64::MAX, "yes": true,
        "no": false, "nothing": null, "list": ["a", 1, [], {}], "texts": ["b", "a", "a"],
        "map": {"nested": {"deep": [null]}},
    });
    let ordered = [
        entry("backend", "a", json!({})),
        entry("route", "a", everything),
        entry("route", "b", json!({"enabled": true})),
        entry("settings", "gateway", json!({"refresh_seconds": 10})),
    ];
    for position in [2, 0, 3, 1] {
        put(store, &ordered[position]).await;
    }
    assert_eq!(store.entries().await, Ok(ordered.to_vec()));
}

/// `1.0` comes back as `1`, so that what was written can be compared with what is there.
pub async fn integral_numbers_come_back_as_integers(store: &dyn ConfigWriter) {
    put(store, &entry("settings", "gateway", json!({"errors": 1.0, "nested": [{"x": -2.0}], "sample": 0.5}))).await;
    let expected = entry("settings", "gateway", json!({"errors": 1, "nested": [{"x": -2}], "sample": 0.5}));
    assert_eq!(store.entries().await, Ok(vec![expected]));
}

/// Writing replaces the whole entry; deleting takes it away, and an absent one is no error.
pub async fn an_entry_is_replaced_whole_and_deleted(store: &dyn ConfigWriter) {
    put(store, &entry("route", "a", json!({"priority": 1, "enabled": false}))).await;
    put(store, &entry("route", "a", json!({"priority": 2}))).await;
    put(store, &entry("backend", "a", json!({}))).await;
    let expected = [entry("backend", "a", json!({})), entry("route", "a", json!({"priority": 2}))];
    assert_eq!(store.entries().await, Ok(expected.to_vec()));
    assert_eq!(store.delete_entry("route", "a").await, Ok(()));
    assert_eq!(store.delete_entry("route", "a").await, Ok(()));
    assert_eq!(store.entries().await, Ok(expected[..1].to_vec()));
}

/// Snapshots, chunks, status and lock are not among the entries; kinds that nobody knows are.
pub async fn machine_written_items_are_no_entries(store: &dyn ConfigWriter) {
    assert_eq!(store.flip(&head(1), Expected::Absent).await, Ok(Flip::Done));
    assert_eq!(store.put_chunk("aa", 0, Bytes::from_static(b"x")).await, Ok(()));
    let time = Timestamp::from_seconds(1);
    let status = Status { version: Some(1), time, refused: false, diagnostics: vec![], count: 0 };
    assert_eq!(store.put_status(&status).await, Ok(()));
    let lock = ApplyLock { holder: "me".to_owned(), expires_at: time };
    assert_eq!(store.take_lock(&lock, time).await, Ok(true));
    let unknown = [
        entry("locks", "a", json!({})),
        entry("route", "a", json!({})),
        entry("snapshots", "a", json!({})),
        entry("widget", "a", json!({})),
    ];
    for entry in &unknown {
        put(store, entry).await;
    }
    assert_eq!(store.entries().await, Ok(unknown.to_vec()));
}

/// More than DynamoDB answers at once comes back whole.
pub async fn entries_larger_than_a_page_come_back_whole(store: &dyn ConfigWriter) {
    let large = "x".repeat(50_000);
    let entries: Vec<StoredEntry> =
        (0..30).map(|number| entry("route", &format!("r{number:02}"), json!({"description": large}))).collect();
    for entry in entries.iter().rev() {
        put(store, entry).await;
    }
    let found = store.entries().await.expect("entries");
    assert!(found == entries, "{} entries of {}", found.len(), entries.len());
}

/// An entry that is no JSON, one without kind or id, and kinds that machines write are refused.
pub async fn binary_and_machine_written_entries_are_refused(store: &dyn ConfigWriter) {
    let binary = StoredEntry { fields: Err("attribute `x` is binary".to_owned()), ..entry("route", "a", json!({})) };
    let mut refused = vec![binary, entry("", "a", json!({})), entry("route", "", json!({}))];
    for kind in ["snapshot", "snapshot#aa", "status", "lock"] {
        refused.push(entry(kind, "current", json!({})));
        let deleted = store.delete_entry(kind, "current").await;
        assert!(matches!(deleted, Err(StoreError::Rejected(_) | StoreError::Invalid(_))), "{kind}: {deleted:?}");
    }
    for entry in refused {
        let written = store.put_entry(&entry).await;
        assert!(matches!(written, Err(StoreError::Rejected(_) | StoreError::Invalid(_))), "{entry:?}: {written:?}");
    }
    assert_eq!(store.entries().await, Ok(vec![]));
    assert_eq!(store.current(true).await, Ok(None));
}
