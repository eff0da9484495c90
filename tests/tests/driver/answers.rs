use std::sync::{Arc, Mutex};

use bytes::Bytes;
use faregate_testing::driver::{Ending, Frame, ResponseMode};
use faregate_tests::{Backend, BackendBody, Stack};
use http_body_util::{BodyExt, StreamBody};
use serde_json::json;
use tokio::sync::mpsc;

use super::support::{event, get, open_to};

/// A body of what the channel brings; an error breaks the connection.
fn channel_body(receiver: mpsc::Receiver<std::io::Result<Bytes>>) -> BackendBody {
    let frames = futures_util::stream::unfold(receiver, async |mut receiver| {
        let frame = receiver.recv().await?;
        Some((frame.map(hyper::body::Frame::data), receiver))
    });
    StreamBody::new(frames).boxed_unsync()
}

/// A backend whose one answer has the body that the test writes, piece by piece.
async fn written() -> (Backend, mpsc::Sender<std::io::Result<Bytes>>) {
    let (sender, receiver) = mpsc::channel(1);
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let backend = Backend::serve("b", move |_| {
        let receiver = receiver.lock().expect("a lock").take().expect("one request");
        async move {
            let answer = http::Response::builder().header("content-type", "text/event-stream");
            answer.body(channel_body(receiver)).expect("an answer")
        }
    });
    (backend.await.expect("a backend"), sender)
}

#[tokio::test]
async fn server_sent_events_arrive_one_by_one() {
    let (backend, sender) = written().await;
    let stack = Stack::start(&open_to(&backend)).await.expect("a stack");
    sender.send(Ok(Bytes::from_static(b"data: 1\n\n"))).await.expect("sent");
    let mut answer = stack.open(get("/events")).await.expect("an answer").into_body();
    // The first is here although the second was not sent yet.
    assert_eq!(answer.frame().await.expect("a frame").expect("data").into_data().expect("data"), "data: 1\n\n");
    sender.send(Ok(Bytes::from_static(b"data: 2\n\n"))).await.expect("sent");
    assert_eq!(answer.frame().await.expect("a frame").expect("data").into_data().expect("data"), "data: 2\n\n");
    drop(sender);
    assert!(answer.frame().await.is_none());
}

#[tokio::test]
async fn a_backend_reset_ends_in_trailers_and_adds_no_byte() {
    let (backend, sender) = written().await;
    let stack = Stack::start(&open_to(&backend)).await.expect("a stack");
    let mut stream = stack.driver().invoke_streaming(&event("/")).await.expect("an answer");
    sender.send(Ok(Bytes::from_static(b"first"))).await.expect("sent");
    let mut body = Vec::new();
    let ending = loop {
        match stream.next().await.expect("a frame") {
            Frame::Chunk(bytes) => {
                body.extend_from_slice(&bytes);
                if body.ends_with(b"first") {
                    let _ = sender.send(Err(std::io::Error::other("reset"))).await;
                }
            }
            Frame::Ended(ending) => break ending,
        }
    };
    let separator = body.windows(8).position(|bytes| bytes == [0; 8]).expect("a separator");
    assert_eq!(&body[separator + 8..], b"first");
    let Ending::Failed(failure) = ending else { panic!("{ending:?}") };
    assert!(failure.error_type.contains("reset"), "{failure:?}");
    let said = format!("{failure:?}");
    assert!(!said.contains("127.0.0.1") && !said.contains("tests"), "{said}");

    let line =
        stack.driver().wait_for_log(|line| line.text.contains("\"stream_error\":\"reset\"")).await.expect("a record");
    let record: serde_json::Value = serde_json::from_str(&line.text).expect("JSON");
    assert_eq!((&record["status"], &record["body_bytes"]), (&json!(200), &json!(5)));
    assert_eq!(stack.driver().environments()[0].exits, 0);
}

#[tokio::test]
async fn the_client_of_a_backend_that_resets_sees_a_broken_body() {
    let (backend, sender) = written().await;
    let stack = Stack::start(&open_to(&backend)).await.expect("a stack");
    sender.send(Ok(Bytes::from_static(b"first"))).await.expect("sent");
    let mut answer = stack.open(get("/")).await.expect("an answer").into_body();
    assert_eq!(answer.frame().await.expect("a frame").expect("data").into_data().expect("data"), "first");
    sender.send(Err(std::io::Error::other("reset"))).await.expect("sent");
    let broken = answer.frame().await.expect("an end that is told");
    assert!(broken.is_err(), "{broken:?}");
}

#[tokio::test]
async fn answers_are_streamed_behind_a_prelude_of_their_own() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = Stack::start(&open_to(&backend)).await.expect("a stack");
    let raw = stack.driver().invoke(&event("/x")).await.expect("an answer");
    assert_eq!((raw.mode, &raw.ending), (ResponseMode::Streaming, &Ending::Complete));
    assert_eq!(raw.content_type.as_deref(), Some("application/vnd.awslambda.http-integration-response"));
    let head = raw.json().expect("a prelude");
    assert_eq!(head["statusCode"], 200);
    assert_eq!(head["headers"]["content-length"], serde_json::Value::Null);
}

/// Answers `count` times 64 KB.
async fn large(count: usize) -> Backend {
    let chunk = Bytes::from(vec![b'x'; 65_536]);
    let answer = move |_| {
        let chunk = chunk.clone();
        let frames = (0..count).map(move |_| Ok::<_, std::io::Error>(hyper::body::Frame::data(chunk.clone())));
        let body = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
        async move { http::Response::new(body) }
    };
    Backend::serve("b", answer).await.expect("a backend")
}

/// Resident memory of a process in KB.
fn resident_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("its memory");
    line.split_whitespace().nth(1).expect("a figure").parse().expect("a number")
}

async fn streamed_bytes(stack: &Stack) -> usize {
    let mut body = stack.open(get("/large")).await.expect("an answer").into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.expect("a whole body").into_data().expect("data").len();
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_megabytes_take_no_more_memory_than_five() {
    let mut peaks = Vec::new();
    for count in [80, 800] {
        let backend = large(count).await;
        let stack = Stack::start(&open_to(&backend)).await.expect("a stack");
        assert_eq!(streamed_bytes(&stack).await, count * 65_536);
        let pid = stack.driver().environments()[0].pid.expect("a process");
        peaks.push(resident_kb(pid));
    }
    assert!(peaks[1] < peaks[0] + 4 * 1024, "{peaks:?} KB");
}

#[tokio::test]
async fn buffered_answers_are_base64_and_bounded() {
    let backend = Backend::serve("b", async |seen| {
        let large = seen.path == "/large";
        let body = if large { vec![b'x'; 5_000_000] } else { vec![0xff, 0x00] };
        http::Response::builder().header("set-cookie", "a=1").body(faregate_tests::full(body)).expect("an answer")
    });
    let backend = backend.await.expect("a backend");
    let document = open_to(&backend);
    let stack = Stack::start_with(&document, |driver| driver.env("FAREGATE_INVOKE_MODE", "buffered"));
    let stack = stack.await.expect("a stack");
    let raw = stack.driver().invoke(&event("/small")).await.expect("an answer");
    assert_eq!(raw.mode, ResponseMode::Buffered);
    let answer = raw.json().expect("JSON");
    assert_eq!((&answer["body"], &answer["isBase64Encoded"]), (&json!("/wA="), &json!(true)));
    assert_eq!(answer["cookies"], json!(["a=1"]));
    let large = stack.send(get("/large")).await.expect("an answer");
    assert_eq!(large.status.as_u16(), 502);
    assert_eq!(large.json::<serde_json::Value>().expect("a problem")["code"], "response_too_large");
}

#[tokio::test]
async fn rest_and_load_balancer_events_are_answered_in_their_own_form() {
    let backend = Backend::serve("b", async |_| {
        let answer = http::Response::builder().header("x-a", "1").header("x-a", "2").header("set-cookie", "c=1");
        answer.body(faregate_tests::full("ok")).expect("an answer")
    });
    let backend = backend.await.expect("a backend");
    let stack = Stack::start(&open_to(&backend)).await.expect("a stack");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(format!("{folder}/{name}.json")).expect("an event")).expect("JSON")
    };
    for (name, field) in [
        ("rest/multi-value", "/multiValueHeaders/x-a"),
        ("alb/multi-value", "/multiValueHeaders/x-a"),
        ("alb/get", "/headers/x-a"),
        ("http-api/get", "/headers/x-a"),
    ] {
        let raw = stack.driver().invoke(&read(name)).await.expect("an answer");
        assert_eq!(raw.mode, ResponseMode::Buffered, "{name}");
        let answer = raw.json().expect("JSON");
        assert_eq!(answer["statusCode"], 200, "{name}");
        let expected = if field.starts_with("/multi") { json!(["1", "2"]) } else { json!("1, 2") };
        assert_eq!(answer.pointer(field), Some(&expected), "{name}");
    }
}
