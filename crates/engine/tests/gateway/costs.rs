//! What requests cost reaches the counters that count them, with writes that happen anyway.

use std::time::Duration;

use faregate_engine::ports::StoreError;
use serde_json::{Value, json};

use super::support::{Harness, KEY, forwarding, request};

fn document(limit: u64) -> Value {
    let mut document = forwarding(json!({"authenticate": "api_key", "limits": [
        "plan", {"id": "own", "limit": limit, "per": "day", "by": "consumer"},
        {"id": "addresses", "limit": limit, "per": "day", "by": "ip"},
    ]}));
    document["plans"] = json!([{"id": "gold", "limits": [{"id": "daily", "limit": limit, "per": "day"}]}]);
    document
}

async fn calls(harness: &Harness, times: usize) {
    for _ in 0..times {
        assert_eq!(harness.send(request("GET", "https://h/", &[("x-api-key", KEY)])).await.status, 200);
        harness.clock.advance(Duration::from_millis(100));
    }
}

#[tokio::test]
async fn a_counter_is_told_what_its_requests_cost_up_to_the_block_that_is_being_spent() {
    let harness = Harness::new(document(1_000_000)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    calls(&harness, 2000).await;
    let costs: Vec<u64> = harness.telemetry.records().iter().map(|record| record.cost_nanodollars).collect();
    let sum: u64 = costs.iter().sum();
    for counter in ["plan|c#acme", "route:r|c#acme"] {
        let told = harness.counters.cost(counter, "2027-01").expect("a cost");
        // A block lasts for ten seconds: a hundred requests here.
        assert!(told <= sum + sum / 100 && told > sum - sum / 10, "{counter}: {told} of {sum}");
    }
    let addresses = harness.counters.names().into_iter().find(|name| name.contains("ip#")).expect("an address");
    assert_eq!(harness.counters.cost(&addresses, "2027-01"), None, "an address is no customer");
}

#[tokio::test]
async fn an_environment_that_answers_one_request_has_told_what_one_may_cost() {
    let harness = Harness::new(document(1_000_000)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    calls(&harness, 1).await;
    // 200 for the request, and 25 ms of 256 MB.
    assert_eq!(harness.counters.cost("plan|c#acme", "2027-01"), Some(284));
}

#[tokio::test]
async fn what_the_store_certainly_did_not_take_is_told_again() {
    let harness = Harness::new(document(1000)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    calls(&harness, 1).await;
    let told = harness.counters.cost("plan|c#acme", "2027-01").expect("a cost");
    harness.counters.faults.set_failing(Some(StoreError::Throttled("busy".to_owned())));
    for _ in 0..3 {
        let _ = harness.send(request("GET", "https://h/", &[("x-api-key", KEY)])).await;
    }
    assert_eq!(harness.counters.cost("plan|c#acme", "2027-01"), Some(told));
    harness.counters.faults.set_failing(None);
    calls(&harness, 3).await;
    let sum: u64 = harness.telemetry.records().iter().take(4).map(|record| record.cost_nanodollars).sum();
    assert!(harness.counters.cost("plan|c#acme", "2027-01").expect("a cost") >= sum);
}
