//! The stack as `sam build` and `sam deploy` make it, in a local AWS, used as a new user would: items, the stream, the function
//! URL, a limit, metrics, log lines; with the dev profile of `samconfig.toml`, then with the other one, then deleted.
//!
//! `cargo xtask test` builds what is deployed here.

mod rules;
mod stack;

use faregate_tests::{Backend, LocalAws, Seen};
use serde_json::json;
use stack::{KEY, Profile, Stack, pass_on};

#[tokio::test]
async fn a_stack_is_deployed_used_changed_and_deleted_and_keeps_what_users_wrote() {
    let backend = Backend::echo("orders").await.expect("a backend");
    let (aws_port, cloudwatch_port) = (LocalAws::free_port().expect("a port"), LocalAws::free_port().expect("a port"));
    let aws = LocalAws::start(aws_port).await.expect("AWS");
    let mut stack = Stack::deploy(aws, Profile::Dev).await;
    stack.allow_loopback(cloudwatch_port).await;

    // Nothing is configured yet.
    assert_eq!(stack.get("/orders/7", Some(KEY)).await.0, 503);
    stack.put_configuration(&backend.url()).await;
    let (status, answer) = stack.get_once_it_serves("/orders/7", Some(KEY)).await;
    let seen: Seen = serde_json::from_value(answer).expect("what the backend saw");
    assert_eq!((status, &*seen.path, seen.values("x-faregate-consumer")), (200, "/orders/7", vec!["acme"]));
    assert_eq!(stack.refusal("/orders/7", None).await, (401, "credentials_missing".to_owned()));
    assert_eq!(stack.refusal("/unknown", Some(KEY)).await, (404, "route_not_found".to_owned()));

    // Five a day.
    for _ in 1..5 {
        assert_eq!(stack.get("/orders/7", Some(KEY)).await.0, 200);
    }
    assert_eq!(stack.refusal("/orders/7", Some(KEY)).await, (429, "quota_exhausted".to_owned()));

    log_lines_equal_the_requests(&stack).await;
    metrics_equal_the_requests(&mut stack, cloudwatch_port).await;

    // Again as production has it: parameters change, and everything that was written stays.
    assert_eq!((stack.retention_days("Gateway").await, stack.retention_days("Publisher").await), (Some(7), Some(7)));
    assert_eq!(stack.alarmed().await.len(), 0);
    let before = stack.data().await;
    stack.redeploy(Profile::Prod).await;
    assert_eq!((stack.retention_days("Gateway").await, stack.retention_days("Publisher").await), (Some(90), Some(90)));
    let alarmed = ["ApproximateNumberOfMessagesVisible", "ConfigAge", "PublishRejected", "Throttles", "Url5xxCount"];
    assert_eq!(stack.alarmed().await.iter().collect::<Vec<_>>(), alarmed);
    assert_eq!(stack.data().await, before);
    stack.allow_loopback(cloudwatch_port).await;
    let (status, answer) = stack.get_once_it_serves("/orders/7", Some(KEY)).await;
    assert_eq!((status, &answer["code"]), (429, &json!("quota_exhausted")), "what was used stays used");

    stack.delete().await;
    for (table, left) in [("Config", true), ("Keys", true), ("Usage", false)] {
        assert_eq!(stack.has_items(table).await, left, "{table}");
    }
    for (table, before) in ["Config", "Keys"].into_iter().zip(before) {
        let left = stack.items(table).await.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(left, before, "{table}, to the letter");
    }
}

/// Nobody listens where the gateway looks for CloudWatch; then somebody does, and gets what was kept.
async fn metrics_equal_the_requests(stack: &mut Stack, cloudwatch_port: u16) {
    assert_eq!(stack.metric_sum("Requests").await, 0.0);
    let _passing = pass_on(cloudwatch_port, &stack.aws).await;
    // What is sent beside a request is everything before it, and where that takes longer, the request too.
    let last = |answered: usize| [answered - 1, answered].map(|requests| requests as f64);
    while !last(stack.answered).contains(&stack.metric_sum("Requests").await) {
        stack.get("/orders/7", Some(KEY)).await;
    }
    let refused = stack.metric_sum("Errors4xx").await;
    assert!(last(stack.answered_4xx).contains(&refused), "{refused} of {}", stack.answered_4xx);
    assert_eq!(stack.metric_sum("ColdStarts").await, 1.0);
}

/// Each request has its line in the log group; the last one's may come with the next invocation. None of them is left out, since
/// fewer than ten a second were refused.
async fn log_lines_equal_the_requests(stack: &Stack) {
    let records = stack.records().await;
    assert!([stack.answered - 1, stack.answered].contains(&records.len()), "{} {records:?}", stack.answered);
    let with = |member: &str, value: &str| records.iter().filter(|record| record[member] == value).count();
    assert!(with("consumer", "acme") >= 5 && with("code", "credentials_missing") == 1, "{records:?}");
    assert!(!format!("{records:?}").contains(KEY), "a key is in no log");
}
