use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use faregate_engine::ports::KeyAdmin;
use faregate_tests::{Backend, DynamoDbProxy, Fate, Stack, Stores};
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

#[tokio::test]
async fn a_start_waits_a_second_for_the_snapshot_and_the_first_request_asks_again() {
    const NEVER: Duration = Duration::from_secs(3600);
    /// A slow machine's patience.
    const BOUND: Duration = Duration::from_secs(10);
    for (comes_back, status) in [(true, 200), (false, 503)] {
        let backend = Backend::echo("b").await.expect("a backend");
        let stores = Stores::start().await.expect("tables");
        stores.apply(&open_to(&backend)).await.expect("applied");
        let held_back = Arc::new(AtomicBool::new(true));
        let is_held = Arc::clone(&held_back);
        let fate = move |_| if is_held.load(Ordering::Relaxed) { Fate::Delayed(NEVER) } else { Fate::Passed };
        let proxy = DynamoDbProxy::start(stores.dynamodb().address(), "GetItem", fate).await.expect("a proxy");
        let driver = stores.gateway().expect("a driver").env("AWS_ENDPOINT_URL_DYNAMODB", proxy.url());
        let driver = driver.start().await.expect("an environment");
        let ready_after = driver.environments()[0].ready_after.expect("it asked for an invocation");
        assert!((Duration::from_secs(1)..BOUND).contains(&ready_after), "{ready_after:?}");
        // The SDK alone tries three times, a second each.
        assert!((1..=2).contains(&proxy.calls()), "{} calls", proxy.calls());
        driver.wait_for_log(|line| line.text.contains("could not be checked in time")).await.expect("it says so");

        held_back.store(!comes_back, Ordering::Relaxed);
        let answer = faregate_tests::send(driver.address(), get("/")).await.expect("an answer");
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
        if !comes_back {
            assert_eq!(answer.json::<serde_json::Value>().expect("a problem")["code"], "not_ready");
            assert_eq!(answer.header("retry-after").as_deref(), Some("1"));
        }
        assert_eq!(backend.seen().len(), usize::from(comes_back));
        assert_eq!(driver.environments()[0].exits, 0);
    }
}
