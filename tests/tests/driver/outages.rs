use faregate_engine::ports::KeyAdmin;
use faregate_tests::{Backend, Stack};
use serde_json::json;

use super::support::{document, get, open_to, request};

/// Takes the echo backend a while, so that requests that pass the time leave the machine to others.
const UNHURRIED: &str = "/?delay=50ms";

#[tokio::test]
async fn while_dynamodb_is_down_the_loaded_snapshot_serves_and_its_age_shows() {
    let backend = Backend::echo("b").await.expect("a backend");
    let mut stack = Stack::start(&open_to(&backend)).await.expect("a stack");
    assert_eq!(stack.send(get("/")).await.expect("an answer").status.as_u16(), 200);
    stack.stores_mut().dynamodb_mut().stop().await;
    // Requests go on until the poll that fails was seen, and after it.
    let mut answered = 0;
    while !stack.driver().log_lines().iter().any(|line| line.text.contains("\"metric\":\"ConfigAge\"")) {
        assert_eq!(stack.send(get(UNHURRIED)).await.expect("an answer").status.as_u16(), 200);
        answered += 1;
        assert!(answered < 1000, "no poll failed");
    }
    assert_eq!(stack.send(get("/")).await.expect("an answer").status.as_u16(), 200);

    stack.stores_mut().dynamodb_mut().restart().await.expect("a restart");
    let mut document = open_to(&backend);
    document["settings"]["expose_version"] = json!(true);
    stack.stores().apply(&document).await.expect("applied");
    let mut seen = None;
    while seen.is_none() {
        seen = stack.send(get(UNHURRIED)).await.expect("an answer").header("x-faregate-config");
        answered += 1;
        assert!(answered < 2000, "the change never served");
    }
    assert_eq!(seen.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_key_that_nobody_can_look_up_is_503_and_a_cached_one_works_on() {
    let backend = Backend::echo("b").await.expect("a backend");
    let mut stack = Stack::start(&document(&backend, &json!({"authenticate": "api_key"}))).await.expect("a stack");
    let hash = faregate_core::api_key::KeyHash::of(b"known");
    let item = json!({"key_hash": hash.as_str(), "consumer": "acme"});
    stack.stores().keys().create(item.as_object().cloned().expect("an item")).await.expect("created");
    let call = |key: &str| request("GET", "/").header("x-api-key", key).body(bytes::Bytes::new()).expect("a request");
    assert_eq!(stack.send(call("known")).await.expect("an answer").status.as_u16(), 200);
    stack.stores_mut().dynamodb_mut().stop().await;
    assert_eq!(stack.send(call("known")).await.expect("an answer").status.as_u16(), 200);
    let answer = stack.send(call("other")).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 503);
    assert_eq!(answer.header("retry-after").as_deref(), Some("1"));
    assert_eq!(answer.json::<serde_json::Value>().expect("a problem")["code"], "dependency_unavailable");
}
