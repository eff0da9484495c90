//! A clock that is wrong, as the counters' store sees it.

use std::time::Duration;

use faregate_engine::ports::{Clock, Metric, Series};
use serde_json::{Value, json};

use super::support::{Harness, KEY, forwarding, request};

async fn harness(limits: Value) -> Harness {
    let mut document = forwarding(json!({"authenticate": "api_key", "limits": limits}));
    document["settings"] = json!({"metrics": {"flush_seconds": 60}});
    let harness = Harness::new(document).await;
    harness.key(KEY, json!({"consumer": "acme"}));
    harness
}

/// Sends requests a tenth of a second apart.
async fn call(harness: &Harness, times: usize) {
    for _ in 0..times {
        assert_eq!(harness.send(request("GET", "https://h/", &[("x-api-key", KEY)])).await.status, 200);
        harness.clock.advance(Duration::from_millis(100));
    }
}

/// Permits that the counter has granted.
fn granted(harness: &Harness) -> u64 {
    harness.counters.counter("route:r|c#acme").expect("a counter").slots.values().map(|slot| slot.granted).sum()
}

#[tokio::test]
async fn while_the_clock_is_wrong_nothing_is_held_of_short_windows() {
    for (per, skew, holds) in [
        ("minute", 0, true),
        ("minute", 1000, true),
        ("minute", 1001, false),
        ("minute", -1001, false),
        ("hour", 5000, true),
    ] {
        let harness = harness(json!([{"id": "x", "limit": 1_000_000, "per": per}])).await;
        call(&harness, 5).await;
        harness.counters.set_skew_millis(skew);
        let before = granted(&harness);
        call(&harness, 95).await;
        assert!(granted(&harness) >= 100, "every request has its permit: {per} {skew}");
        assert_eq!(granted(&harness) > 100 + before, holds, "{per} {skew}");
        harness.counters.set_skew_millis(0);
        call(&harness, 30).await;
        assert!(granted(&harness) > 130, "once it is right again: {per} {skew}");
    }
}

#[tokio::test]
async fn what_is_known_of_a_wrong_clock_is_taken_off() {
    for skew in [90_000, -90_000] {
        let harness =
            harness(json!([{"id": "x", "limit": 60, "per": "minute"}, {"id": "y", "limit": 60, "per": "second"}]))
                .await;
        harness.counters.set_skew_millis(skew);
        let true_millis = || harness.clock.now().as_millis().saturating_add_signed(-skew);
        call(&harness, 1).await;
        let counter = harness.counters.counter("route:r|c#acme").expect("a counter");
        let windows: Vec<u64> = counter.slots.values().map(|slot| slot.index).collect();
        assert_eq!(windows, [true_millis() / 60_000], "{skew}");
        let full_at = counter.buckets.values().next().expect("a bucket") / 1000;
        assert!(full_at.abs_diff(true_millis()) < 1000, "{skew}: full {full_at}, now {}", true_millis());
    }
}

#[tokio::test]
async fn a_wrong_clock_is_a_metric_and_a_line_a_minute() {
    let harness = harness(json!([{"id": "x", "limit": 1_000_000, "per": "minute"}])).await;
    harness.counters.set_skew_millis(1000);
    call(&harness, 1).await;
    assert_eq!((harness.telemetry.count(Metric::ClockSkew), harness.last_record().clock_skew), (0, Duration::ZERO));
    harness.counters.set_skew_millis(-2500);
    call(&harness, 3).await;
    assert_eq!(harness.last_record().clock_skew, Duration::from_millis(2500));
    let lines = harness.telemetry.metrics();
    let lines: Vec<&(Metric, String)> = lines.iter().filter(|(metric, _)| *metric == Metric::ClockSkew).collect();
    assert_eq!(lines, [&(Metric::ClockSkew, "the clock is at least 2500 ms behind DynamoDB's".to_owned())]);
    harness.clock.advance(Duration::from_secs(60));
    call(&harness, 1).await;
    assert_eq!(harness.telemetry.count(Metric::ClockSkew), 2);
    harness.gateway.leave().await;
    let of = |series: &Series| series.values.get("ClockSkew").map(faregate_engine::metrics::Histogram::count);
    assert_eq!(harness.sink.sent().iter().filter_map(of).sum::<u64>(), 4);
}
