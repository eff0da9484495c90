//! The gateway's binary, built with the feature and without it, under the Runtime API driver.

use bytes::Bytes;
use faregate_tests::{Backend, Stores, send};
use http::Request;
use serde_json::json;

use super::{PARENT, TRACE, hex, spans};

/// What reaches the collector of a request of a client's trace, through the binary of this name.
async fn collected(binary: &str) -> Backend {
    let (backend, collector) =
        (Backend::echo("b").await.expect("a backend"), Backend::echo("collector").await.expect("a collector"));
    let stores = Stores::start().await.expect("tables");
    let document = json!({
        "backends": [{"id": "b", "targets": [{"url": backend.url()}]}],
        "routes": [{"id": "orders", "authenticate": "anonymous", "forward": {"backend": "b"}}],
    });
    stores.apply(&document).await.expect("applied");
    let gateway = stores.function(binary).expect("a binary, which `cargo xtask test` builds").function_name("gateway");
    let gateway = gateway.env("FAREGATE_ALLOW_LOOPBACK", "1").env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
    let gateway = gateway.start().await.expect("an environment");
    let request = Request::get("/orders/7").header("host", "api.example.com");
    let request = request.header("traceparent", format!("00-{TRACE}-{PARENT}-01")).body(Bytes::new());
    let answer = send(gateway.address(), request.expect("a request")).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    // Spans leave before the next invocation is asked for.
    gateway.wait_until_idle().await.expect("idle");
    collector
}

#[tokio::test]
async fn the_gateway_with_the_feature_sends_its_spans_and_the_one_without_it_none() {
    let (spans, services) = spans(&collected("otlp/gateway").await);
    assert!(services.len() == 1 && services[0].contains("faregate"), "{services:?}");
    let (root, forward) = (&spans["GET orders"], &spans["forward"]);
    assert_eq!((hex(&root.trace_id), hex(&root.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!((&forward.trace_id, &forward.parent_span_id), (&root.trace_id, &root.span_id));
    assert_eq!(collected("gateway").await.seen().len(), 0);
}
