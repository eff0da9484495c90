//! The gateway under the Runtime API driver, and a local CloudWatch beside it: what was sent is what is read back.

use bytes::Bytes;
use faregate_tests::{Backend, LocalAws, Stack};
use http::Request;
use serde_json::{Value, json};

fn document(backend: &Backend) -> Value {
    json!({
        "settings": {"refresh_seconds": 1, "metrics": {"flush_seconds": 1}},
        "backends": [{"id": "b", "targets": [{"url": backend.url()}]}],
        "routes": [{"id": "all", "authenticate": "anonymous", "forward": {"backend": "b"}}],
    })
}

async fn calls(stack: &Stack, times: usize) {
    for _ in 0..times {
        let request = Request::get("/").header("host", "api.example.com").body(Bytes::new()).expect("a request");
        assert_eq!(stack.send(request).await.expect("an answer").status.as_u16(), 200);
    }
}

#[tokio::test]
async fn metrics_read_back_equal_the_requests_sent_also_after_an_outage_of_cloudwatch() {
    let backend = Backend::echo("b").await.expect("a backend");
    let port = LocalAws::free_port().expect("a port");
    let endpoint = format!("http://127.0.0.1:{port}");
    let start = |driver: faregate_testing::driver::DriverBuilder| driver.env("AWS_ENDPOINT_URL_CLOUDWATCH", &endpoint);
    let stack = Stack::start_with(&document(&backend), start).await.expect("a stack");
    // Nobody is there yet: what cannot be sent is kept, and a line says so.
    calls(&stack, 5).await;
    while !stack.driver().log_lines().iter().any(|line| line.text.contains("\"metric\":\"MetricsDelayed\"")) {
        calls(&stack, 1).await;
    }
    let aws = LocalAws::start(port).await.expect("AWS");
    calls(&stack, 7).await;
    stack.driver().wait_until_idle().await.expect("idle");
    let sent = stack.driver().invocations_total();
    // The environment is told to end, and sends the last ones.
    let stopped = stack.driver().shutdown().await;
    assert!(stopped.iter().all(|stopped| stopped.status.is_some_and(|status| status.success())), "{stopped:?}");
    assert_eq!(aws.metric_sum("Requests").await.expect("a sum"), sent as f64);
    assert_eq!(aws.metric_sum("ColdStarts").await.expect("a sum"), 1.0);
    assert!(aws.metric_sum("Latency").await.expect("a sum") > 0.0);
    assert_eq!(aws.metric_sum("Errors5xx").await.expect("a sum"), 0.0);
}
