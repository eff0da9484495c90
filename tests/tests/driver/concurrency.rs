use std::sync::Arc;

use bytes::Bytes;
use faregate_engine::ports::KeyAdmin;
use faregate_tests::{Backend, Stack, Stores};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::support::{document, request};

#[tokio::test(flavor = "multi_thread")]
async fn with_many_requests_in_one_environment_every_backend_call_has_its_own_consumer() {
    const KEYS: usize = 1000;
    const AT_ONCE: usize = 20;
    const TIMES: usize = 20;
    let backend = Backend::echo("b").await.expect("a backend");
    let document = document(&backend, &json!({"authenticate": "api_key"}));
    let stack = Stack::start_with(&document, |driver| driver.concurrency(AT_ONCE)).await;
    let stack = Arc::new(stack.expect("a stack"));
    for number in 0..KEYS {
        let hash = faregate_core::api_key::KeyHash::of(format!("key {number}").as_bytes());
        let item = json!({"key_hash": hash.as_str(), "consumer": format!("consumer-{number}")});
        stack.stores().keys().create(item.as_object().cloned().expect("an item")).await.expect("created");
    }
    let calls = (0..KEYS * TIMES).map(|call| {
        let number = call % KEYS;
        let stack = Arc::clone(&stack);
        async move {
            let sent = request("GET", &format!("/{number}")).header("x-api-key", format!("key {number}"));
            let answer = stack.send(sent.body(Bytes::new()).expect("a request")).await.expect("an answer");
            let seen = answer.seen().expect("an echo");
            assert_eq!(seen.header("x-faregate-consumer"), Some(format!("consumer-{number}")));
            assert_eq!(seen.path, format!("/{number}"));
        }
    });
    stream::iter(calls).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    assert_eq!(stack.driver().invocations_total(), (KEYS * TIMES) as u64);
}

/// 30: the real runtime over real tables, with a panic that is made on purpose on the way to the backend.
#[tokio::test(flavor = "multi_thread")]
async fn a_panicking_request_harms_none_of_those_beside_it() {
    const REQUESTS: usize = 400;
    const AT_ONCE: usize = 20;
    let backend = Backend::echo("b").await.expect("a backend");
    let stores = Stores::start().await.expect("stores");
    stores.apply(&document(&backend, &json!({}))).await.expect("applied");
    let driver =
        stores.function("examples/panicking").expect("built with the tests").env("FAREGATE_ALLOW_LOOPBACK", "1");
    let driver = driver.concurrency(AT_ONCE).start().await.expect("an environment");
    let pid = driver.environments()[0].pid;
    let panics = |number: usize| number % 10 == 3;
    let sent = (0..REQUESTS).map(|number| {
        let path = if panics(number) { format!("/{number}/panic") } else { format!("/{number}") };
        let sent = request("GET", &path).body(Bytes::new()).expect("a request");
        let answer = faregate_tests::send(driver.address(), sent);
        async move { (number, path, answer.await.expect("an answer")) }
    });
    for (number, path, answer) in stream::iter(sent).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
        if panics(number) {
            let problem: Value = answer.json().expect("a problem");
            assert_eq!((answer.status.as_u16(), &problem["code"]), (500, &json!("internal")));
        } else {
            assert_eq!((answer.status.as_u16(), answer.seen().expect("an echo").path), (200, path));
        }
    }
    driver.wait_until_idle().await.expect("idle");
    let environments = driver.environments();
    assert_eq!((environments[0].pid, environments[0].exits), (pid, 0), "it is the same process");
    let lines = driver.log_lines();
    let records = lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
    let panicked = records.filter(|line| line["type"] == "request" && line["cause"] == "panic").count();
    assert!((1..=REQUESTS / 10).contains(&panicked), "{panicked} lines, some of which the cap may leave out");
}
