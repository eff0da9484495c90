//! What a consumer used, whether or not limits count it.

use bytes::Bytes;
use faregate_core::api_key::KeyHash;
use faregate_engine::ports::KeyAdmin;
use faregate_tests::{Backend, Stack};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::support::{document, request};

const ENVIRONMENTS: usize = 4;
const REQUESTS: usize = 500;

/// All items of the Usage table.
async fn items(stack: &Stack) -> Vec<Value> {
    let table = &stack.stores().tables().usage;
    let scanned = stack.stores().dynamodb().call("Scan", &json!({"TableName": table})).await.expect("a table");
    scanned["Items"].as_array().expect("items").clone()
}

#[tokio::test]
async fn requests_of_a_consumer_without_limits_are_all_told_when_environments_end() {
    let backend = Backend::echo("b").await.expect("a backend");
    let document = document(&backend, &json!({"authenticate": "api_key"}));
    let stack = Stack::start_with(&document, |driver| driver.environments(ENVIRONMENTS)).await.expect("a stack");
    let item = json!({"key_hash": KeyHash::of(b"secret").as_str(), "consumer": "acme"});
    assert!(stack.stores().keys().create(item.as_object().cloned().expect("an item")).await.expect("a table"));
    let with_key = || request("GET", "/").header("x-api-key", "secret").body(Bytes::new()).expect("a request");
    let sent = stream::iter(0..REQUESTS).map(|_| stack.send(with_key())).buffer_unordered(16);
    let statuses: Vec<u16> = sent.map(|answer| answer.expect("an answer").status.as_u16()).collect().await;
    assert!(statuses.iter().all(|status| *status == 200));
    stack.driver().wait_until_idle().await.expect("idle");
    let stopped = stack.driver().shutdown().await;
    assert!(stopped.iter().all(|stopped| stopped.status.is_some_and(|status| status.success())), "{stopped:?}");
    // One, or two where a month ended meanwhile.
    let items = items(&stack).await;
    assert!(items.iter().all(|item| item["id"]["S"].as_str().expect("an id").starts_with("u#acme#")), "{items:?}");
    let sum = |attribute: &str| {
        let numbers = items.iter().map(|item| item[attribute]["N"].as_str().expect("a number").parse::<usize>());
        numbers.map(|number| number.expect("a number")).sum::<usize>()
    };
    assert_eq!(sum("requests"), REQUESTS);
    // Each costs 200 nano-dollars for being one, and some for its time.
    assert!(sum("cost") > 200 * REQUESTS, "{}", sum("cost"));
}
