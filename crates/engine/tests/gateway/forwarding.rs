use std::time::Duration;

use bytes::Bytes;
use faregate_engine::{
    body::{BodyError, full},
    fakes::{FakeOutbound, frames},
    gateway::{Incoming, Peer, SideWork},
    ports::OutboundError,
};
use http::Response;
use http_body_util::BodyExt;
use serde_json::json;

use super::support::{Harness, forwarding, get, request};

#[tokio::test]
async fn the_backend_gets_the_request_and_who_sent_it() {
    let harness = Harness::new(forwarding(json!({
        "match": [{"path": {"prefix": "/api"}}],
        "forward": {"backend": "b", "path": "strip_prefix",
            "request_headers": {"set": {"x-tier": "gold"}, "add": {"accept": "b/b"}, "remove": ["cookie"]}},
    })))
    .await;
    let peer = Peer { address: Some([192, 0, 2, 1].into()), ..Peer::default() };
    let sent = request(
        "POST",
        "https://api.example.com/api/x%2Fy?q=%2f&&z",
        &[
            ("accept", "a/a"),
            ("cookie", "a=b"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x_faregate_consumer", "root"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("content-length", "4"),
            ("x-request-id", "mine-1"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fc"),
            ("tracestate", "a=b"),
            ("via", "1.1 before"),
        ],
    )
    .map(|_| Bytes::from_static(b"body"));
    assert_eq!(harness.take(Ok(sent), peer).await.status, 200);

    let sent = harness.outbound.requests().pop().expect("a request");
    assert_eq!((sent.method.as_str(), &*sent.origin.to_string()), ("POST", "http://backend.internal:8080"));
    assert_eq!((sent.path_and_query.as_str(), &sent.body[..]), ("/base/x%2Fy?q=%2f&&z", &b"body"[..]));
    let value = |name: &str| {
        let values: Vec<_> = sent.headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect();
        values.join("|")
    };
    assert_eq!(value("host"), "backend.internal:8080");
    assert_eq!(value("x-forwarded-for"), "192.0.2.1");
    assert_eq!(value("x-forwarded-host"), "api.example.com");
    assert_eq!(value("x-forwarded-proto"), "https");
    assert_eq!(value("x-request-id"), "mine-1");
    assert_eq!(value("via"), "1.1 before|1.1 faregate");
    assert_eq!((value("x-tier"), value("accept")), ("gold".into(), "a/a|b/b".into()));
    assert!(value("traceparent").starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
    assert!(value("traceparent").ends_with("-00") && !value("traceparent").contains("b7ad6b7169203331"));
    assert_eq!(value("tracestate"), "a=b");
    for gone in ["cookie", "x_faregate_consumer", "connection", "x-hop", "content-length", "x-faregate-consumer"] {
        assert!(!sent.headers.contains_key(gone), "{gone}");
    }
}

#[tokio::test]
async fn hosts_are_the_targets_the_clients_or_a_name() {
    for (host, expected) in [
        (json!("target"), "backend.internal:8080"),
        (json!("preserve"), "API.example.com:443"),
        (json!({"name": "orders.internal"}), "orders.internal"),
    ] {
        let harness = Harness::new(forwarding(json!({"forward": {"backend": "b", "host": host}}))).await;
        harness.get("https://API.example.com:443/").await;
        assert_eq!(harness.outbound.requests()[0].headers["host"], expected);
    }
}

#[tokio::test]
async fn weights_decide_and_a_backends_own_headers_are_its_own() {
    let harness = Harness::new(json!({
        "backends": [
            {"id": "a", "targets": [{"url": "http://a.internal"}]},
            {"id": "b", "targets": [{"url": "http://b.internal"}, {"url": "http://never.internal", "weight": 0}]},
        ],
        "routes": [{"id": "r", "authenticate": "anonymous", "forward": {"backends": [
            {"id": "a", "weight": 3},
            {"id": "b", "weight": 1, "request_headers": {"set": {"x-b": "1"}}},
        ]}}],
    }))
    .await;
    for _ in 0..400 {
        harness.get("https://h/").await;
    }
    let requests = harness.outbound.requests();
    let to_b = requests.iter().filter(|request| request.origin == "http://b.internal").count();
    assert!((60..140).contains(&to_b), "{to_b}");
    assert!(
        requests.iter().all(|request| request.headers.contains_key("x-b") == (request.origin == "http://b.internal"))
    );
}

#[tokio::test]
async fn the_answer_comes_back_without_what_belongs_to_the_backends_connection() {
    let outbound = FakeOutbound::answering(|_| {
        let answer = Response::builder()
            .status(418)
            .header("connection", "keep-alive, x-hop")
            .header("x-hop", "1")
            .header("keep-alive", "5")
            .header("transfer-encoding", "chunked")
            .header("server", "secret")
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .header("x-request-id", "theirs");
        Ok(answer.body(full("teapot")).expect("an answer"))
    });
    let forward = json!({"backend": "b", "response_headers": {"remove": ["server"], "set": {"x-by": "faregate"}}});
    let harness = Harness::with_outbound(forwarding(json!({"forward": forward})), outbound).await;
    let answer = harness.get("https://h/").await;
    assert_eq!((answer.status, &answer.body[..]), (418, &b"teapot"[..]));
    for gone in ["connection", "x-hop", "keep-alive", "transfer-encoding", "server"] {
        assert!(!answer.headers.contains_key(gone), "{gone}");
    }
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    assert_ne!(answer.header("x-request-id"), Some("theirs"));
    assert_eq!(answer.header("x-by"), Some("faregate"));
    assert_eq!(answer.header("cache-control"), None);
}

#[tokio::test]
async fn failures_have_codes_and_say_nothing_of_the_backend() {
    for (error, status, code) in [
        (OutboundError::Connect("10.1.2.3 refused".into()), 502, "backend_failed"),
        (OutboundError::AddressRefused("169.254.169.254".into()), 502, "backend_failed"),
        (OutboundError::BrokenAnswer("no HTTP".into()), 502, "backend_failed"),
        (OutboundError::ConnectTimeout, 504, "backend_timeout"),
        (OutboundError::ResponseTimeout, 504, "backend_timeout"),
        (OutboundError::InvalidUrl("x".into()), 400, "request_invalid"),
    ] {
        let harness = Harness::with_outbound(forwarding(json!({})), FakeOutbound::default()).await;
        harness.outbound.then(Err(error.clone()));
        let answer = harness.get("https://h/").await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
        let text = String::from_utf8(answer.body.to_vec()).expect("text");
        assert!(!text.contains("10.1.2.3") && !text.contains("backend.internal"), "{text}");
        assert_eq!(harness.last_record().cause, Some(error.to_string()));
    }
}

#[tokio::test]
async fn the_bounds_are_the_backends_the_routes_and_the_invocations() {
    let mut entries = forwarding(json!({"forward": {"backend": "b", "timeout_ms": 700}}));
    entries["backends"][0]["timeouts"] = json!({"connect_ms": 0, "response_ms": 900, "idle_ms": 5, "stream_ms": 6});
    let harness = Harness::new(entries).await;
    let remaining = Some(Duration::from_secs(3));
    let handled =
        harness.gateway.handle(Incoming { request: Ok(get("https://h/")), peer: Peer::default(), remaining }).await;
    handled.side_work.join(SideWork::LIMIT).await;
    let limits = harness.outbound.requests()[0].limits;
    assert_eq!((limits.connect, limits.response), (None, Some(Duration::from_millis(700))));
    assert_eq!((limits.idle, limits.stream), (Some(Duration::from_millis(5)), Some(Duration::from_millis(6))));
    assert_eq!(limits.invocation, Some(Duration::from_millis(2750)));
}

#[tokio::test]
async fn a_loop_ends_at_the_sixth_pass() {
    let harness = Harness::new(forwarding(json!({}))).await;
    let via = |passes: usize| vec!["1.1 faregate"; passes].join(", ");
    assert_eq!(harness.send(request("GET", "https://h/", &[("via", &via(4))])).await.status, 200);
    let answer = harness.send(request("GET", "https://h/", &[("via", &via(5))])).await;
    assert_eq!((answer.status, answer.code().as_str()), (508, "loop_detected"));
}

#[tokio::test]
async fn a_body_that_breaks_gets_no_byte_more_and_its_phase_is_recorded() {
    let outbound = FakeOutbound::default();
    let pieces = vec![Ok(Bytes::from_static(b"first")), Err(BodyError::Reset("gone".into()))];
    outbound.then(Ok(Response::new(frames(pieces))));
    let harness = Harness::with_outbound(forwarding(json!({})), outbound).await;
    let incoming = Incoming { request: Ok(get("https://h/")), peer: Peer::default(), remaining: None };
    let mut body = harness.gateway.handle(incoming).await.response.into_body();
    assert_eq!(body.frame().await.expect("a frame").expect("data").into_data().expect("data"), "first");
    assert!(body.frame().await.expect("a frame").is_err());
    let record = harness.last_record();
    assert_eq!((record.status, record.stream_error.as_deref(), record.body_bytes), (200, Some("reset"), 5));
}

#[tokio::test]
async fn an_answer_in_one_piece_becomes_a_problem_when_it_breaks_or_is_too_large() {
    for (pieces, code) in [
        (vec![Ok(Bytes::from_static(b"first")), Err(BodyError::Reset("gone".into()))], "backend_failed"),
        (vec![Ok(Bytes::from_static(b"first")), Err(BodyError::IdleTimeout)], "backend_timeout"),
        (vec![Ok(Bytes::from(vec![b'x'; 11]))], "response_too_large"),
    ] {
        let outbound = FakeOutbound::default();
        outbound.then(Ok(Response::builder().header("content-type", "a/b").body(frames(pieces)).expect("an answer")));
        let harness = Harness::with_outbound(forwarding(json!({})), outbound).await;
        let incoming = Incoming { request: Ok(get("https://h/")), peer: Peer::default(), remaining: None };
        let (mut parts, body) = harness.gateway.handle(incoming).await.response.into_parts();
        let body = body.collect_into(&mut parts, 10).await;
        let problem: serde_json::Value = serde_json::from_slice(&body).expect("a problem");
        assert_eq!(problem["code"], code);
        assert_eq!(problem["request_id"], parts.headers["x-request-id"].to_str().expect("an id"));
        assert_eq!(parts.headers["content-type"], "application/problem+json");
        let records = harness.telemetry.records();
        assert_eq!((records.len(), records[0].status), (1, parts.status.as_u16()));
    }
}
