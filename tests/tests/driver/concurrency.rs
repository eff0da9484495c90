use std::sync::Arc;

use bytes::Bytes;
use faregate_engine::ports::KeyAdmin;
use faregate_tests::{Backend, Stack};
use futures_util::{StreamExt, stream};
use serde_json::json;

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
