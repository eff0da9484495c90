//! Metrics as lines of standard output, in CloudWatch's embedded metric format.

use faregate_tests::{Stack, Stores};
use serde_json::{Value, json};

use super::support::get;

/// A route that answers by itself, and metrics as these fields say.
fn document(metrics: &Value) -> Value {
    json!({
        "settings": {"refresh_seconds": 1, "metrics": metrics},
        "routes": [{"id": "r", "match": [{"path": "/here"}], "authenticate": "anonymous", "respond": {"body": "fine"}}],
    })
}

/// The lines of metrics among these.
fn emf<'a>(lines: impl IntoIterator<Item = &'a String>) -> Vec<Value> {
    let lines = lines.into_iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["_aws"]["CloudWatchMetrics"].is_array()).collect()
}

/// The sum of a metric over lines with exactly these dimensions, whose metrics are all declared.
fn sum(lines: &[Value], dimensions: &[&str], metric: &str) -> f64 {
    let numbers = lines.iter().filter_map(|line| {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Faregate");
        assert!(line["_aws"]["Timestamp"].as_u64().is_some_and(|time| time % 60_000 == 0), "{line}");
        let declared = directive["Metrics"].as_array().expect("metrics").iter().any(|known| known["Name"] == metric);
        assert_eq!(declared, !line[metric].is_null(), "{line}");
        if directive["Dimensions"] != json!([dimensions]) {
            return None;
        }
        match &line[metric] {
            Value::Object(values) => Some(values["Counts"].as_array()?.iter().filter_map(Value::as_f64).sum::<f64>()),
            number => number.as_f64(),
        }
    });
    numbers.sum()
}

#[tokio::test]
async fn a_gateway_writes_its_metrics_as_lines_where_the_document_says_so() {
    let document = document(&json!({"sink": "emf", "per_route": true, "flush_seconds": 1}));
    let stack = Stack::start_with(&document, |driver| driver.env("FAREGATE_GATEWAY", "prod")).await.expect("a stack");
    for path in ["/here", "/here", "/nowhere", "/here"] {
        stack.send(get(path)).await.expect("an answer");
    }
    stack.driver().wait_until_idle().await.expect("idle");
    let stopped = stack.driver().shutdown().await;
    let lines = emf(&stopped[0].log);
    assert!(lines.iter().all(|line| line["Gateway"] == "prod"), "{lines:?}");
    let of = |metric: &str| sum(&lines, &["Gateway"], metric);
    assert_eq!((of("Requests"), of("Errors4xx"), of("ColdStarts")), (4.0, 1.0, 1.0));
    assert_eq!((of("Latency"), of("BackendLatency")), (4.0, 0.0), "values count, each once");
    assert!(of("EstimatedCost") > 4.0 * 200e-9);
    let routes: Vec<Value> = lines.into_iter().filter(|line| line["Route"] == "r").collect();
    assert_eq!(sum(&routes, &["Gateway", "Route"], "Requests"), 3.0);
}

#[tokio::test]
async fn the_deployment_says_where_metrics_go_and_the_document_knows_better() {
    for (deployment, document_says, writes) in [
        ("emf", json!({}), true),
        ("off", json!({}), false),
        ("off", json!({"sink": "emf"}), true),
        ("emf", json!({"sink": "off"}), false),
    ] {
        let start = |driver: faregate_testing::driver::DriverBuilder| driver.env("FAREGATE_METRICS_SINK", deployment);
        let stack = Stack::start_with(&document(&document_says), start).await.expect("a stack");
        stack.send(get("/here")).await.expect("an answer");
        stack.driver().wait_until_idle().await.expect("idle");
        let log = stack.driver().shutdown().await.remove(0).log;
        let requests = sum(&emf(&log), &["Gateway"], "Requests");
        assert_eq!(requests, if writes { 1.0 } else { 0.0 }, "{deployment}, {document_says}");
        // Nobody takes metrics at CloudWatch's address here, which would be told.
        assert!(!log.iter().any(|line| line.contains("MetricsDelayed")), "{deployment}, {document_says}: {log:?}");
    }
}

#[tokio::test]
async fn a_publisher_counts_what_it_refuses_in_lines_too() {
    let stores = Stores::start().await.expect("tables");
    let bad = json!({"kind": {"S": "route"}, "id": {"S": "bad"}, "authenticate": {"S": "anonymus"}});
    let put = json!({"TableName": stores.tables().config, "Item": bad});
    stores.dynamodb().call("PutItem", &put).await.expect("written");
    for (sink, counted) in [("emf", 2.0), ("off", 0.0)] {
        let publisher = stores.function("publisher").expect("a driver").env("FAREGATE_METRICS_SINK", sink);
        let publisher = publisher.env("FAREGATE_GATEWAY", "prod").start().await.expect("a driver");
        let refused = publisher.invoke(&json!({"Records": []})).await.expect("an answer").json().expect("JSON");
        assert_eq!(refused, json!({"refused": 2}));
        let log = publisher.shutdown().await.remove(0).log;
        let lines = emf(&log);
        assert!(lines.iter().all(|line| line["Gateway"] == "prod"));
        assert_eq!(sum(&lines, &["Gateway"], "PublishRejected"), counted, "{sink}");
    }
}
