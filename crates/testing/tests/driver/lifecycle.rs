//! Starting, dying and shutting down.

use std::time::Duration;

use faregate_testing::driver::{Driver, DriverError, Outcome};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::{Gate, builder, get};

#[tokio::test]
async fn a_shutdown_is_an_event_and_a_signal() {
    let driver = builder().env("FUNCTION_EXTENSION", "1").start().await.unwrap();
    assert_eq!(driver.environments()[0].extensions, ["echo"]);
    let stopped = driver.shutdown().await.remove(0);
    assert_eq!(stopped.status.unwrap().code(), Some(0));
    assert!(stopped.log.contains(&"terminated".to_owned()), "{stopped:?}");
    let registered = stopped.log.iter().find_map(|line| line.strip_prefix("registered: "));
    let expected = json!({ "functionName": "echo", "functionVersion": "$LATEST", "handler": "bootstrap" });
    assert_eq!(serde_json::from_str::<Value>(registered.unwrap()).unwrap(), expected);
    let refused = driver.invoke(&json!({})).await.unwrap_err();
    assert!(matches!(refused, DriverError::NoEnvironment));
}

#[tokio::test]
async fn an_extension_gets_the_shutdown_event() {
    let driver = builder().env("FUNCTION_EXTENSION", "1").env("FUNCTION_TERMINATION", "ignored").start().await.unwrap();
    let stopped = driver.shutdown().await.remove(0);
    let event = stopped.log.iter().find_map(|line| line.strip_prefix("event: "));
    let event: Value = serde_json::from_str(event.unwrap()).unwrap();
    assert_eq!(event["eventType"], "SHUTDOWN");
    assert_eq!(event["shutdownReason"], "spindown");
    assert!(event["deadlineMs"].as_u64().is_some());
    assert_eq!(stopped.status.unwrap().code(), None, "it ignores SIGTERM and is killed");
}

#[tokio::test]
async fn without_an_extensions_api_registration_is_not_found() {
    let starting = builder().env("FUNCTION_EXTENSION", "1").extensions(false).start().await;
    let driver = starting.unwrap();
    let line = driver.wait_for_log(|line| line.text.starts_with("registered: ")).await.unwrap();
    assert!(line.text.contains("NotFound"));
    assert_eq!(driver.environments()[0].extensions, [] as [&str; 0]);
}

#[tokio::test]
async fn a_process_that_dies_is_a_502_and_is_not_replaced() {
    let driver = builder().start().await.unwrap();
    let response = get(&driver, "/die").await;
    assert_eq!(response.status(), 502);
    assert_eq!(response.headers()["x-driver-error"], "exited");
    let environment = driver.environments().remove(0);
    assert!(!environment.alive && environment.pid.is_none());
    assert_eq!(environment.last_exit.unwrap().code(), Some(3));
    assert_eq!(get(&driver, "/process").await.headers()["x-driver-error"], "no-environment");
}

#[tokio::test]
async fn a_process_that_dies_is_replaced_on_request() {
    let driver = builder().restart(true).start().await.unwrap();
    assert_eq!(get(&driver, "/die").await.status(), 502);
    assert_eq!(get(&driver, "/process").await.status(), 200);
    assert_eq!(driver.environments()[0].exits, 1);
}

#[tokio::test]
async fn a_process_that_dies_within_an_answer_breaks_the_clients_body() {
    let driver = builder().start().await.unwrap();
    let gate = Gate::new().await;
    let mut body = get(&driver, &format!("/die-midway?gate={}", gate.address())).await.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    gate.open().await;
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn a_killed_environment_gets_no_more_invocations() {
    let driver = builder().environments(2).start().await.unwrap();
    let status = driver.kill(1).await.unwrap();
    assert_eq!(status.code(), None);
    for _ in 0..3 {
        assert_eq!(get(&driver, "/process").await.status(), 200);
    }
    assert!(driver.invocations().iter().all(|record| record.environment == 0));
    let unknown = driver.kill(2).await;
    assert!(matches!(unknown, Err(DriverError::UnknownEnvironment(2))));
}

#[tokio::test]
async fn an_invocation_past_its_deadline_costs_the_process() {
    let driver = builder().timeout(Duration::from_millis(50)).start().await.unwrap();
    let gate = Gate::new().await;
    let response = get(&driver, &format!("/gate?gate={}", gate.address())).await;
    assert_eq!(response.headers()["x-driver-error"], "timed-out");
    assert_eq!(driver.invocations()[0].outcome, Some(Outcome::TimedOut));
    assert_eq!(driver.kill(0).await.unwrap().code(), None);
}

#[tokio::test]
async fn a_start_that_fails_says_why() {
    let exit = builder().env("FUNCTION_INIT", "exit").start().await.unwrap_err();
    let DriverError::EndedAtStart { status, log, .. } = exit else { panic!("{exit}") };
    assert_eq!((status.as_str(), log.as_str()), ("exit status: 7", "function echo starts"));
    let error = builder().env("FUNCTION_INIT", "error").start().await.unwrap_err();
    let DriverError::InitFailed { report, .. } = error else { panic!("{error}") };
    assert_eq!(report.error_type.as_deref(), Some("Function.NoConfig"));
    let missing = Driver::builder("/no/such/function").start().await;
    assert!(matches!(missing, Err(DriverError::Spawn { .. })));
}
