use std::time::Duration;

use faregate_engine::gateway::Peer;
use serde_json::{Value, json};

use super::support::{Harness, forwarding, request};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn behind_an_edge(values: Value) -> Value {
    let mut entries = forwarding(json!({"hosts": ["api.example.com"], "access": {"allow": ["203.0.113.0/24"]}}));
    entries["settings"] = json!({"edge": {"secret": {"values": values}}});
    entries
}

const WHOLE: [(&str, &str); 3] =
    [("x-faregate-edge", SECRET), ("x-faregate-client-address", "203.0.113.9"), ("x-faregate-host", "api.example.com")];

#[tokio::test]
async fn host_and_address_come_from_the_edge_and_its_headers_go_no_further() {
    let harness = Harness::new(behind_an_edge(json!([{"ssm": "/faregate/edge"}]))).await;
    harness.secrets.set("/faregate/edge", SECRET);
    let answer = harness.send(request("GET", "https://abc.lambda-url.on.aws/", &WHOLE)).await;
    assert_eq!(answer.status, 200);
    let sent = harness.outbound.requests().pop().expect("a request").headers;
    assert_eq!(
        (&sent["x-forwarded-for"], &sent["x-forwarded-host"]),
        (&"203.0.113.9".parse().expect("a value"), &"api.example.com".parse().expect("a value"))
    );
    assert!(WHOLE.iter().all(|(name, _)| !sent.contains_key(*name)));
    assert!(!format!("{:?}", harness.telemetry.records()).contains(SECRET));
}

#[tokio::test]
async fn without_the_secret_nothing_is_read_but_the_secret() {
    let harness = Harness::new(behind_an_edge(json!([{"ssm": "/faregate/edge"}]))).await;
    harness.secrets.set("/faregate/edge", SECRET);
    let twice = ("x-faregate-edge", SECRET);
    let wrong = ("x-faregate-edge", "0123456789abcdef0123456789abcdeX");
    for (headers, reads) in
        [(&WHOLE[1..], 0), (&[twice, twice, WHOLE[1], WHOLE[2]][..], 0), (&[wrong, WHOLE[1], WHOLE[2]][..], 2)]
    {
        let answer = harness.send(request("GET", "https://api.example.com/", headers)).await;
        assert_eq!(answer.code(), "access_denied");
        assert_eq!(harness.secrets.reads(), reads, "{headers:?}");
    }
    assert_eq!(harness.keys.gets(), 0);
    assert!(harness.outbound.requests().is_empty());
}

#[tokio::test]
async fn refusals_let_a_newer_snapshot_in_and_metrics_out() {
    let mut document = behind_an_edge(json!([{"ssm": "/faregate/edge"}]));
    document["settings"]["metrics"] = json!({"flush_seconds": 3});
    let harness = Harness::new(document).await;
    let refused = async || harness.send(request("GET", "https://h/", &WHOLE[1..])).await.status;
    assert_eq!(refused().await, 403);
    let mut open = forwarding(json!({}));
    open["settings"] = json!({"refresh_seconds": 10});
    harness.publish(open).await;
    harness.clock.advance(Duration::from_secs(11));
    assert_eq!(refused().await, 403, "polled beside this one");
    assert_eq!(harness.sink.faults.count("put"), 1);
    assert_eq!(refused().await, 200, "there is no edge any more");
}

#[tokio::test]
async fn either_of_two_secrets_will_do_and_none_readable_is_closed() {
    let harness = Harness::new(behind_an_edge(json!([{"ssm": "/old"}, {"ssm": "/new"}]))).await;
    let answer = harness.send(request("GET", "https://h/", &WHOLE)).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "dependency_unavailable"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    harness.secrets.set("/new", SECRET);
    assert_eq!(harness.send(request("GET", "https://h/", &WHOLE)).await.status, 200);
    harness.secrets.set("/old", "fedcba9876543210fedcba9876543210");
    assert_eq!(harness.send(request("GET", "https://h/", &WHOLE)).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn secrets_that_do_not_come_are_waited_for_no_longer_than_the_invocation_can() {
    let harness = Harness::new(behind_an_edge(json!([{"ssm": "/faregate/edge"}]))).await;
    harness.secrets.set_hanging(true);
    let started = tokio::time::Instant::now();
    let answer = harness.take_within(Duration::from_secs(3), request("GET", "https://h/", &WHOLE)).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "dependency_unavailable"));
    assert!(started.elapsed() <= Duration::from_millis(2751), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_secret_that_the_edge_has_anew_is_read_anew() {
    let harness = Harness::new(behind_an_edge(json!([{"ssm": "/faregate/edge"}]))).await;
    harness.secrets.set("/faregate/edge", "fedcba9876543210fedcba9876543210");
    assert_eq!(harness.send(request("GET", "https://h/", &WHOLE)).await.status, 403);
    harness.secrets.then("/faregate/edge", SECRET);
    assert_eq!(harness.send(request("GET", "https://h/", &WHOLE)).await.status, 200);
}

#[tokio::test]
async fn trusted_hops_pick_the_address_of_events_that_have_a_list() {
    let mut entries = forwarding(json!({"access": {"allow": ["203.0.113.1"]}}));
    entries["settings"] = json!({"trusted_hops": 1});
    let harness = Harness::new(entries).await;
    let peer = Peer {
        address: Some([10, 0, 0, 1].into()),
        forwarded_for: vec![[198, 51, 100, 1].into(), [203, 0, 113, 1].into()],
        ..Peer::default()
    };
    assert_eq!(harness.take(Ok(request("GET", "https://h/", &[])), peer).await.status, 200);
    let other = Peer { address: Some([10, 0, 0, 1].into()), ..Peer::default() };
    assert_eq!(harness.take(Ok(request("GET", "https://h/", &[])), other).await.status, 403);
}
