//! How many requests a consumer made, whether or not limits count them.

use std::time::Duration;

use faregate_engine::ports::StoreError;
use serde_json::{Value, json};

use super::{
    limits::{call, document},
    support::{Harness, KEY, forwarding, request},
};

/// The month of the harness's clock, which is in the middle of it, and how long it still lasts.
const MONTH: &str = "2027-01";
const UNTIL_THE_NEXT: Duration = Duration::from_secs(1_440_000);

/// A gateway without limits, and a key of `acme`.
async fn without_limits() -> Harness {
    let harness = Harness::new(forwarding(json!({"authenticate": "api_key"}))).await;
    harness.key(KEY, json!({"consumer": "acme"}));
    harness
}

/// Requests in a consumer's month that no counter counted.
fn told(harness: &Harness, consumer: &str, month: &str) -> u64 {
    harness.counters.sum(&format!("u#{consumer}#{month}"), "requests").unwrap_or_default()
}

#[tokio::test]
async fn a_consumer_without_limits_costs_one_write_a_minute_and_is_counted_wholly() {
    let harness = without_limits().await;
    for _ in 0..600 {
        assert_eq!(call(&harness, KEY).await.status, 200);
        harness.clock.advance(Duration::from_millis(300));
    }
    assert_eq!((harness.counters.faults.operations().len(), told(&harness, "acme", MONTH)), (2, 400));
    harness.gateway.leave().await;
    assert_eq!((harness.counters.faults.count("roll_up"), told(&harness, "acme", MONTH)), (3, 600));
    let cost: u64 = harness.telemetry.records().iter().map(|record| record.cost_nanodollars).sum();
    assert_eq!(harness.counters.sum("u#acme#2027-01", "cost"), Some(cost));
    let writes: u64 = harness.telemetry.records().iter().map(|record| record.lease_writes).sum();
    assert_eq!(writes, 2, "they are charged, but for the last one");
}

#[tokio::test]
async fn each_consumer_is_counted_for_itself_and_nobody_is_nobody() {
    let harness = without_limits().await;
    harness.key("other", json!({"consumer": "globex"}));
    for key in [KEY, "other", KEY] {
        assert_eq!(call(&harness, key).await.status, 200);
    }
    harness.gateway.leave().await;
    assert_eq!((told(&harness, "acme", MONTH), told(&harness, "globex", MONTH)), (2, 1));
    let open = Harness::new(forwarding(json!({}))).await;
    open.get("https://h/").await;
    open.gateway.leave().await;
    assert!(open.counters.faults.operations().is_empty());
}

#[tokio::test]
async fn what_the_store_did_not_take_is_told_later_and_what_may_be_written_is_not() {
    let harness = without_limits().await;
    let calls = async |times: usize| {
        for _ in 0..times {
            assert_eq!(call(&harness, KEY).await.status, 200);
        }
        harness.clock.advance(Duration::from_secs(60));
    };
    calls(10).await;
    harness.counters.faults.set_failing(Some(StoreError::Throttled("busy".to_owned())));
    calls(5).await;
    harness.counters.faults.set_failing(Some(StoreError::Rejected("no permission".to_owned())));
    calls(3).await;
    assert_eq!(told(&harness, "acme", MONTH), 0);
    harness.counters.faults.set_failing(None);
    calls(1).await;
    assert_eq!(told(&harness, "acme", MONTH), 18, "of three minutes");
    harness.counters.faults.set_down(true);
    calls(4).await;
    harness.counters.faults.set_down(false);
    harness.gateway.leave().await;
    assert_eq!(told(&harness, "acme", MONTH), 18 + 4, "what was sent may have arrived");
}

#[tokio::test]
async fn of_more_consumers_than_there_is_room_for_some_are_told_early_and_none_is_lost() {
    let harness = Harness::new(forwarding(json!({"authenticate": "api_key"}))).await;
    for number in 0..1100 {
        let key = format!("key {number}");
        harness.key(&key, json!({"consumer": format!("c{number}")}));
        assert_eq!(call(&harness, &key).await.status, 200);
    }
    let early = harness.counters.faults.count("roll_up");
    // A few places stay free.
    assert!((76..=84).contains(&early), "{early}");
    harness.gateway.leave().await;
    assert!((0..1100).all(|number| told(&harness, &format!("c{number}"), MONTH) == 1));
    assert_eq!(harness.counters.faults.count("roll_up"), 1100);
}

#[tokio::test]
async fn a_request_counts_in_the_month_in_which_it_was_admitted() {
    let harness = without_limits().await;
    harness.clock.advance(UNTIL_THE_NEXT - Duration::from_secs(1));
    for _ in 0..3 {
        assert_eq!(call(&harness, KEY).await.status, 200);
        harness.clock.advance(Duration::from_secs(1));
    }
    harness.gateway.leave().await;
    assert_eq!((told(&harness, "acme", MONTH), told(&harness, "acme", "2027-02")), (1, 2));
}

#[tokio::test]
async fn counters_are_told_how_many_requests_they_admitted_with_writes_that_happen_anyway() {
    for limit in [
        json!({"id": "x", "limit": 1_000_000, "per": "day"}),
        json!({"id": "x", "limit": 600, "per": "minute"}),
        json!({"id": "x", "limit": 10, "per": "second", "burst": 20}),
        json!({"id": "x", "limit": 600, "per": "minute", "mode": "approximate"}),
    ] {
        let plans = json!([{"id": "gold", "limits": [limit]}]);
        let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
        harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
        let mut admitted = 0;
        for _ in 0..300 {
            admitted += u64::from(call(&harness, KEY).await.status == 200);
            harness.clock.advance(Duration::from_millis(100));
        }
        let requests = || harness.counters.requests("plan|c#acme", MONTH).unwrap_or_default();
        assert_eq!(harness.counters.faults.count("roll_up"), 0, "{limit}");
        assert!(requests() + 150 > admitted, "{limit}: {} of {admitted}", requests());
        harness.gateway.leave().await;
        assert_eq!((requests(), told(&harness, "acme", MONTH)), (admitted, 0), "{limit}");
    }
}

#[tokio::test]
async fn what_is_refused_is_no_request_of_a_counter() {
    let limits = json!([{"id": "minutely", "limit": 7, "per": "minute"}, {"id": "daily", "limit": 9, "per": "day"}]);
    let plans = json!([{"id": "gold", "limits": limits}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    let mut admitted = 0;
    for _ in 0..40 {
        admitted += u64::from(call(&harness, KEY).await.status == 200);
        harness.clock.advance(Duration::from_secs(5));
    }
    harness.gateway.leave().await;
    assert_eq!(admitted, 9);
    assert_eq!(harness.counters.requests("plan|c#acme", MONTH), Some(admitted));
}

#[tokio::test]
async fn requests_that_only_others_counters_count_are_told_to_the_consumers_month() {
    let route = |id: &str, limits: Value| {
        json!({"id": id, "match": [{"path": format!("/{id}")}], "authenticate": "api_key", "limits": limits,
               "forward": {"backend": "b"}})
    };
    let limit = |by: Value| json!([{"id": "x", "limit": 100, "per": "day", "by": by}]);
    let mut document = forwarding(json!({"authenticate": "api_key"}));
    document["routes"] = json!([
        route("own", limit(json!("consumer"))),
        route("shared", limit(json!("route"))),
        route("address", limit(json!("ip"))),
    ]);
    let harness = Harness::new(document).await;
    harness.key(KEY, json!({"consumer": "acme"}));
    for path in ["own", "shared", "address"] {
        let answer = harness.send(request("GET", &format!("https://h/{path}"), &[("x-api-key", KEY)])).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    harness.gateway.leave().await;
    assert_eq!(told(&harness, "acme", MONTH), 2);
    for counter in ["route:own|c#acme", "route:shared|r#shared"] {
        assert_eq!(harness.counters.requests(counter, MONTH), Some(1), "{counter}");
    }
}

#[tokio::test]
async fn a_key_that_is_idle_while_others_call_loses_no_request() {
    let plans = json!([{"id": "gold", "limits": [{"id": "x", "limit": 10, "per": "second", "burst": 20}]}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
    for key in [KEY, "other"] {
        harness.key(key, json!({"consumer": key, "plan": "gold"}));
    }
    for round in 0..100 {
        let key = if round % 10 == 0 { KEY } else { "other" };
        assert_eq!(call(&harness, key).await.status, 200);
        harness.clock.advance(Duration::from_secs(2));
    }
    harness.gateway.leave().await;
    let requests = |key: &str| harness.counters.requests(&format!("plan|c#{key}"), MONTH);
    assert_eq!((requests(KEY), requests("other")), (Some(10), Some(90)));
}

#[tokio::test]
async fn of_a_request_that_is_refused_no_month_is_told() {
    let limits = json!([{"id": "x", "limit": 1, "per": "day", "by": "route"}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key", "limits": limits}), json!([]))).await;
    for number in 0..50 {
        let key = format!("key {number}");
        harness.key(&key, json!({"consumer": format!("c{number}")}));
        assert_eq!(call(&harness, &key).await.status, if number == 0 { 200 } else { 429 });
    }
    harness.counters.faults.forget_operations();
    harness.gateway.leave().await;
    // The consumer's that was admitted, and the route's counter, which counts what all of them cost.
    assert_eq!((told(&harness, "c0", MONTH), harness.counters.faults.count("roll_up")), (1, 2));
}
