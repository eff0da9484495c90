use std::{sync::Arc, time::Duration};

use faregate_engine::{
    fakes::{FakeClock, FakeOutbound},
    gateway::{Incoming, Peer},
};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use serde_json::json;

use super::support::{Harness, KEY, forwarding, get, request};

#[tokio::test]
async fn a_record_says_what_happened_and_closes_with_the_body() {
    let harness = Harness::new(forwarding(json!({"authenticate": "api_key"}))).await;
    harness.key(KEY, json!({"consumer": "acme"}));
    let incoming = Incoming {
        request: Ok(request("GET", "https://h/x?secret=1", &[("x-api-key", KEY)])),
        peer: Peer { address: Some([192, 0, 2, 1].into()), ..Peer::default() },
        remaining: None,
    };
    let handled = harness.gateway.handle(incoming).await;
    assert!(harness.telemetry.records().is_empty(), "open until the body ends");
    harness.clock.advance(Duration::from_millis(7));
    handled.response.into_body().collect().await.expect("a body");
    let record = harness.last_record();
    assert_eq!((record.route.as_deref(), record.consumer.as_deref()), (Some("r"), Some("acme")));
    assert_eq!((record.backend.as_deref(), record.status, record.body_bytes), (Some("b"), 200, 5));
    assert_eq!((record.path.as_str(), record.address.as_deref()), ("/x", Some("192.0.2.1")));
    assert_eq!((record.duration, record.config_version), (Duration::from_millis(7), 1));
    assert!(record.cold_start);
    harness.get("https://h/").await;
    assert!(!harness.last_record().cold_start);
    assert_eq!(harness.telemetry.records().len(), 2);
}

/// The time of a backend's headers.
fn slow(clock: &Arc<FakeClock>, headers_after: Duration) -> Arc<FakeOutbound> {
    let clock = Arc::clone(clock);
    Arc::new(FakeOutbound::answering(move |_| {
        clock.advance(headers_after);
        Ok(http::Response::new(faregate_engine::body::full("event")))
    }))
}

#[tokio::test]
async fn the_time_of_the_body_is_neither_the_backends_nor_the_gateways() {
    let harness = Harness::new(forwarding(json!({}))).await;
    let gateway = harness.with_way_out(slow(&harness.clock, Duration::from_millis(20)));
    let incoming = Incoming { request: Ok(get("https://h/")), peer: Peer::default(), remaining: None };
    let handled = gateway.handle(incoming).await;
    harness.clock.advance(Duration::from_secs(5));
    handled.response.into_body().collect().await.expect("a body");
    let record = harness.last_record();
    let times = [record.duration, record.backend_duration, record.body_duration, record.overhead];
    assert_eq!(times, [5020, 20, 5000, 0].map(Duration::from_millis));
}

#[tokio::test]
async fn a_backend_that_the_host_does_not_wait_for_took_the_time_until_then() {
    let harness = Harness::with_outbound(forwarding(json!({})), FakeOutbound::hanging()).await;
    let incoming = Incoming { request: Ok(get("https://h/")), peer: Peer::default(), remaining: None };
    let mut handling = Box::pin(harness.gateway.handle(incoming));
    while harness.outbound.requests().is_empty() {
        assert!((&mut handling).now_or_never().is_none());
    }
    harness.clock.advance(Duration::from_secs(30));
    drop(handling);
    let record = harness.last_record();
    assert_eq!((record.status, record.cause.as_deref()), (500, Some("dropped")));
    let times = [record.duration, record.backend_duration, record.body_duration, record.overhead];
    assert_eq!(times, [30, 30, 0, 0].map(Duration::from_secs));
    assert_eq!(record.phases.last().map(|phase| phase.name), Some("forward"), "in the trace, too");
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_recorded_too() {
    let harness = Harness::new(forwarding(json!({}))).await;
    let incoming = Incoming { request: Ok(get("https://h/")), peer: Peer::default(), remaining: None };
    drop(harness.gateway.handle(incoming).await);
    assert_eq!(harness.last_record().stream_error.as_deref(), Some("abandoned"));
}

#[tokio::test]
async fn a_panic_is_one_problem_and_one_record_and_harms_no_other_request() {
    let outbound = FakeOutbound::answering(|request| {
        assert!(!request.path_and_query.ends_with("/panic"), "on purpose");
        Ok(http::Response::new(faregate_engine::body::full("fine")))
    });
    let harness = Arc::new(Harness::with_outbound(forwarding(json!({})), outbound).await);
    let others: Vec<_> = (0..20)
        .map(|number| {
            let harness = Arc::clone(&harness);
            tokio::spawn(async move { harness.get(&format!("https://h/{number}")).await.status })
        })
        .collect();
    let answer = harness.get("https://h/panic").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
    assert_eq!(answer.header("x-request-id"), answer.json()["request_id"].as_str());
    for other in others {
        assert_eq!(other.await.expect("no panic"), 200);
    }
    let records = harness.telemetry.records();
    assert_eq!(records.len(), 21);
    let panicked: Vec<_> = records.iter().filter(|record| record.status == 500).collect();
    assert_eq!((panicked.len(), panicked[0].cause.as_deref()), (1, Some("panic")));
}

#[tokio::test]
async fn credentials_of_disabled_routes_and_of_presigned_urls_are_shown_nowhere() {
    let mut document = forwarding(json!({}));
    let old = json!({"id": "old", "enabled": false, "forward": {"backend": "b"}, "match": [{"path": "/old"}],
                     "authenticate": {"api_key": {"header": "x-old-key", "query": "old_key"}}});
    document["routes"].as_array_mut().expect("routes").push(old);
    let shown = ["x-old-key", "x-amz-security-token", "x-plain"];
    document["settings"] = json!({"access_log": {"sample": 1, "query": true, "headers": shown}});
    let harness = Harness::new(document).await;
    let query = "old_key=canary&X-Amz-Signature=canary&X-Amz-Credential=canary&X-Amz-Security-Token=canary\
                 &X-Amz-Expires=60&access_token=canary";
    let headers = [("x-old-key", "canary"), ("x-amz-security-token", "canary"), ("x-plain", "plain")];
    harness.send(request("GET", &format!("https://h/?{query}"), &headers)).await;
    let record = harness.last_record();
    assert_eq!(record.query, Some(query.replace("canary", "***")));
    assert_eq!(shown.map(|name| &*record.headers[name]), ["***", "***", "plain"]);
}
