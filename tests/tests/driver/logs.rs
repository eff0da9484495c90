//! The access log: valid, bounded lines whatever the request had, what is described in all of them, and no secret in any.

use std::{collections::BTreeSet, sync::Arc, time::SystemTime};

use bytes::Bytes;
use faregate_core::{api_key::KeyHash, time::Timestamp};
use faregate_engine::ports::KeyAdmin;
use faregate_tests::{Backend, Stack, full};
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::{net::TcpSocket, sync::Notify};

use super::support::{document, event, get, request};

const CANARY: &str = "canary-4f1d";

/// Where every field of a line is described.
const OPERATING: &str = include_str!("../../../docs/operating.md");

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
    add_key(&stack).await;
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

async fn add_key(stack: &Stack) {
    let item = json!({"key_hash": KeyHash::of(CANARY.as_bytes()).as_str(), "consumer": "acme"});
    assert!(stack.stores().keys().create(item.as_object().cloned().expect("an item")).await.expect("a table"));
}

#[tokio::test]
async fn a_line_has_no_query_and_no_header_unless_that_is_asked_for() {
    let backend = Backend::echo("b").await.expect("a backend");
    let mut document = document(&backend, &json!({}));
    document["settings"]["access_log"] = json!({"sample": 1});
    let stack = Stack::start(&document).await.expect("a stack");
    let sent = request("GET", &format!("/a?b={CANARY}")).header("user-agent", CANARY);
    let answer = stack.send(sent.body(Bytes::new()).expect("a request")).await.expect("an answer");
    assert!(answer.text().contains(CANARY), "the backend has both");
    stack.driver().wait_until_idle().await.expect("idle");

    let lines = lines(&stack);
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&line["path"], line.get("query"), line.get("headers")), (&json!("/a"), None, None));
    assert!(!stack.driver().log_lines().iter().any(|line| line.text.contains(CANARY)));
}

/// The names in the first cells of the table of fields.
fn described() -> BTreeSet<&'static str> {
    let log = OPERATING.split_once("## Access log").expect("a chapter").1;
    let table = log.split_once("| field | |").expect("a table").1.split_once("\n\n").expect("its end").0;
    let first_cells = table.lines().filter_map(|row| row.split('|').nth(1));
    first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

/// A backend whose answer to `/broken` breaks off when it is told to.
async fn breaking(told: Arc<Notify>) -> Backend {
    let answer = move |seen: faregate_tests::Seen| {
        let told = Arc::clone(&told);
        async move {
            let part = stream::once(async { Ok(hyper::body::Frame::data(Bytes::from_static(b"part"))) });
            let reset = stream::once(async move {
                told.notified().await;
                Err(std::io::Error::other("reset"))
            });
            let broken = StreamBody::new(part.chain(reset)).boxed_unsync();
            http::Response::new(if seen.path == "/broken" { broken } else { full("whole") })
        }
    };
    Backend::serve("b", answer).await.expect("a backend")
}

#[tokio::test]
async fn what_a_line_has_is_what_is_described() {
    let told = Arc::new(Notify::new());
    let backend = breaking(Arc::clone(&told)).await;
    let limit = json!([{"id": "daily", "limit": 100, "per": "day", "by": "consumer"}]);
    let mut document = document(&backend, &json!({"authenticate": "api_key", "limits": limit}));
    document["settings"]["access_log"] = json!({"sample": 1, "query": true, "headers": ["user-agent"]});
    // A port that is taken, on which nobody listens.
    let silent = TcpSocket::new_v4().expect("a socket");
    silent.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let gone = format!("http://{}", silent.local_addr().expect("an address"));
    document["backends"].as_array_mut().expect("a list").push(json!({"id": "gone", "targets": [{"url": gone}]}));
    document["routes"].as_array_mut().expect("a list").push(json!({"id": "gone", "match": [{"path": "/gone"}],
        "authenticate": "anonymous", "forward": {"backend": "gone"}}));
    let began = now();
    let stack = Stack::start(&document).await.expect("a stack");
    add_key(&stack).await;
    for path in ["/whole?a=1", "/gone?a=1", "/broken?a=1"] {
        let sent = request("GET", path).header("x-api-key", CANARY).header("user-agent", "a client");
        let answer = stack.open(sent.body(Bytes::new()).expect("a request")).await.expect("an answer");
        let mut body = answer.into_body();
        body.frame().await.expect("a frame").expect("its beginning");
        if path.starts_with("/broken") {
            told.notify_one();
        }
        while let Some(Ok(_)) = body.frame().await {}
    }
    stack.driver().wait_until_idle().await.expect("idle");

    let lines = lines(&stack);
    let [whole, gone, broken] = lines.as_slice() else { panic!("{lines:?}") };
    for line in [whole, gone, broken] {
        let names: BTreeSet<&str> = line.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(names, described());
        let at = line["timestamp"].as_str().expect("a time");
        assert!(*began <= *at && *at <= *now(), "{began} {at}");
        assert_eq!((&line["type"], &line["config_version"]), (&json!("request"), &json!(1)), "{line}");
    }
    let never = described().into_iter().filter(|name| lines.iter().all(|line| line[*name].is_null()));
    assert_eq!(never.collect::<Vec<_>>(), [""; 0], "each says something");
    let of = |line: &Value, names: [&str; 6]| names.map(|name| line[name].clone());
    let names = ["level", "status", "cold_start", "backend", "target", "body_bytes"];
    let target = format!("{}/", backend.url());
    let expected = [json!("INFO"), json!(200), json!(true), json!("b"), json!(target), json!(5)];
    assert_eq!(of(whole, names), expected);
    // The day begins with a write that fails its condition.
    assert_eq!(whole["lease_writes"], 2, "{whole}");
    assert_eq!(of(gone, names)[..4], [json!("ERROR"), json!(502), json!(false), json!("gone")]);
    assert_eq!(of(broken, names)[..4], [json!("INFO"), json!(200), json!(false), json!("b")]);
    assert_eq!((&broken["stream_error"], &broken["body_bytes"]), (&json!("reset"), &json!(4)));
}

/// The machine's time, as lines have it.
fn now() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    Timestamp::from_millis(u64::try_from(since.as_millis()).expect("before the year 500 million")).rfc3339()
}

/// AWS does not promise that a function URL's events have the header; the invocation itself always has the id.
#[tokio::test]
async fn x_rays_id_is_the_invocations_own() {
    let backend = Backend::echo("b").await.expect("a backend");
    let mut document = document(&backend, &json!({}));
    document["settings"]["access_log"] = json!({"sample": 1});
    let stack = Stack::start(&document).await.expect("a stack");
    let mut with_header = event("/a");
    with_header["headers"]["x-amzn-trace-id"] = json!("Root=1-00000000-of-a-client");
    let mut no_request = event("/a");
    no_request["rawPath"] = json!("no path");
    for event in [event("/a"), with_header, no_request] {
        stack.driver().invoke(&event).await.expect("an answer");
    }
    stack.send(get("/a")).await.expect("an answer");
    stack.driver().wait_until_idle().await.expect("idle");
    let seen = backend.seen();
    let passed_on = seen.iter().flat_map(|seen| seen.values("x-amzn-trace-id")).collect::<Vec<_>>();
    let lines = lines(&stack);
    assert_eq!(lines.len(), 4);
    let ids: BTreeSet<&str> = lines.iter().map(|line| line["xray_trace_id"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), 4, "{ids:?}: each invocation has its own");
    assert!(ids.iter().all(|id| id.starts_with("1-") && !id.ends_with("client")), "{ids:?}");
    let last = lines[3]["xray_trace_id"].as_str().expect("an id");
    assert!(passed_on.iter().any(|header| header.starts_with(&format!("Root={last};"))), "{last}: {passed_on:?}");
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
    add_key(&stack).await;
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
