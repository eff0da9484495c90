//! The processor time of a request, measured on the real binary.

use std::time::Duration;

use bytes::Bytes;
use faregate_core::api_key::KeyHash;
use faregate_engine::ports::KeyAdmin;
use faregate_tests::{Backend, Stack, processor_time};
use http::{Request, StatusCode};

use crate::fleet;

const WARM_UP: usize = 500;
const REQUESTS: usize = 5000;

/// Processor time of one warm request with key, limit and backend, the exchanges with the Runtime API among it.
pub(crate) async fn per_request() -> Duration {
    let backend = Backend::echo("orders").await.expect("a backend");
    let stack = Stack::start(&fleet::document(&backend.url(), "cloudwatch", true)).await.expect("a gateway");
    let mut item = fleet::key_item(0, true);
    item.insert("key_hash".to_owned(), KeyHash::of(fleet::key(0).as_bytes()).as_str().into());
    assert!(stack.stores().keys().create(item).await.expect("a key"));
    calls(&stack, WARM_UP).await;
    let process = stack.driver().environments()[0].pid.expect("a process");
    let before = processor_time(process).expect("a process");
    calls(&stack, REQUESTS).await;
    let spent = processor_time(process).expect("a process") - before;
    spent / u32::try_from(REQUESTS).expect("a number")
}

async fn calls(stack: &Stack, times: usize) {
    for _ in 0..times {
        let request = Request::get("/orders/7").header("host", "api.example.com").header("x-api-key", fleet::key(0));
        let answer = stack.send(request.body(Bytes::new()).expect("a request")).await.expect("an answer");
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
}
