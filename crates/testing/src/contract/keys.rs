//! `KeyStore` and `KeyAdmin`.

use faregate_core::api_key::KeyHash;
use faregate_engine::ports::{KeyAdmin, StoreError};
use futures_util::future::join_all;
use serde_json::{Map, Value, json};

/// Makes a test of each promise of the Keys table's ports.
///
/// The argument is an async function that yields a [`Subject`](super::Subject) of `dyn KeyAdmin`; with
/// `on` and the type of a server it gets that and a check's name, and there is one function `all` for all promises.
#[macro_export]
macro_rules! keys_contract {
    ($start:path) => {
        $crate::contract_tests!(keys, $start; an_update_keeps_the_type_of_an_index_key);
        $crate::keys_contract!(@everywhere $start);
    };
    // DynamoDB Local lets an update write an index key of another type, which DynamoDB refuses.
    ($start:path, on $server:ty) => {
        $crate::keys_contract!(@everywhere $start, on $server);
    };
    (@everywhere $start:path $(, on $server:ty)?) => {
        $crate::contract_tests!(
            keys,
            $start $(, on $server)?;
            a_deleted_key_is_gone,
            a_key_comes_back_as_it_was_created,
            a_key_is_created_once,
            a_key_needs_a_hash_and_an_index_key_of_its_type,
            an_update_replaces_and_removes_attributes,
            an_update_creates_nothing,
            keys_are_listed_by_consumer,
            more_keys_than_a_page_are_listed,
            of_twenty_creations_at_once_one_wins,
        );
    };
}

fn hash(key: &str) -> KeyHash {
    KeyHash::of(key.as_bytes())
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("an object") };
    map
}

/// An item with these attributes and the hash of `key`.
fn item(key: &str, attributes: Value) -> Map<String, Value> {
    let mut item = object(attributes);
    item.insert("key_hash".to_owned(), json!(hash(key).as_str()));
    item
}

async fn create(store: &dyn KeyAdmin, item: &Map<String, Value>) {
    assert_eq!(store.create(item.clone()).await, Ok(true), "{item:?}");
}

fn is_rejected<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Rejected(_) | StoreError::Invalid(_)))
}

/// `get` yields the item's attributes as they were written, and nothing for another hash.
pub async fn a_key_comes_back_as_it_was_created(store: &dyn KeyAdmin) {
    let item = item(
        "a",
        json!({
            "consumer": "acme", "plan": "gold", "enabled": true, "expires_at": 1_795_478_400u64, "routes": [],
            "scopes": ["orders.read"], "name": "", "metadata": {"x": {"y": [1, null]}},
        }),
    );
    create(store, &item).await;
    assert_eq!(store.get(&hash("a")).await, Ok(Some(item)));
    assert_eq!(store.get(&hash("b")).await, Ok(None));
}

/// A second item of the same hash is not written.
pub async fn a_key_is_created_once(store: &dyn KeyAdmin) {
    let first = item("a", json!({"consumer": "acme"}));
    create(store, &first).await;
    assert_eq!(store.create(item("a", json!({"consumer": "other"}))).await, Ok(false));
    assert_eq!(store.create(first.clone()).await, Ok(false));
    assert_eq!(store.get(&hash("a")).await, Ok(Some(first)));
}

/// Of creations at the same time exactly one is made.
pub async fn of_twenty_creations_at_once_one_wins(store: &dyn KeyAdmin) {
    let items: Vec<Map<String, Value>> =
        (0..20).map(|rival| item("a", json!({"consumer": format!("c{rival}")}))).collect();
    let outcomes = join_all(items.iter().map(|item| store.create(item.clone()))).await;
    let winner = outcomes.iter().position(|outcome| *outcome == Ok(true)).expect("a winner");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Ok(false)).count(), 19, "{outcomes:?}");
    assert_eq!(store.get(&hash("a")).await, Ok(Some(items[winner].clone())));
}

/// What the table's keys cannot hold is refused.
pub async fn a_key_needs_a_hash_and_an_index_key_of_its_type(store: &dyn KeyAdmin) {
    for refused in [
        object(json!({"consumer": "acme"})),
        object(json!({"key_hash": "", "consumer": "acme"})),
        object(json!({"key_hash": 7, "consumer": "acme"})),
        item("a", json!({"consumer": 7})),
        item("a", json!({"consumer": ""})),
    ] {
        let created = store.create(refused.clone()).await;
        assert!(is_rejected(&created), "{refused:?}: {created:?}");
    }
    assert_eq!(store.list(None).await, Ok(vec![]));
}

/// `update` replaces the attributes it names, removes those that are null, and leaves the others.
pub async fn an_update_replaces_and_removes_attributes(store: &dyn KeyAdmin) {
    create(store, &item("a", json!({"consumer": "acme", "plan": "gold", "name": "x", "routes": ["r"]}))).await;
    let changes = json!({"plan": "free", "name": null, "enabled": false, "scopes": null, "routes": []});
    assert_eq!(store.update(&hash("a"), object(changes)).await, Ok(true));
    let expected = item("a", json!({"consumer": "acme", "plan": "free", "enabled": false, "routes": []}));
    assert_eq!(store.get(&hash("a")).await, Ok(Some(expected.clone())));
    assert_eq!(store.update(&hash("a"), Map::new()).await, Ok(true));
    let updated = store.update(&hash("a"), object(json!({"key_hash": "00"}))).await;
    assert!(is_rejected(&updated), "{updated:?}");
    assert_eq!(store.get(&hash("a")).await, Ok(Some(expected)));
}

/// `update` writes nothing that the index could not hold.
pub async fn an_update_keeps_the_type_of_an_index_key(store: &dyn KeyAdmin) {
    let acme = item("a", json!({"consumer": "acme"}));
    create(store, &acme).await;
    let updated = store.update(&hash("a"), object(json!({"consumer": 7, "plan": "gold"}))).await;
    assert!(is_rejected(&updated), "{updated:?}");
    assert_eq!(store.get(&hash("a")).await, Ok(Some(acme)));
}

/// `update` of an absent item says so and writes nothing.
pub async fn an_update_creates_nothing(store: &dyn KeyAdmin) {
    assert_eq!(store.update(&hash("a"), object(json!({"consumer": "acme"}))).await, Ok(false));
    assert_eq!(store.update(&hash("a"), object(json!({"plan": null}))).await, Ok(false));
    assert_eq!(store.update(&hash("a"), Map::new()).await, Ok(false));
    assert_eq!(store.list(None).await, Ok(vec![]));
}

/// `delete` says whether there was an item.
pub async fn a_deleted_key_is_gone(store: &dyn KeyAdmin) {
    create(store, &item("a", json!({"consumer": "acme"}))).await;
    assert_eq!(store.delete(&hash("a")).await, Ok(true));
    assert_eq!(store.delete(&hash("a")).await, Ok(false));
    assert_eq!(store.get(&hash("a")).await, Ok(None));
    assert_eq!(store.list(Some("acme")).await, Ok(vec![]));
}

/// The hashes that `list` yields, sorted.
async fn listed(store: &dyn KeyAdmin, consumer: Option<&str>) -> Vec<String> {
    let items = store.list(consumer).await.expect("items");
    let mut hashes: Vec<String> =
        items.iter().map(|item| item["key_hash"].as_str().expect("a hash").to_owned()).collect();
    hashes.sort();
    hashes
}

fn hashes(keys: &[&str]) -> Vec<String> {
    let mut hashes: Vec<String> = keys.iter().map(|key| hash(key).as_str().to_owned()).collect();
    hashes.sort();
    hashes
}

/// `list` yields the items of one consumer, whole, or all, those without a consumer included.
pub async fn keys_are_listed_by_consumer(store: &dyn KeyAdmin) {
    let named = item("a", json!({"consumer": "acme", "name": "x", "metadata": {"y": 1}}));
    create(store, &named).await;
    create(store, &item("b", json!({"consumer": "acme"}))).await;
    create(store, &item("c", json!({"consumer": "acme2"}))).await;
    create(store, &item("d", json!({"name": "nobody's"}))).await;
    assert_eq!(listed(store, Some("acme")).await, hashes(&["a", "b"]));
    assert_eq!(listed(store, Some("nobody")).await, hashes(&[]));
    assert_eq!(listed(store, None).await, hashes(&["a", "b", "c", "d"]));
    assert!(store.list(Some("acme")).await.expect("items").contains(&named));
    assert_eq!(store.update(&hash("b"), object(json!({"consumer": "acme2"}))).await, Ok(true));
    assert_eq!(listed(store, Some("acme")).await, hashes(&["a"]));
    assert_eq!(listed(store, Some("acme2")).await, hashes(&["b", "c"]));
}

/// More than DynamoDB answers at once is listed, both ways.
pub async fn more_keys_than_a_page_are_listed(store: &dyn KeyAdmin) {
    let large = "x".repeat(50_000);
    let keys: Vec<String> = (0..30).map(|number| format!("k{number}")).collect();
    for key in &keys {
        create(store, &item(key, json!({"consumer": "acme", "name": large}))).await;
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert_eq!(listed(store, Some("acme")).await, hashes(&keys));
    assert_eq!(listed(store, None).await, hashes(&keys));
}

/// Every operation of a store that cannot be reached fails with [`StoreError::Unavailable`].
pub async fn a_store_that_is_down_is_unavailable(store: &dyn KeyAdmin) {
    for (operation, failure) in failures(store).await {
        assert!(matches!(failure, Some(StoreError::Unavailable(_))), "{operation}: {failure:?}");
    }
}

/// Every operation on a table that does not exist fails with [`StoreError::Rejected`].
pub async fn an_absent_table_is_rejected(store: &dyn KeyAdmin) {
    for (operation, failure) in failures(store).await {
        assert!(matches!(failure, Some(StoreError::Rejected(_))), "{operation}: {failure:?}");
    }
}

async fn failures(store: &dyn KeyAdmin) -> [(&'static str, Option<StoreError>); 6] {
    [
        ("get", store.get(&hash("a")).await.err()),
        ("create", store.create(item("a", json!({"consumer": "acme"}))).await.err()),
        ("update", store.update(&hash("a"), object(json!({"plan": "gold"}))).await.err()),
        ("delete", store.delete(&hash("a")).await.err()),
        ("list", store.list(None).await.err()),
        ("list by consumer", store.list(Some("acme")).await.err()),
    ]
}
