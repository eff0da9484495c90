//! The access log, for events that are hostile in one place each: every request has its line, and every line is one of JSON.

use faregate_tests::{Backend, Stack};
use serde_json::{Value, json};

use super::support::{document, event};

/// What would end a line, and begin another with a level of its own.
const FORGED: &str = "\"}\n{\"level\":\"FORGED\",\"type\":\"request\"}";
/// The same without the line's end.
const FORGED_LINE: &str = "\"}\t{\"level\":\"FORGED\",\"type\":\"request\"}";
/// How many lines a second what the gateway refuses may leave.
const REFUSED_PER_SECOND: usize = 10;

/// An event that is hostile in one place only: the member at this JSON pointer.
fn hostile(pointer: &str, value: impl Into<Value>) -> Value {
    let mut event = event("/a");
    event["headers"]["user-agent"] = json!("a client");
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    event.pointer_mut(parent).expect("a place")[name] = value.into();
    event
}

/// Where an event is hostile, the event, its answer's status, and what its line shows at a JSON pointer, if anything.
type Case = (&'static str, Value, u16, Option<(&'static str, String)>);

fn events() -> Vec<Case> {
    let evil = |value: &str| hostile("/headers/x-evil", value);
    let shown = |header: &'static str, value: &str| Some((header, value.to_owned()));
    let in_evil = |value: &str| shown("/headers/x-evil", value);
    // 32 KB are for names and values together.
    let longest = "\"".repeat(32 * 1024 - 200);
    let query = "a=%0A%00%ff&b={%22level%22:%22FORGED%22}&c=\\'`";
    let forwarded = format!("{FORGED_LINE}, 192.0.2.7");
    let traceparent = format!("00-{FORGED_LINE}-01");
    let cut = |text: &str| format!("{}…", text.repeat(512));
    vec![
        ("a header's value", evil(FORGED_LINE), 200, in_evil(FORGED_LINE)),
        ("a line's end in a header's value", evil(FORGED), 400, None),
        ("an escape sequence in a header's value", evil("\u{1b}[31m"), 400, None),
        ("NUL in a header's value", evil("\0"), 400, None),
        ("text of no Latin", evil("\u{2028}\u{202e}\u{1f600}"), 200, in_evil("\u{2028}\u{202e}\u{1f600}")),
        // AWS makes a character of Latin-1 of each byte that a client sent.
        ("bytes that are no UTF-8", evil("\u{ff}\u{fe}\u{85}\u{9b}"), 200, in_evil(&"\u{fffd}".repeat(4))),
        ("a header as long as may be", evil(&longest), 200, in_evil(&cut("\""))),
        ("a header as long as may be, of euros", evil(&"\u{20ac}".repeat(10_800)), 200, in_evil(&cut("\u{20ac}"))),
        ("too long a header", evil(&"x".repeat(33_000)), 431, None),
        ("a header's name", hostile("/headers/x-\"}{", "x"), 400, None),
        ("a line's end in a header's name", hostile("/headers/x\n{", "x"), 400, None),
        ("the query", hostile("/rawQueryString", query), 200, shown("/query", query)),
        ("a line's end in the query", hostile("/rawQueryString", format!("a={FORGED}")), 400, None),
        ("a long query", hostile("/rawQueryString", "%22".repeat(2700)), 200, None),
        ("the host", hostile("/headers/host", "a\"}{"), 400, None),
        ("a line's end in the host", hostile("/headers/host", FORGED), 400, None),
        ("the user agent", hostile("/headers/user-agent", FORGED_LINE), 200, shown("/headers/user-agent", FORGED_LINE)),
        (
            "x-forwarded-for",
            hostile("/headers/x-forwarded-for", &*forwarded),
            200,
            shown("/headers/x-forwarded-for", &forwarded),
        ),
        ("the address", hostile("/requestContext/http/sourceIp", FORGED), 200, None),
        (
            "the request's id",
            hostile("/headers/x-request-id", FORGED_LINE),
            200,
            shown("/headers/x-request-id", FORGED_LINE),
        ),
        ("a long id", hostile("/headers/x-request-id", "a".repeat(5000)), 200, None),
        (
            "traceparent",
            hostile("/headers/traceparent", &*traceparent),
            200,
            shown("/headers/traceparent", &traceparent),
        ),
        ("X-Ray's header", hostile("/headers/x-amzn-trace-id", format!("Root=1-{FORGED_LINE};Self=x")), 200, None),
        ("a cookie", hostile("/cookies", json!([FORGED_LINE])), 200, shown("/headers/cookie", "***")),
        ("a line's end in a cookie", hostile("/cookies", json!([FORGED])), 400, None),
        ("the method", hostile("/requestContext/http/method", FORGED), 400, None),
        ("the path", hostile("/rawPath", FORGED), 400, None),
        ("an escaped path", hostile("/rawPath", "/%22%7D%7B%E2%80%A8"), 200, shown("/path", "/%22%7D%7B%E2%80%A8")),
        ("the body", hostile("/body", FORGED), 200, None),
    ]
}

fn logging(backend: &Backend) -> Value {
    let mut document = document(backend, &json!({}));
    document["settings"]["access_log"] = json!({"sample": 1, "query": true,
        "headers": ["user-agent", "x-forwarded-for", "x-request-id", "traceparent", "x-evil", "cookie"]});
    document
}

/// The lines of requests; every line is JSON that the gateway wrote.
async fn lines(stack: &Stack) -> Vec<Value> {
    stack.driver().wait_until_idle().await.expect("idle");
    let mut lines = Vec::new();
    for line in stack.driver().log_lines() {
        assert!(line.text.len() <= 4096, "{} bytes", line.text.len());
        let json: Value = serde_json::from_str(&line.text).unwrap_or_else(|error| panic!("{error}: {}", line.text));
        assert!(json["level"] == "INFO" || json["level"] == "WARN", "{}", line.text);
        if json["type"] == "request" {
            lines.push(json);
        }
    }
    lines
}

#[tokio::test]
async fn whatever_one_place_of_an_event_holds_its_line_is_one_of_json() {
    let backend = Backend::echo("b").await.expect("a backend");
    // An environment of their own for as many as leave a line in any case.
    for batch in events().chunks(REFUSED_PER_SECOND) {
        let stack = Stack::start(&logging(&backend)).await.expect("a stack");
        for (place, event, status, _) in batch {
            let raw = stack.driver().invoke(event).await.unwrap_or_else(|error| panic!("{place}: {error}"));
            assert_eq!(raw.json().expect("a prelude")["statusCode"], *status, "{place}");
        }
        let lines = lines(&stack).await;
        assert_eq!(lines.len(), batch.len(), "one line each");
        for ((place, _, status, shown), line) in batch.iter().zip(&lines) {
            assert_eq!((&line["status"], line["code"].is_null()), (&json!(status), *status == 200), "{place}");
            if let Some((pointer, text)) = shown {
                assert_eq!(line.pointer(pointer), Some(&json!(text)), "{place}");
            }
            // Ids are the gateway's own where what was sent has not their shape; of what is no request no trace is known.
            for id in ["request_id", "trace_id"] {
                let id = line[id].as_str().unwrap_or_else(|| panic!("{place}: {id}"));
                assert!(id.len() <= 32 && id.chars().all(|char| char.is_ascii_hexdigit()), "{place}: {id}");
            }
            if *status == 200 {
                assert_eq!(line["address"].is_null(), *place == "the address", "{place}");
            }
        }
    }
}

/// An event is JSON, which holds no bytes that are no UTF-8; what has them all the same is no event.
#[tokio::test]
async fn what_is_no_event_leaves_a_line_too() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = Stack::start(&logging(&backend)).await.expect("a stack");
    let event = serde_json::to_vec(&hostile("/headers/x-evil", "@")).expect("JSON");
    let at = event.iter().position(|byte| *byte == b'@').expect("the value");
    let values = [&b"\xff\xfe"[..], b"\\ud800", b"\n", b"\0"];
    for bytes in values {
        let event = [&event[..at], bytes, &event[at + 1..]].concat();
        stack.driver().invoke_bytes(event).await.expect("an answer");
    }
    let lines = lines(&stack).await;
    assert_eq!(lines.len(), values.len());
    assert!(lines.iter().all(|line| line["status"] == 400 && line["code"] == "request_invalid"), "{lines:?}");
}
