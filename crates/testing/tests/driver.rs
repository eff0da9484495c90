//! The driver, driven: a real function binary behind it, real HTTP clients before it.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "driver/lifecycle.rs"]
mod lifecycle;
#[path = "driver/support.rs"]
mod support;

use bytes::Bytes;
use faregate_testing::driver::{Ending, Frame, Outcome, ResponseMode};
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use support::{Gate, at_gate, builder, get, send, text};

#[tokio::test]
async fn repeated_headers_arrive_joined_and_cookies_on_their_own() {
    let driver = builder().start().await.unwrap();
    let request = Request::post("/a%2Fb/../c?x=1&x=2")
        .header("host", "api.example")
        .header("X-Many", "1")
        .header("x-many", "2")
        .header("cookie", "a=1; b=2")
        .header("content-type", "application/octet-stream")
        .header("x-driver-source-ip", "198.51.100.7")
        .body(Bytes::from_static(b"\x00\xff"))
        .unwrap();
    let event: Value = serde_json::from_str(&text(send(&driver, request).await).await).unwrap();
    assert_eq!(event["rawPath"], "/a%2Fb/../c");
    assert_eq!(event["queryStringParameters"], json!({ "x": "1,2" }));
    assert_eq!(event["headers"]["x-many"], "1,2");
    assert_eq!(event["headers"]["host"], "api.example");
    assert_eq!(event["headers"].get("cookie"), None);
    assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("AP8="), &json!(true)));
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "198.51.100.7");
    let deadline: u64 = event["deadline"].as_str().unwrap().parse().unwrap();
    assert!(deadline > event["requestContext"]["timeEpoch"].as_u64().unwrap());
}

#[tokio::test]
async fn a_buffered_answer_becomes_status_headers_cookies_and_decoded_bytes() {
    let driver = builder().start().await.unwrap();
    let response = get(&driver, "/cookies").await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["x-one"], "1");
    assert_eq!(response.headers()["content-length"], "2");
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().as_ref(), b"\x00\xff");
}

#[tokio::test]
async fn a_client_gets_the_first_event_before_the_second_is_made() {
    let driver = builder().start().await.unwrap();
    let gate = Gate::new().await;
    let response = get(&driver, &format!("/stream?gate={}", gate.address())).await;
    assert_eq!(response.headers()["x-one"], "1");
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first.as_ref(), b"data: one\n\n");
    gate.open().await;
    let rest = body.collect().await.unwrap().to_bytes();
    assert_eq!(rest.as_ref(), b"data: two\n\n");
}

#[tokio::test]
async fn prelude_separator_and_data_are_seen_as_the_chunks_they_were() {
    let driver = builder().start().await.unwrap();
    let gate = Gate::new().await;
    let query = format!("gate={}", gate.address());
    let event = json!({ "rawPath": "/stream", "rawQueryString": query });
    let mut answer = driver.invoke_streaming(&event).await.unwrap();
    assert_eq!(answer.mode(), ResponseMode::Streaming);
    let mut chunks = Vec::new();
    for _ in 0..3 {
        let Some(Frame::Chunk(chunk)) = answer.next().await else { panic!("no chunk") };
        chunks.push(chunk);
    }
    assert!(chunks[0].starts_with(b"{") && chunks[0].ends_with(b"}"));
    assert_eq!(chunks[1].as_ref(), [0; 8]);
    assert_eq!(chunks[2].as_ref(), b"data: one\n\n");
    gate.open().await;
    let two = Bytes::from_static(b"data: two\n\n");
    assert_eq!(answer.next().await, Some(Frame::Chunk(two)));
    assert_eq!(answer.next().await, Some(Frame::Ended(Ending::Complete)));
    assert_eq!(answer.next().await, None);
}

#[tokio::test]
async fn error_trailers_abort_the_clients_body_and_add_nothing() {
    let driver = builder().start().await.unwrap();
    for path in ["/trailers", "/break", "/trailers"] {
        let mut body = get(&driver, path).await.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.as_ref(), b"data: one\n\n", "{path}");
        assert!(body.frame().await.unwrap().is_err(), "{path}");
    }
    let outcomes: Vec<_> = driver.invocations().iter().map(|record| record.outcome).collect();
    let expected = [Outcome::Failed, Outcome::Broken, Outcome::Failed];
    assert_eq!(outcomes, expected.map(Some));
}

#[tokio::test]
async fn a_raw_answer_tells_prelude_body_and_trailers_apart() {
    let driver = builder().start().await.unwrap();
    let answer = driver.invoke(&json!({ "rawPath": "/trailers" })).await.unwrap();
    assert_eq!(answer.json().unwrap()["statusCode"], 200);
    assert_eq!(answer.body.as_ref(), b"data: one\n\n");
    let failure = answer.failure().unwrap();
    assert_eq!(failure.error_type, "Function.Torn");
    assert_eq!(failure.error_body.as_deref(), Some("e30="));
}

#[tokio::test]
async fn a_reported_error_is_told_and_is_a_502_at_the_front() {
    let driver = builder().start().await.unwrap();
    let answer = driver.invoke(&json!({ "rawPath": "/error" })).await.unwrap();
    let Ending::Reported(report) = answer.ending else { panic!("{answer:?}") };
    assert_eq!(report.error_type.as_deref(), Some("Function.Unlucky"));
    assert!(report.body.starts_with(b"{\"errorMessage\""));
    let response = get(&driver, "/error").await;
    assert_eq!(response.status(), 502);
    assert_eq!(response.headers()["x-driver-error"], "reported");
}

#[tokio::test]
async fn the_environment_that_became_idle_last_is_chosen_first() {
    let driver = builder().environments(3).start().await.unwrap();
    driver.wait_until_idle().await.unwrap();
    let (first, second) = (Gate::new().await, Gate::new().await);
    let (one, two) = (at_gate(&first), at_gate(&second));
    let opened = async {
        // The second is let go first, and the first becomes idle after it.
        second.open().await;
        driver.wait_for_invocation(|record| record.next_asked.is_some()).await.unwrap();
        first.open().await;
    };
    let (one, two, ()) = tokio::join!(driver.invoke(&one), driver.invoke(&two), opened);
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.json().unwrap()["body"], two.json().unwrap()["body"]);
    driver.wait_until_idle().await.unwrap();
    for _ in 0..3 {
        let next = driver.invoke(&json!({ "rawPath": "/process" })).await.unwrap();
        assert_eq!(next.json().unwrap()["body"], one.json().unwrap()["body"]);
        driver.wait_until_idle().await.unwrap();
    }
}

#[tokio::test]
async fn a_request_waits_while_every_environment_is_busy() {
    let driver = builder().start().await.unwrap();
    let gate = Gate::new().await;
    let (busy, waiting) = (at_gate(&gate), json!({ "rawPath": "/process" }));
    let (busy, waiting, ()) = tokio::join!(driver.invoke(&busy), driver.invoke(&waiting), gate.open());
    assert_eq!(busy.unwrap().json().unwrap(), waiting.unwrap().json().unwrap());
    let records = driver.invocations();
    assert!(records[1].queued < records[0].answer_ended.unwrap());
    assert!(records[1].dispatched >= records[0].next_asked.unwrap());
}

#[tokio::test]
async fn a_concurrent_environment_runs_as_many_invocations_at_once_as_it_may() {
    let driver = builder().concurrency(2).start().await.unwrap();
    let gates = [Gate::new().await, Gate::new().await];
    let (one, two) = (at_gate(&gates[0]), at_gate(&gates[1]));
    let process = json!({ "rawPath": "/process" });
    let both_at_their_gates = async {
        let (mut first, mut second) = (gates[0].arrival().await, gates[1].arrival().await);
        assert_eq!(driver.environments()[0].running, 2);
        first.open().await;
        second.open().await;
    };
    let (one, two, third, ()) =
        tokio::join!(driver.invoke(&one), driver.invoke(&two), driver.invoke(&process), both_at_their_gates);
    assert!(one.is_ok() && two.is_ok() && third.is_ok());
    let records = driver.invocations();
    let mut ended = [records[0].answer_ended.unwrap(), records[1].answer_ended.unwrap()];
    ended.sort();
    assert!(records[2].dispatched >= ended[0]);
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_break_the_functions_answer() {
    let driver = builder().start().await.unwrap();
    let gate = Gate::new().await;
    let mut body = get(&driver, &format!("/stream?gate={}", gate.address())).await.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    drop(body);
    gate.open().await;
    let record = driver.wait_for_invocation(|record| record.outcome.is_some()).await.unwrap();
    assert_eq!(record.outcome, Some(Outcome::Answered));
}

#[tokio::test]
async fn side_work_after_the_answer_ends_before_the_next_invocation_is_asked_for() {
    let driver = builder().start().await.unwrap();
    let gate = Gate::new().await;
    let response = get(&driver, &format!("/side-work?gate={}", gate.address())).await;
    assert_eq!(response.status(), 200);
    let record = driver.invocations().pop().unwrap();
    assert!(record.answer_ended.is_some() && record.next_asked.is_none());
    gate.open().await;
    driver.wait_for_log(|line| line.text == "side work is over").await.unwrap();
    driver.wait_until_idle().await.unwrap();
    let record = driver.invocations().pop().unwrap();
    assert!(record.next_asked > record.answer_ended);
}
