use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use faregate_testing::driver::{InvocationRecord, Outcome};
use faregate_tests::{Backend, DynamoDbProxy, Fate, Stack, Stores};
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

/// The first invocation beside which a poll was due that takes so long, and when that poll was answered.
async fn beside_a_poll_of(delay: Duration) -> (InvocationRecord, Option<Instant>) {
    let backend = Backend::echo("b").await.expect("a backend");
    let stores = Stores::start().await.expect("stores");
    stores.apply(&open_to(&backend)).await.expect("applied");
    let slow = Arc::new(AtomicBool::new(false));
    let is_slow = Arc::clone(&slow);
    let fate = move |_| if is_slow.load(Ordering::Relaxed) { Fate::Delayed(delay) } else { Fate::Passed };
    let proxy = DynamoDbProxy::start(stores.dynamodb().address(), "GetItem", fate).await.expect("a proxy");
    let driver = stores.gateway().expect("a driver").env("AWS_ENDPOINT_URL_DYNAMODB", proxy.url());
    let driver = driver.start().await.expect("an environment");
    let mut requests = 0;
    let mut call = async || {
        let answer = faregate_tests::send(driver.address(), get("/")).await.expect("an answer");
        assert_eq!(answer.status.as_u16(), 200);
        driver.wait_until_idle().await.expect("idle");
        requests += 1;
        assert!(requests < 10_000, "no poll was due");
    };
    call().await;
    slow.store(true, Ordering::Relaxed);
    let before = proxy.calls();
    while proxy.calls() == before {
        call().await;
    }
    let invocation = driver.invocations().last().cloned().expect("an invocation");
    let polled = proxy.late_at();
    // What became of the poll is no matter to the next one.
    call().await;
    assert_eq!(invocation.outcome, Some(Outcome::Answered));
    (invocation, polled)
}

#[tokio::test]
async fn side_work_ends_before_the_next_invocation_is_asked_for() {
    let (invocation, polled) = beside_a_poll_of(Duration::from_millis(400)).await;
    let asked = invocation.next_asked.expect("asked again");
    assert!(polled.is_some_and(|polled| polled <= asked), "{polled:?} {asked:?}");
}

#[tokio::test]
async fn side_work_that_does_not_end_is_given_up() {
    let (invocation, polled) = beside_a_poll_of(Duration::from_secs(3600)).await;
    let (answered, asked) = (invocation.answer_ended.expect("answered"), invocation.next_asked.expect("asked again"));
    // The SDK alone would give up after 2.5 s.
    let held = asked.duration_since(answered);
    assert!((Duration::from_millis(500)..Duration::from_secs(2)).contains(&held), "{held:?}");
    assert_eq!(polled, None);
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
    let second = Duration::from_secs(1);
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
