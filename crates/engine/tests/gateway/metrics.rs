//! Metrics: each request once, whatever becomes of the sink, in bounded space.

use std::{sync::atomic::Ordering, time::Duration};

use faregate_core::problem::{Code, Problem};
use faregate_engine::{
    body::full,
    fakes::FakeOutbound,
    gateway::Peer,
    ports::{Metric, OutboundError, Series, StoreError},
};
use futures_util::future::join_all;
use http::Response;
use serde_json::{Value, json};

use super::support::{Harness, forwarding, get, request};

fn document(metrics: Value) -> Value {
    let mut document = forwarding(json!({"authenticate": "anonymous"}));
    document["settings"] = json!({"metrics": metrics});
    document
}

async fn calls(harness: &Harness, times: usize) {
    for _ in 0..times {
        assert_eq!(harness.send(get("https://h/")).await.status, 200);
    }
}

fn values(series: &[Series], name: &str) -> u64 {
    let whole = series.iter().filter(|series| series.route.is_none());
    whole.filter_map(|series| series.values.get(name)).map(faregate_engine::metrics::Histogram::count).sum()
}

#[tokio::test]
async fn a_minute_of_requests_is_one_call_and_every_request_counts_once() {
    let harness = Harness::new(document(json!({}))).await;
    calls(&harness, 10).await;
    assert_eq!(harness.send(request("GET", "https://h/", &[("x-api-key", "")])).await.status, 200);
    assert_eq!(harness.sink.sent(), [], "nothing is due yet");
    harness.clock.advance(Duration::from_secs(181));
    calls(&harness, 1).await;
    // Whether the request beside which they are sent is among them depends on which of the two ends first.
    assert!((11.0..=12.0).contains(&harness.sink.sum("Requests")));
    assert_eq!(harness.sink.faults.operations().len(), 1);
    calls(&harness, 10).await;
    assert_eq!(harness.sink.faults.operations().len(), 1, "nothing is due again");
    harness.gateway.leave().await;
    assert_eq!((harness.sink.sum("Requests"), harness.sink.sum("ColdStarts")), (22.0, 1.0));
    assert_eq!(values(&harness.sink.sent(), "Latency"), 22);
    assert_eq!(values(&harness.sink.sent(), "BackendLatency"), 22);
    assert!(harness.sink.sum("EstimatedCost") >= 22.0 * 200e-9);
    let sent = harness.sink.sent();
    assert!(sent.iter().all(|series| series.minute.as_seconds() % 60 == 0));
    assert!(sent[0].minute < sent[sent.len() - 1].minute, "each with its own minute");
}

#[tokio::test(start_paused = true)]
async fn of_requests_that_come_together_one_sends() {
    let harness = Harness::new(document(json!({}))).await;
    harness.clock.advance(Duration::from_secs(181));
    harness.sink.faults.set_slow(Some(Duration::from_millis(100)));
    let answers = join_all((0..32).map(|_| harness.get("https://h/"))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(harness.sink.faults.operations().len(), 1);
    harness.gateway.leave().await;
    assert_eq!(harness.sink.sum("Requests"), 32.0);
}

/// Neither comes by where others send them: an outage at the start must show while it lasts.
#[tokio::test]
async fn requests_that_nothing_decides_send_metrics_too() {
    let nothing_loads = Harness::unpublished(FakeOutbound::answering(|_| Ok(Response::new(full("hello")))));
    let nothing_decodes = Harness::new(document(json!({}))).await;
    let malformed = || Problem::new(Code::RequestInvalid, "send an HTTP request");
    for (harness, errors, seconds) in [(&nothing_loads, "Errors5xx", 60), (&nothing_decodes, "Errors4xx", 180)] {
        let call = async || match errors {
            "Errors5xx" => harness.get("https://h/").await.status,
            _ => harness.take(Err(malformed()), Peer::default()).await.status,
        };
        let status = call().await;
        assert_eq!(status / 100, if errors == "Errors5xx" { 5 } else { 4 });
        harness.clock.advance(Duration::from_secs(seconds - 1));
        assert_eq!((call().await, harness.sink.faults.operations().len()), (status, 0), "{errors}");
        harness.clock.advance(Duration::from_secs(1));
        assert_eq!((call().await, harness.sink.faults.operations().len()), (status, 1), "{errors}");
        assert!(harness.sink.sum(errors) >= 2.0, "{errors}");
        assert_eq!((call().await, harness.sink.faults.operations().len()), (status, 1), "{errors}");
    }
}

#[tokio::test]
async fn few_requests_wait_for_more_but_for_three_intervals_at_most() {
    for (waiting, flush_seconds, seconds, sends) in [
        (50, 60, 60, 0),
        (999, 60, 179, 0),
        (1000, 60, 59, 0),
        (1000, 60, 60, 1),
        (50, 60, 180, 1),
        // Who asks for metrics more often than once a minute gets them.
        (1, 10, 9, 0),
        (1, 10, 10, 1),
    ] {
        let harness = Harness::new(document(json!({"flush_seconds": flush_seconds}))).await;
        calls(&harness, waiting).await;
        harness.clock.advance(Duration::from_secs(seconds));
        calls(&harness, 1).await;
        let told = format!("{waiting} requests, {seconds} s");
        assert_eq!(harness.sink.faults.operations().len(), sends, "{told}");
        harness.gateway.leave().await;
        assert_eq!(harness.sink.sum("Requests"), (waiting + 1) as f64, "{told}: with the environment at the latest");
    }
}

#[tokio::test]
async fn few_requests_do_not_wait_where_one_failed() {
    let harness = Harness::new(document(json!({}))).await;
    harness.outbound.then(Err(OutboundError::BrokenAnswer("gone".to_owned())));
    assert_eq!(harness.get("https://h/").await.status, 502);
    harness.clock.advance(Duration::from_secs(59));
    calls(&harness, 1).await;
    assert_eq!(harness.sink.faults.operations().len(), 0);
    harness.clock.advance(Duration::from_secs(1));
    calls(&harness, 1).await;
    assert_eq!(harness.sink.faults.operations().len(), 1);
    assert_eq!(harness.sink.sum("Errors5xx"), 1.0);
}

#[tokio::test]
async fn a_backend_that_was_not_asked_has_no_latency() {
    let harness = Harness::new(forwarding(json!({
        "match": [{"path": {"regex": "/files/(?<folder>[^/_]+)_(?<name>.+)"}}],
        "forward": {"backend": "b", "path": {"replace": "/public/{folder}/{name}"}},
    })))
    .await;
    assert_eq!(harness.get("https://h/files/a_b").await.status, 200);
    let climbing = harness.get("https://h/files/.._b").await;
    harness.outbound.then(Err(OutboundError::InvalidUrl("not as it was".to_owned())));
    let unclear = harness.get("https://h/files/a_b").await;
    assert_eq!((climbing.status, unclear.status), (400, 400));
    harness.gateway.leave().await;
    let sent = harness.sink.sent();
    assert_eq!((values(&sent, "Latency"), values(&sent, "BackendLatency")), (3, 1));
}

#[tokio::test]
async fn what_the_sink_did_not_take_is_sent_with_the_next() {
    let harness = Harness::new(document(json!({"flush_seconds": 10}))).await;
    harness.sink.faults.set_down(true);
    // More minutes than are kept apart: they are added together, and none is lost.
    for _ in 0..50 {
        calls(&harness, 3).await;
        harness.clock.advance(Duration::from_secs(60));
    }
    assert!(harness.telemetry.count(Metric::MetricsDelayed) >= 45);
    harness.sink.faults.set_down(false);
    calls(&harness, 1).await;
    harness.gateway.leave().await;
    assert_eq!(harness.sink.sum("Requests"), 151.0);
    assert_eq!(values(&harness.sink.sent(), "Latency"), 151);
    assert!(harness.sink.sent().len() <= 32, "{}", harness.sink.sent().len());
}

#[tokio::test]
async fn routes_have_metrics_of_their_own_where_that_is_asked_for_and_not_without_end() {
    let harness = Harness::new(many_routes(120)).await;
    for n in 0..120 {
        assert_eq!(harness.send(get(&format!("https://h/{n}"))).await.status, 200);
    }
    harness.gateway.leave().await;
    let sent = harness.sink.sent();
    let routes: Vec<&Series> = sent.iter().filter(|series| series.route.is_some()).collect();
    assert!(routes.len() <= 101, "{}", routes.len());
    assert_eq!(routes.iter().map(|series| series.sums["Requests"]).sum::<f64>(), 120.0);
    assert!(routes.iter().any(|series| series.route.as_deref() == Some("other") && series.sums["Requests"] == 20.0));
    assert_eq!(harness.sink.sum("Requests"), 120.0);
}

/// A route for each number, all with metrics of their own.
fn many_routes(routes: usize) -> Value {
    let mut document = document(json!({"per_route": true, "flush_seconds": 10}));
    let route = |n: usize| {
        json!({"id": format!("r{n}"), "match": [{"path": {"exact": format!("/{n}")}}], "authenticate": "anonymous",
               "respond": {}})
    };
    document["routes"] = (0..routes).map(route).collect();
    document
}

#[tokio::test]
async fn routes_that_change_all_the_time_stay_bounded_through_an_outage() {
    let harness = Harness::new(many_routes(1500)).await;
    harness.sink.faults.set_down(true);
    // Each minute asks for other routes: forty minutes, of which thirty are kept apart.
    for n in 0..1400 {
        assert_eq!(harness.send(get(&format!("https://h/{n}"))).await.status, 200);
        if n % 35 == 34 {
            harness.clock.advance(Duration::from_secs(60));
        }
    }
    harness.sink.faults.set_down(false);
    harness.gateway.leave().await;
    let sent = harness.sink.sent();
    let named: std::collections::BTreeSet<&str> = sent.iter().filter_map(|series| series.route.as_deref()).collect();
    assert_eq!(named.len(), 101, "a hundred, and others");
    let by_route = sent.iter().filter(|series| series.route.is_some());
    assert_eq!(by_route.map(|series| series.sums["Requests"]).sum::<f64>(), 1400.0);
    assert_eq!(harness.sink.sum("Requests"), 1400.0);
    assert!(harness.sink.sum("MetricsDelayed") >= 30.0);
}

#[tokio::test]
async fn what_one_call_took_is_not_sent_again_with_what_the_next_did_not_take() {
    let harness = Harness::new(many_routes(4)).await;
    harness.sink.series_max.store(2, Ordering::Relaxed);
    for n in 0..4 {
        assert_eq!(harness.get(&format!("https://h/{n}")).await.status, 200);
    }
    harness.clock.advance(Duration::from_secs(31));
    harness.sink.faults.pass_next();
    harness.sink.faults.fail_next(StoreError::Unavailable("gone".to_owned()));
    harness.get("https://h/0").await;
    assert_eq!((harness.sink.faults.operations().len(), harness.sink.sent().len()), (2, 2), "the second one failed");
    assert_eq!(harness.telemetry.count(Metric::MetricsDelayed), 1);
    harness.gateway.leave().await;
    assert_eq!(harness.sink.sum("Requests"), 5.0);
    let by_route = |route: &str| -> f64 {
        let sent = harness.sink.sent();
        sent.iter().filter(|series| series.route.as_deref() == Some(route)).map(|series| series.sums["Requests"]).sum()
    };
    assert_eq!(["r0", "r1", "r2", "r3"].map(by_route), [2.0, 1.0, 1.0, 1.0]);
}

#[tokio::test]
async fn what_is_refused_for_good_does_not_stand_before_what_comes_after_it() {
    let harness = Harness::new(document(json!({"flush_seconds": 10}))).await;
    calls(&harness, 3).await;
    harness.sink.faults.fail_next(StoreError::Rejected("the timestamp is too old".to_owned()));
    for _ in 0..2 {
        harness.clock.advance(Duration::from_secs(60));
        calls(&harness, 2).await;
    }
    harness.gateway.leave().await;
    // The request beside which they are sent may be among those that are refused.
    assert!((3.0..=4.0).contains(&harness.sink.sum("Requests")), "{}", harness.sink.sum("Requests"));
    assert_eq!(harness.sink.sum("MetricsDelayed"), 1.0);
    let told = harness.telemetry.metrics();
    let cause = "lost, since they were refused for good: the timestamp is too old";
    assert_eq!(told, [(Metric::MetricsDelayed, cause.to_owned())]);
}

#[tokio::test]
async fn metrics_that_cannot_be_sent_at_the_end_are_said_to_be_lost() {
    let harness = Harness::new(document(json!({}))).await;
    calls(&harness, 1).await;
    harness.sink.faults.set_down(true);
    harness.gateway.leave().await;
    let told = harness.telemetry.metrics();
    assert!(
        matches!(&told[..], [(Metric::MetricsDelayed, only)] if only.starts_with("lost with the environment: ")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn metrics_that_nobody_takes_in_time_are_kept_and_told_of_while_the_environment_lives_and_lost_with_it() {
    let harness = Harness::new(document(json!({"flush_seconds": 10}))).await;
    calls(&harness, 3).await;
    harness.sink.faults.set_hanging(true);
    harness.clock.advance(Duration::from_secs(60));
    calls(&harness, 1).await;
    let delayed = |cause: &str| (Metric::MetricsDelayed, cause.to_owned());
    assert_eq!(harness.telemetry.metrics(), [delayed("kept for later: given up with the invocation")]);
    harness.sink.faults.set_hanging(false);
    harness.clock.advance(Duration::from_secs(60));
    calls(&harness, 1).await;
    assert!(harness.sink.sum("Requests") >= 4.0, "{}", harness.sink.sum("Requests"));
    harness.sink.faults.set_hanging(true);
    calls(&harness, 1).await;
    harness.gateway.leave().await;
    assert_eq!(
        harness.telemetry.metrics().pop(),
        Some(delayed("lost with the environment: the environment ended first"))
    );
}

#[tokio::test]
async fn every_call_of_a_flush_is_in_the_estimate() {
    let cost_with = async |series_max: usize| {
        let harness = Harness::new(many_routes(3)).await;
        harness.sink.series_max.store(series_max, Ordering::Relaxed);
        for n in 0..3 {
            harness.get(&format!("https://h/{n}")).await;
        }
        harness.clock.advance(Duration::from_secs(31));
        harness.get("https://h/0").await;
        let calls = harness.sink.faults.operations().len() as u64;
        harness.get("https://h/0").await;
        (calls, harness.telemetry.records().iter().map(|record| record.cost_nanodollars).sum::<u64>())
    };
    let ((one, less), (many, more)) = (cost_with(0).await, cost_with(1).await);
    assert!(one == 1 && many >= 4, "{many} calls");
    assert_eq!(more - less, (many - one) * 10_000);
}

#[tokio::test]
async fn off_is_off() {
    let harness = Harness::new(document(json!({"sink": "off"}))).await;
    calls(&harness, 3).await;
    harness.clock.advance(Duration::from_secs(600));
    calls(&harness, 1).await;
    harness.gateway.leave().await;
    assert_eq!(harness.sink.sent(), []);
}

#[tokio::test]
async fn a_record_says_what_the_request_cost_and_why() {
    let mut document = forwarding(json!({"authenticate": "api_key"}));
    document["plans"] = json!([{"id": "gold", "limits": [{"id": "daily", "limit": 100, "per": "day"}]}]);
    document["settings"] = json!({"access_log": {"sample": 0}, "prices": {"write_unit": 1_000_000}});
    let harness = Harness::new(document).await;
    harness.key("secret", json!({"consumer": "acme", "plan": "gold"}));
    let key = [("x-api-key", "secret"), ("x-amzn-trace-id", "Self=1;Root=1-2-3;Sampled=0")];
    assert_eq!(harness.send(request("GET", "https://h/", &key)).await.status, 200);
    assert_eq!(harness.send(request("GET", "https://h/", &key)).await.status, 200);
    let records = harness.telemetry.records();
    // The first request began the day: one write failed its condition, one was made.
    assert_eq!(records[0].lease_writes, 2);
    assert!(records[0].cost_nanodollars >= 2_000_200, "{}", records[0].cost_nanodollars);
    assert!(!records[0].logged, "no sample");
    assert_eq!(records[0].xray_trace_id.as_deref(), Some("1-2-3"));
    let written: u64 = records.iter().map(|record| record.lease_writes).sum();
    let operations = harness.counters.faults.operations().len() as u64;
    assert!(
        written <= operations && operations - written <= 1,
        "{written} of {operations}: the last side work is not charged yet"
    );
}

#[tokio::test]
async fn what_lines_of_metrics_take_is_in_the_estimate() {
    let cost_with = async |bytes: u64| {
        let harness = Harness::new(document(json!({"flush_seconds": 1}))).await;
        harness.sink.log_bytes.store(bytes, Ordering::Relaxed);
        for _ in 0..4 {
            assert_eq!(harness.get("https://h/").await.status, 200);
            harness.clock.advance(Duration::from_secs(3));
        }
        harness.telemetry.records().iter().map(|record| record.cost_nanodollars).sum::<u64>()
    };
    // Each flush is charged to the request after it: two of half a GB.
    let more = cost_with(1 << 29).await - cost_with(0).await;
    assert!(more.abs_diff(500_000_000) < 10, "{more}");
}
