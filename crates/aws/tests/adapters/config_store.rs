//! The Config table.

use faregate_aws::DynamoConfigStore;
use faregate_core::time::Timestamp;
use faregate_engine::{
    fakes::FakeConfigStore,
    ports::{ConfigStore, ConfigWriter, Expected, Flip, SnapshotStore, StoreError, StoredEntry},
    published::{SnapshotHead, Status},
};
use faregate_testing::contract::{Subject, config};
use faregate_testing::dynamodb::EmbeddedDynamoDb;
use serde_json::{Value, json};

use crate::support::{CONFIG_TABLE, aws, dynamodb, put_item, scan};

async fn fake() -> Subject<dyn ConfigWriter> {
    Subject::new(Box::new(FakeConfigStore::default()), ())
}

async fn real() -> Subject<dyn ConfigWriter> {
    let (dynamodb, store) = table().await;
    Subject::new(Box::new(store), dynamodb)
}

mod fake_contract {
    faregate_testing::config_contract!(super::fake);
}

mod dynamodb_contract {
    faregate_testing::config_contract!(super::real);
}

async fn table() -> (EmbeddedDynamoDb, DynamoConfigStore) {
    let dynamodb = dynamodb().await;
    let store = DynamoConfigStore::new(&aws(&dynamodb.endpoint()).await, CONFIG_TABLE);
    (dynamodb, store)
}

fn head(version: u64) -> SnapshotHead {
    let published_at = Timestamp::from_millis(1_795_478_400_123);
    SnapshotHead { version, hash: "ab".repeat(32), format: 1, chunks: 2, published_at }
}

#[tokio::test]
async fn both_are_unavailable_while_they_are_down_and_lose_nothing() {
    let fake = FakeConfigStore::default();
    assert_eq!(fake.flip(&head(1), Expected::Absent).await, Ok(Flip::Done));
    fake.faults.set_down(true);
    config::a_store_that_is_down_is_unavailable(&fake).await;
    fake.faults.set_down(false);
    assert_eq!(fake.current(true).await, Ok(Some(head(1))));

    let (mut dynamodb, store) = table().await;
    assert_eq!(store.flip(&head(1), Expected::Absent).await, Ok(Flip::Done));
    dynamodb.stop().await;
    config::a_store_that_is_down_is_unavailable(&store).await;
    dynamodb.restart().await.expect("the same port");
    assert_eq!(store.current(true).await, Ok(Some(head(1))));
}

#[tokio::test]
async fn both_reject_questions_about_an_absent_table() {
    let fake = FakeConfigStore::default();
    fake.faults.set_failing(Some(StoreError::Rejected("no such table".to_owned())));
    config::an_absent_table_is_rejected(&fake).await;

    let (dynamodb, _) = table().await;
    let absent = DynamoConfigStore::new(&aws(&dynamodb.endpoint()).await, "absent");
    config::an_absent_table_is_rejected(&absent).await;
    let Err(StoreError::Rejected(text)) = absent.current(true).await else { panic!("a rejection") };
    assert!(text.starts_with("ResourceNotFoundException: "), "{text}");
}

#[tokio::test]
async fn machine_written_items_stand_where_the_design_says() {
    let (dynamodb, store) = table().await;
    assert_eq!(store.flip(&head(7), Expected::Absent).await, Ok(Flip::Done));
    store.put_chunk("cd", 3, (&b"abc"[..]).into()).await.expect("a chunk");
    let time = Timestamp::from_millis(5);
    let status = Status { version: Some(7), time, refused: false, diagnostics: vec![], count: 0 };
    store.put_status(&status).await.expect("a status");
    let attributes = |kind: &str, id: &str| {
        json!({
            "kind": {"S": kind}, "id": {"S": id}, "version": {"N": "7"}, "hash": {"S": "ab".repeat(32)},
            "format": {"N": "1"}, "chunks": {"N": "2"}, "published_at": {"N": "1795478400123"},
        })
    };
    let expected = [
        attributes("snapshot", "000000000007"),
        attributes("snapshot", "current"),
        json!({"kind": {"S": "snapshot#cd"}, "id": {"S": "0003"}, "data": {"B": "YWJj"}}),
        json!({
            "kind": {"S": "status"}, "id": {"S": "publisher"}, "version": {"N": "7"}, "time": {"N": "5"},
            "refused": {"BOOL": false}, "diagnostics": {"L": []}, "count": {"N": "0"},
        }),
    ];
    let mut items = scan(&dynamodb, CONFIG_TABLE).await;
    items.sort_by_key(|item| (item["kind"]["S"].to_string(), item["id"]["S"].to_string()));
    assert_eq!(items, expected);
}

/// One route with one more attribute, as the console writes it.
async fn entry_with(attribute: Value) -> StoredEntry {
    let (dynamodb, store) = table().await;
    let item = json!({"kind": {"S": "route"}, "id": {"S": "a"}, "x": attribute});
    put_item(&dynamodb, CONFIG_TABLE, item).await;
    let mut entries = store.entries().await.expect("entries");
    assert_eq!(entries.len(), 1);
    entries.remove(0)
}

#[tokio::test]
async fn sets_from_the_console_are_lists() {
    for (attribute, expected) in [
        (json!({"SS": ["GET", "PUT"]}), json!(["GET", "PUT"])),
        (json!({"NS": ["1", "2"]}), json!([1, 2])),
        (json!({"N": "1e2"}), json!(100)),
        (json!({"N": "1.0"}), json!(1)),
    ] {
        let mut fields = entry_with(attribute.clone()).await.fields.expect("fields");
        if let Value::Array(items) = &mut fields["x"] {
            items.sort_by_key(ToString::to_string);
        }
        assert_eq!(fields["x"], expected, "{attribute}");
        assert_eq!(fields.len(), 1, "kind and id are no fields");
    }
}

#[tokio::test]
async fn binary_values_from_the_console_are_refused_by_name() {
    for attribute in [json!({"B": "YWJj"}), json!({"BS": ["YWJj"]}), json!({"L": [{"M": {"y": {"B": "YWJj"}}}]})] {
        let entry = entry_with(attribute.clone()).await;
        assert_eq!((entry.kind.as_str(), entry.id.as_str()), ("route", "a"));
        let cause = entry.fields.expect_err("a refusal");
        assert!(cause.starts_with("attribute `x` is binary"), "{attribute}: {cause}");
    }
}

#[tokio::test]
async fn a_damaged_current_is_malformed_and_the_kept_heads_are_still_found() {
    let (dynamodb, store) = table().await;
    assert_eq!(store.flip(&head(1), Expected::Absent).await, Ok(Flip::Done));
    assert_eq!(store.flip(&head(2), Expected::Version(1)).await, Ok(Flip::Done));
    for id in ["current", "000000000003", "00000000000x", "4"] {
        let damaged = json!({"kind": {"S": "snapshot"}, "id": {"S": id}, "version": {"S": "many"}});
        put_item(&dynamodb, CONFIG_TABLE, damaged).await;
    }
    let current = store.current(true).await;
    assert!(
        matches!(&current, Err(StoreError::Malformed(text)) if text.starts_with("snapshot/current")),
        "{current:?}"
    );
    assert_eq!(store.heads().await, Ok(vec![head(2), head(1)]));
    for expected in [Expected::Absent, Expected::Version(2)] {
        assert_eq!(store.flip(&head(9), expected).await, Ok(Flip::Conflict), "{expected:?}");
    }
    assert_eq!(store.flip(&head(9), Expected::Unreadable).await, Ok(Flip::Done));
    assert_eq!(store.current(true).await, Ok(Some(head(9))));
}

#[tokio::test]
async fn an_item_among_the_chunks_that_is_none_is_left_out() {
    let (dynamodb, store) = table().await;
    store.put_chunk("cd", 1, (&b"abc"[..]).into()).await.expect("a chunk");
    let damaged = json!({"kind": {"S": "snapshot#cd"}, "id": {"S": "0000"}, "data": {"S": "text"}});
    put_item(&dynamodb, CONFIG_TABLE, damaged).await;
    assert_eq!(store.chunks("cd").await, Ok(vec![(&b"abc"[..]).into()]));
    assert_eq!(store.delete_chunks("cd").await, Ok(()));
    assert_eq!(scan(&dynamodb, CONFIG_TABLE).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_lock_without_an_expiry_can_be_taken() {
    let (dynamodb, store) = table().await;
    put_item(&dynamodb, CONFIG_TABLE, json!({"kind": {"S": "lock"}, "id": {"S": "apply"}, "holder": {"S": "x"}})).await;
    assert!(matches!(store.lock().await, Err(StoreError::Malformed(_))));
    let now = Timestamp::from_seconds(1);
    let lock = faregate_engine::ports::ApplyLock { holder: "me".to_owned(), expires_at: now };
    assert_eq!(store.take_lock(&lock, now).await, Ok(true));
    assert_eq!(store.lock().await, Ok(Some(lock)));
}
