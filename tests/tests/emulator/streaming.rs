use std::sync::{Arc, Mutex};

use bytes::Bytes;
use faregate_tests::{Backend, open};
use http_body_util::{BodyExt, StreamBody};
use serde_json::json;
use tokio::sync::mpsc;

use super::dev::Dev;

#[tokio::test(flavor = "multi_thread")]
async fn server_sent_events_arrive_one_by_one() {
    let dev = Dev::start().await;
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let backend = Backend::serve("events", move |_| {
        let receiver = receiver.lock().expect("a lock").take().expect("one request");
        let frames = futures_util::stream::unfold(receiver, async |mut receiver| {
            let bytes = receiver.recv().await?;
            Some((Ok::<_, std::io::Error>(hyper::body::Frame::data(bytes)), receiver))
        });
        let answer = http::Response::builder().header("content-type", "text/event-stream");
        let answer = answer.body(StreamBody::new(frames).boxed_unsync()).expect("an answer");
        async move { answer }
    });
    let backend = backend.await.expect("a backend");
    let target = json!({"L": [{"M": {"url": {"S": backend.url()}}}]});
    dev.put_item("faregate-config", &json!({"kind": {"S": "backend"}, "id": {"S": "events"}, "targets": target})).await;
    dev.put_item(
        "faregate-config",
        &json!({
            "kind": {"S": "route"}, "id": {"S": "events"},
            "match": {"L": [{"M": {"path": {"M": {"exact": {"S": "/demo/events"}}}, "methods": {"SS": ["GET"]}}}]},
            "authenticate": {"S": "anonymous"},
            "forward": {"M": {"backend": {"S": "events"}}},
        }),
    )
    .await;
    // What is written later is published later or at once: when this one serves, the others do.
    dev.put_item(
        "faregate-config",
        &json!({
            "kind": {"S": "route"}, "id": {"S": "events-ready"},
            "match": {"L": [{"M": {"path": {"S": "/demo/events-ready"}}}]},
            "authenticate": {"S": "anonymous"}, "respond": {"M": {}},
        }),
    )
    .await;
    dev.call_until("/demo/events-ready", None, |answer| answer.status.as_u16() == 200).await;

    sender.send(Bytes::from_static(b"data: 1\n\n")).await.expect("sent");
    let request = http::Request::get("/demo/events").header("host", dev.gateway.to_string());
    let answer = open(dev.gateway, request.body(Bytes::new()).expect("a request")).await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    let mut body = answer.into_body();
    let mut received = Vec::new();
    while received != b"data: 1\n\n" {
        received.extend(body.frame().await.expect("a frame").expect("data").into_data().expect("data"));
    }
    // The first is here although the backend has not sent the second.
    sender.send(Bytes::from_static(b"data: 2\n\n")).await.expect("sent");
    while received != b"data: 1\n\ndata: 2\n\n" {
        received.extend(body.frame().await.expect("a frame").expect("data").into_data().expect("data"));
    }
    drop(sender);
    assert!(body.frame().await.is_none());
}
