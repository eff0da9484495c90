//! The Keys table.

use faregate_aws::DynamoKeyStore;
use faregate_core::api_key::{KeyHash, KeyItem};
use faregate_engine::{
    fakes::FakeKeyStore,
    ports::{KeyAdmin, KeyStore, StoreError},
};
use faregate_testing::contract::{Subject, keys};
use faregate_testing::dynamodb::EmbeddedDynamoDb;
use serde_json::json;

use crate::support::{KEYS_TABLE, aws, dynamodb, put_item};

async fn fake() -> Subject<dyn KeyAdmin> {
    Subject::new(Box::new(FakeKeyStore::default()), ())
}

async fn real() -> Subject<dyn KeyAdmin> {
    let (dynamodb, store) = table().await;
    Subject::new(Box::new(store), dynamodb)
}

mod fake_contract {
    faregate_testing::keys_contract!(super::fake);
}

mod dynamodb_contract {
    faregate_testing::keys_contract!(super::real);
}

async fn table() -> (EmbeddedDynamoDb, DynamoKeyStore) {
    let dynamodb = dynamodb().await;
    let store = DynamoKeyStore::new(&aws(&dynamodb.endpoint()).await, KEYS_TABLE);
    (dynamodb, store)
}

#[tokio::test]
async fn both_are_unavailable_while_they_are_down() {
    let fake = FakeKeyStore::default();
    fake.faults.set_down(true);
    keys::a_store_that_is_down_is_unavailable(&fake).await;

    let (mut dynamodb, store) = table().await;
    dynamodb.stop().await;
    keys::a_store_that_is_down_is_unavailable(&store).await;
    dynamodb.restart().await.expect("the same port");
    assert_eq!(store.get(&KeyHash::of(b"a")).await, Ok(None));
}

#[tokio::test]
async fn both_reject_questions_about_an_absent_table() {
    let fake = FakeKeyStore::default();
    fake.faults.set_failing(Some(StoreError::Rejected("no such table".to_owned())));
    keys::an_absent_table_is_rejected(&fake).await;

    let (dynamodb, _) = table().await;
    let absent = DynamoKeyStore::new(&aws(&dynamodb.endpoint()).await, "absent");
    keys::an_absent_table_is_rejected(&absent).await;
}

#[tokio::test]
async fn a_key_written_at_the_console_works() {
    let (dynamodb, store) = table().await;
    let hash = KeyHash::of(b"a");
    let item = json!({
        "key_hash": {"S": hash.as_str()}, "consumer": {"S": "acme"}, "routes": {"SS": ["orders"]},
        "expires_at": {"N": "1795478400"},
    });
    put_item(&dynamodb, KEYS_TABLE, item).await;
    let item = store.get(&hash).await.expect("an answer").expect("an item");
    assert_eq!(item["routes"], json!(["orders"]));
    assert!(KeyItem::decode(item).expect("a key item").allows_route("orders"));
}

#[tokio::test]
async fn a_binary_attribute_is_a_wrong_type_and_can_be_listed() {
    for attribute in ["expires_at", "routes", "enabled", "name"] {
        let (dynamodb, store) = table().await;
        let hash = KeyHash::of(b"a");
        let item = json!({"key_hash": {"S": hash.as_str()}, "consumer": {"S": "acme"}, attribute: {"B": "YWJj"}});
        put_item(&dynamodb, KEYS_TABLE, item).await;
        let item = store.get(&hash).await.expect("an answer").expect("an item");
        assert_eq!(item[attribute], json!({"B": "3 bytes"}));
        assert_eq!(store.list(None).await, Ok(vec![item.clone()]));
        assert!(KeyItem::decode(item).is_err(), "{attribute}");
    }
}
