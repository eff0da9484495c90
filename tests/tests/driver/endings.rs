use faregate_testing::driver::Outcome;
use faregate_tests::{Backend, Stack};
use serde_json::json;

use super::support::{get, open_to};

#[tokio::test]
async fn sigterm_ends_the_environment_in_good_order_with_or_without_extensions() {
    for extensions in [true, false] {
        let backend = Backend::echo("b").await.expect("a backend");
        let stack =
            Stack::start_with(&open_to(&backend), |driver| driver.extensions(extensions)).await.expect("a stack");
        assert_eq!(stack.send(get("/")).await.expect("an answer").status.as_u16(), 200);
        assert_eq!(!stack.driver().environments()[0].extensions.is_empty(), extensions);
        let stopped = stack.driver().shutdown().await;
        assert!(stopped.iter().all(|stopped| stopped.status.is_some_and(|status| status.success())), "{stopped:?}");
        let warned = stack.driver().log_lines().iter().filter(|line| line.text.contains("no Extensions API")).count();
        assert_eq!(warned, usize::from(!extensions), "one warning");
    }
}

#[tokio::test]
async fn side_work_ends_before_the_next_invocation_is_asked_for() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = Stack::start(&open_to(&backend)).await.expect("a stack");
    for _ in 0..5 {
        assert_eq!(stack.send(get("/")).await.expect("an answer").status.as_u16(), 200);
    }
    stack.driver().wait_until_idle().await.expect("idle");
    let invocations = stack.driver().invocations();
    assert_eq!(invocations.len(), 5);
    for invocation in invocations {
        assert_eq!(invocation.outcome, Some(Outcome::Answered));
        assert!(invocation.next_asked.expect("asked again") >= invocation.answer_ended.expect("answered"));
    }
}

#[tokio::test]
async fn the_backends_time_is_bounded_and_each_bound_is_a_504() {
    // A port that takes connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("an address");
    for (scheme, timeouts, timeout_ms, cause) in [
        ("http", json!({"response_ms": 60}), 0, "no response headers in time"),
        ("http", json!({"response_ms": 0}), 60, "no response headers in time"),
        // To connect means TLS, too, and nobody says hello.
        ("https", json!({"connect_ms": 60, "response_ms": 0}), 0, "no connection in time"),
    ] {
        let document = json!({
            "backends": [{"id": "b", "targets": [{"url": format!("{scheme}://{address}")}], "timeouts": timeouts}],
            "routes": [{"id": "r", "authenticate": "anonymous", "forward": {"backend": "b", "timeout_ms": timeout_ms}}],
        });
        let stack = Stack::start(&document).await.expect("a stack");
        let answer = stack.send(get("/")).await.expect("an answer");
        assert_eq!(answer.status.as_u16(), 504);
        assert_eq!(answer.json::<serde_json::Value>().expect("a problem")["code"], "backend_timeout");
        stack.driver().wait_until_idle().await.expect("idle");
        assert!(stack.driver().log_lines().iter().any(|line| line.text.contains(cause)), "{timeouts}");
    }
}

#[tokio::test]
async fn an_invocation_whose_time_ends_is_answered_before_it_does() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let document = json!({
        "backends": [{"id": "b", "targets": [{"url": format!("http://{}", silent.local_addr().expect("an address"))}]}],
        "routes": [{"id": "r", "authenticate": "anonymous", "forward": {"backend": "b"}}],
    });
    let second = std::time::Duration::from_secs(1);
    let stack = Stack::start_with(&document, |driver| driver.timeout(second)).await.expect("a stack");
    let answer = stack.send(get("/")).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 504);
    assert_eq!(stack.driver().environments()[0].exits, 0);
}

#[tokio::test]
async fn loopback_is_out_of_reach_without_the_switch() {
    let backend = Backend::echo("b").await.expect("a backend");
    let refused = |answer: &faregate_tests::Answer| {
        (answer.status.as_u16(), answer.json::<serde_json::Value>().expect("a problem")["code"].clone())
    };
    let closed = Stack::start_with(&open_to(&backend), |driver| driver.env("FAREGATE_ALLOW_LOOPBACK", "0")).await;
    let answer = closed.expect("a stack").send(get("/")).await.expect("an answer");
    assert_eq!(refused(&answer), (502, json!("backend_failed")));
    assert!(!answer.text().contains("127.0.0.1"));
    assert!(backend.seen().is_empty());
}
