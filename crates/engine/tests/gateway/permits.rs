//! Requests that take several permits at once: they get all of them or leave them to others.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    limits::document,
    support::{Answer, Harness, request},
};

/// A route whose requests take as many permits as a header says.
async fn harness(mut limit: Value) -> Harness {
    limit["by"] = json!("route");
    limit["permits"] = json!({"header": "x-cost", "max": 100});
    Harness::new(document(json!({"limits": [limit]}), json!([]))).await
}

async fn call(harness: &Harness, permits: u64) -> Answer {
    harness.send(costing(permits)).await
}

fn costing(permits: u64) -> http::Request<bytes::Bytes> {
    request("POST", "https://h/", &[("x-cost", &permits.to_string())])
}

#[tokio::test]
async fn a_request_that_is_refused_leaves_what_is_left_to_those_that_need_less() {
    let harness = harness(json!({"id": "x", "limit": 110, "per": "day"})).await;
    let second = harness.second();
    assert_eq!(call(&harness, 100).await.status, 200);
    let refused = call(&harness, 100).await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "quota_exhausted"));
    for _ in 0..10 {
        assert_eq!(harness.through(&second, costing(1)).await.status, 200, "ten were left, and still are");
    }
    assert_eq!(harness.through(&second, costing(1)).await.status, 429);
    assert_eq!(call(&harness, 1).await.status, 429);
}

#[tokio::test]
async fn a_burst_that_has_too_little_for_one_request_has_enough_for_others() {
    let harness = harness(json!({"id": "x", "limit": 1, "per": "minute", "mode": "burst", "burst": 100})).await;
    assert_eq!(call(&harness, 97).await.status, 200);
    let refused = call(&harness, 5).await;
    let wait: u64 = refused.header("retry-after").expect("a header").parse().expect("seconds");
    assert!(refused.status == 429 && (110..=120).contains(&wait), "two more come back in two minutes: {wait}");
    for _ in 0..3 {
        assert_eq!(call(&harness, 1).await.status, 200);
    }
    assert_eq!(call(&harness, 1).await.status, 429);
    harness.clock.advance(Duration::from_secs(300));
    assert_eq!(call(&harness, 5).await.status, 200);
}

#[tokio::test]
async fn an_approximate_limit_that_has_too_little_says_when_there_is_more() {
    let harness = harness(json!({"id": "x", "limit": 110, "per": "minute", "mode": "approximate"})).await;
    assert_eq!(call(&harness, 100).await.status, 200);
    let refused = call(&harness, 11).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")));
    assert_eq!(call(&harness, 10).await.status, 200);
}

#[tokio::test]
async fn more_than_an_override_leaves_to_a_window_is_refused_without_asking() {
    let permits = json!({"header": "x-cost", "max": 100});
    let plans = json!([{"id": "gold", "limits": [{"id": "daily", "limit": 1000, "per": "day", "permits": permits}]}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
    harness.key("k", json!({"consumer": "acme", "plan": "gold", "limits": [{"id": "daily", "limit": 10}]}));
    let call = async |permits: &str| {
        harness.send(request("POST", "https://h/", &[("x-api-key", "k"), ("x-cost", permits)])).await.status
    };
    assert_eq!(call("11").await, 429);
    assert_eq!(harness.counters.faults.operations().len(), 0);
    assert_eq!([call("10").await, call("1").await], [200, 429]);
}
