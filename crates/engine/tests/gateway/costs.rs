//! What requests cost reaches the counters that count them, with writes that happen anyway.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use faregate_engine::{
    fakes::FakeRandom,
    ports::{Random, SnapshotStore, StoreError},
};
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

/// What a read unit costs where nothing else of note does.
const READ_UNIT: u64 = 2_000_000_000;

/// Halves of read units in what the last record cost.
fn half_reads(harness: &Harness) -> u64 {
    harness.last_record().cost_nanodollars / (READ_UNIT / 2)
}

#[tokio::test]
async fn a_snapshot_is_charged_by_its_bytes_and_a_poll_as_half_a_read() {
    let random = FakeRandom::new(1);
    let noise: String = (0..4000).map(|_| format!("{:016x}", random.next_u64())).collect();
    let mut document = forwarding(json!({}));
    document["settings"] = json!({"prices": {"read_unit": READ_UNIT}, "refresh_seconds": 10});
    let routes = document["routes"].as_array_mut().expect("routes");
    routes.push(
        json!({"id": "noise", "match": [{"path": "/noise"}], "authenticate": "anonymous", "respond": {"body": noise}}),
    );
    let harness = Harness::new(document).await;
    harness.get("https://h/").await;
    let hash = &harness.config.chunk_hashes()[0];
    let chunks = harness.config.chunks(hash).await.expect("chunks");
    let bytes: usize = chunks.iter().map(Bytes::len).sum();
    assert!(bytes > 30_000, "{bytes}");
    // A consistent read has a whole unit for every 4 KB; and a poll found it.
    let expected = 2 * bytes.div_ceil(4096) as u64 + 1;
    assert!((expected..=expected + 2).contains(&half_reads(&harness)), "{} for {bytes} bytes", half_reads(&harness));
    harness.clock.advance(Duration::from_secs(11));
    harness.get("https://h/").await;
    harness.get("https://h/").await;
    let sum: u64 = harness.telemetry.records().iter().skip(1).map(|record| record.cost_nanodollars).sum();
    assert_eq!(sum / (READ_UNIT / 2), 1);
}

#[tokio::test]
async fn a_key_is_charged_by_its_items_bytes() {
    let mut document = forwarding(json!({"authenticate": "api_key"}));
    document["settings"] = json!({"prices": {"read_unit": READ_UNIT}, "refresh_seconds": 3600});
    let harness = Harness::new(document).await;
    harness.key("small", json!({"consumer": "acme"}));
    harness.key("large", json!({"consumer": "acme", "metadata": {"note": "x".repeat(9000)}}));
    harness.get("https://h/").await;
    for (key, expected) in [("small", 1), ("large", 3), ("large", 0), ("none", 1)] {
        harness.send(request("GET", "https://h/", &[("x-api-key", key)])).await;
        assert_eq!(half_reads(&harness), expected, "{key}");
    }
}

#[tokio::test]
async fn lines_that_were_written_are_charged_to_the_next_record() {
    let mut document = forwarding(json!({}));
    document["settings"] = json!({"access_log": {"sample": 1}});
    let harness = Harness::new(document).await;
    harness.get("https://h/").await;
    harness.telemetry.line_bytes.store(1 << 29, Ordering::Relaxed);
    harness.get("https://h/").await;
    harness.telemetry.line_bytes.store(0, Ordering::Relaxed);
    harness.get("https://h/").await;
    harness.get("https://h/").await;
    let costs: Vec<u64> = harness.telemetry.records().iter().map(|record| record.cost_nanodollars).collect();
    assert_eq!(costs[2] - costs[1], 250_000_000, "half a GB");
    assert_eq!(costs[3], costs[1]);
}

#[tokio::test]
async fn time_after_an_answer_is_charged_to_the_next_record() {
    let harness = Harness::new(forwarding(json!({}))).await;
    harness.get("https://h/").await;
    harness.get("https://h/").await;
    let before = harness.last_record();
    harness.gateway.waited(Duration::from_secs(4));
    harness.get("https://h/").await;
    let after = harness.last_record();
    assert_eq!(after.cost_nanodollars - before.cost_nanodollars, 13_333, "four seconds of a quarter of a GB");
    assert_eq!(after.duration, before.duration);
}

#[tokio::test]
async fn a_counter_is_charged_by_the_units_that_its_writes_took() {
    const WRITE_UNIT: u64 = 1_000_000_000;
    let mut document = document(1_000_000);
    document["settings"] = json!({"prices": {"write_unit": WRITE_UNIT}, "refresh_seconds": 3600});
    let charged = async |more: u64| {
        let harness = Harness::new(document.clone()).await;
        harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
        harness.counters.set_more_units(more);
        calls(&harness, 20).await;
        let writes: u64 = harness.telemetry.records().iter().map(|record| record.lease_writes).sum();
        let cost: u64 = harness.telemetry.records().iter().map(|record| record.cost_nanodollars).sum();
        (writes, cost / WRITE_UNIT)
    };
    let (writes, units) = charged(0).await;
    assert!(writes > 0 && writes == units, "{writes}, {units}");
    assert_eq!(charged(2).await, (writes, 3 * writes));
}

#[tokio::test]
async fn a_counter_is_kept_for_as_long_as_somebody_reads_it() {
    const DAY: u64 = 86_400;
    let mut document = document(1000);
    let minutely = |id: &str, by: Value| {
        json!({"id": id, "match": [{"path": format!("/{id}")}], "authenticate": "api_key", "forward": {"backend": "b"},
               "limits": [{"id": "x", "limit": 9, "per": "minute", "by": by}, {"id": "d", "limit": 9, "per": "day", "by": by}]})
    };
    let routes = document["routes"].as_array_mut().expect("routes");
    routes.extend([minutely("key", json!("key")), minutely("route", json!("route")), minutely("ip", json!("ip"))]);
    let harness = Harness::new(document).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    for path in ["", "key", "route", "ip"] {
        let answer = harness.send(request("GET", &format!("https://h/{path}"), &[("x-api-key", KEY)])).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    // A consumer's quota is rolled up later; of others there are the month's requests; of addresses nothing.
    for (prefix, days) in [("plan|c#acme", 401), ("route:key|k#", 63), ("route:route|r#", 63), ("route:ip|ip#", 3)] {
        let name = harness.counters.names().into_iter().find(|name| name.starts_with(prefix)).expect(prefix);
        let kept = harness.counters.expires_at(&name).expect("a time").since(super::support::NOW).as_secs();
        assert_eq!(kept.div_ceil(DAY), days, "{name}");
    }
}
