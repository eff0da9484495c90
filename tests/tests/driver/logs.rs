//! The access log: valid, bounded lines whatever the request had, and no secret in any of them.

use bytes::Bytes;
use faregate_core::api_key::KeyHash;
use faregate_engine::ports::KeyAdmin;
use faregate_tests::{Backend, Stack};
use serde_json::{Value, json};

use super::support::{document, request};

const CANARY: &str = "canary-4f1d";

/// The lines of requests so far.
fn lines(stack: &Stack) -> Vec<Value> {
    let lines = stack.driver().log_lines();
    let json = lines.iter().filter(|line| line.text.contains("\"type\":\"request\""));
    json.map(|line| {
        assert!(line.text.len() <= 4096, "{} bytes", line.text.len());
        serde_json::from_str(&line.text).expect("JSON")
    })
    .collect()
}

#[tokio::test]
async fn hostile_requests_leave_valid_lines_and_secrets_none() {
    let backend = Backend::echo("b").await.expect("a backend");
    let authenticate = json!({"any_of": [{"api_key": {"header": "x-key", "query": "key"}}, "anonymous"]});
    let mut document = document(&backend, &json!({"authenticate": authenticate}));
    document["settings"]["access_log"] = json!({"sample": 1, "query": true, "redact": ["x-private"],
        "headers": ["user-agent", "x-key", "x-private", "cookie", "authorization"]});
    let stack = Stack::start(&document).await.expect("a stack");
    let item = json!({"key_hash": KeyHash::of(CANARY.as_bytes()).as_str(), "consumer": "acme"});
    assert!(stack.stores().keys().create(item.as_object().cloned().expect("an item")).await.expect("a table"));
    let hostile = [
        request("GET", "/a?b=1").header("x-key", CANARY),
        request("GET", &format!("/a?key={CANARY}&b=%00%0A")),
        request("GET", &format!("/a?k%65y={CANARY}")),
        request("GET", "/a").header("x-key", format!("{CANARY}-wrong")),
        request("GET", "/a").header("x-private", CANARY).header("cookie", CANARY).header("authorization", CANARY),
        request("GET", "/a").header("user-agent", "\u{9}\"\\".repeat(5000)),
        request("GET", &format!("/{}", "%7B%22".repeat(1000))).header("user-agent", "x".repeat(9000)),
        // Near the bound of 32 KB, which is for all headers together.
        request("GET", "/a").header("user-agent", "\"\\".repeat(16_200)),
        request("GET", "/a").header("user-agent", "\u{e9}".repeat(16_200)).header("x-key", CANARY),
    ];
    let sent = hostile.len();
    for request in hostile {
        stack.send(request.body(Bytes::new()).expect("a request")).await.expect("an answer");
    }
    stack.driver().wait_until_idle().await.expect("idle");

    let lines = lines(&stack);
    assert_eq!(lines.len(), sent, "one line each");
    for text in stack.driver().log_lines().iter().map(|line| &line.text) {
        assert!(!text.contains(CANARY), "{text}");
    }
    let redacted = &lines[0]["headers"];
    assert_eq!((&redacted["x-key"], &lines[0]["consumer"]), (&json!("***"), &json!("acme")));
    assert_eq!(lines[1]["query"], "key=***&b=%00%0A");
    let hidden = &lines[4]["headers"];
    assert_eq!(
        (&hidden["x-private"], &hidden["cookie"], &hidden["authorization"]),
        (&json!("***"), &json!("***"), &json!("***"))
    );
    let first = &lines[0];
    let times = ["duration_ms", "overhead_ms", "auth_ms", "limit_ms", "backend_ms", "body_ms"];
    assert!(times.iter().all(|name| first[name].is_number()), "{first}");
    assert!(first["cost_nanodollars"].as_u64().is_some_and(|cost| cost > 200), "{first}");
}

/// The spans that closed: their names, and the outermost one around each.
fn closed(stack: &Stack) -> Vec<(String, Value)> {
    let lines = stack.driver().log_lines();
    let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
    let closed = lines.filter(|line| line["message"] == "close");
    closed
        .map(|line| {
            let outermost = line["spans"].get(0).unwrap_or(&line["span"]);
            (line["span"]["name"].as_str().expect("a name").to_owned(), outermost.clone())
        })
        .collect()
}

#[tokio::test]
async fn every_phase_is_a_span_of_its_request() {
    let backend = Backend::echo("b").await.expect("a backend");
    let limit = json!([{"id": "daily", "limit": 100, "per": "day", "by": "consumer"}]);
    let mut document = document(&backend, &json!({"authenticate": "api_key", "limits": limit}));
    document["settings"]["access_log"] = json!({"sample": 1});
    let debug = |driver: faregate_testing::driver::DriverBuilder| driver.env("FAREGATE_LOG", "faregate_engine=debug");
    let stack = Stack::start_with(&document, debug).await.expect("a stack");
    let item = json!({"key_hash": KeyHash::of(CANARY.as_bytes()).as_str(), "consumer": "acme"});
    assert!(stack.stores().keys().create(item.as_object().cloned().expect("an item")).await.expect("a table"));
    let sent = request("GET", "/a").header("x-api-key", CANARY).header("x-request-id", "the-first-request");
    let answer = stack.send(sent.body(Bytes::new()).expect("a request")).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 200);
    stack.driver().wait_until_idle().await.expect("idle");

    let closed = closed(&stack);
    let names: Vec<&str> = closed.iter().map(|(name, _)| &**name).collect();
    let phases = ["decode", "snapshot", "edge", "match", "access", "authenticate", "authorise", "limit", "forward"];
    assert_eq!(names, [&phases[..], &["record", "request"]].concat());
    let record = lines(&stack).remove(0);
    assert_eq!(record["request_id"], "the-first-request");
    for (name, outermost) in &closed {
        let expected = json!({"name": "request", "request_id": record["request_id"], "trace_id": record["trace_id"]});
        assert_eq!(outermost, &expected, "{name}");
    }
    assert!(!stack.driver().log_lines().iter().any(|line| line.text.contains(CANARY)));
}
