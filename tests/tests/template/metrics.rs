//! What the dashboard shows and the alarms watch, beside what the gateway writes and what `docs/operating.md` describes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use faregate_core::{cost::Machine, document::Kind, policy::telemetry::Sink, time::Timestamp};
use faregate_engine::{
    body::full,
    fakes::{
        FakeClock, FakeConfigStore, FakeCounters, FakeKeyStore, FakeMetricSink, FakeOutbound, FakeRandom, FakeSecrets,
        FakeTelemetry,
    },
    gateway::{Gateway, Incoming, Peer, Ports, SideWork},
    ports::{Metric, MetricSink, MetricSinks, Series, StoredEntry},
    publish::{PublishOptions, publish},
};
use faregate_lambda::{emf::EmfSink, telemetry::Lines};
use http::{Request, Response};
use http_body_util::BodyExt;
use saphyr::Yaml;
use serde_json::{Value, json};

use super::{DASHBOARD, TEMPLATE, kind, properties, property, resources};

/// Where every metric is described.
const OPERATING: &str = include_str!("../../../docs/operating.md");

/// What is counted beside requests.
const EVENTS: [Metric; 7] = [
    Metric::ConfigAge,
    Metric::SnapshotRejected,
    Metric::PublishRejected,
    Metric::KeyItemsInvalid,
    Metric::IssuerErrors,
    Metric::ClockSkew,
    Metric::MetricsDelayed,
];

const START: Timestamp = Timestamp::from_seconds(1_795_478_400);

/// Lines that are kept.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<Value>>);

impl Lines for Kept {
    fn write(&self, line: &[u8]) {
        self.0.lock().expect("lines").push(serde_json::from_slice(line).expect("JSON"));
    }
}

/// Namespace, dimensions and names of all metrics, as lines of the embedded metric format have them: those of a request that
/// is forwarded, and those that count events.
async fn written() -> (String, Value, BTreeSet<String>) {
    let (config, clock) = (Arc::new(FakeConfigStore::default()), Arc::new(FakeClock::new(START)));
    for (kind, id, fields) in [
        (Kind::Backend, "b", json!({"targets": [{"url": "http://backend.example"}]})),
        (Kind::Route, "all", json!({"authenticate": "anonymous", "forward": {"backend": "b"}})),
    ] {
        let fields = Ok(fields.as_object().cloned().expect("an object"));
        config.insert(StoredEntry { kind: kind.as_str().into(), id: id.to_owned(), fields });
    }
    publish(&*config, &*clock, PublishOptions::default()).await.expect("a snapshot");
    let lines = Arc::new(Kept::default());
    let sink = Arc::new(EmfSink::new("faregate").to(Arc::<Kept>::clone(&lines)));
    let gateway = Gateway::new(Ports {
        snapshots: config,
        keys: Arc::new(FakeKeyStore::default()),
        counters: Arc::new(FakeCounters::default()),
        secrets: Arc::new(FakeSecrets::default()),
        outbound: Arc::new(FakeOutbound::answering(|_| Ok(Response::new(full("hello"))))),
        telemetry: Arc::new(FakeTelemetry::default()),
        sinks: MetricSinks {
            cloudwatch: Arc::new(FakeMetricSink::default()),
            emf: Arc::<EmfSink>::clone(&sink),
            default: Sink::Emf,
        },
        machine: Machine { memory_mb: 256, is_arm64: true, streams: true },
        clock,
        random: Arc::new(FakeRandom::new(7)),
    });
    let request = Ok(Request::get("https://h/").body(Bytes::new()).expect("a request"));
    let handled = gateway.handle(Incoming { request, peer: Peer::default(), remaining: None }).await;
    assert_eq!(handled.response.status(), 200);
    handled.response.into_body().collect().await.expect("a body");
    handled.side_work.join(SideWork::LIMIT).await;
    gateway.leave().await;
    let sums = EVENTS.map(|event| (event.name(), 1.0)).into();
    let events = Series { minute: START, route: None, sums, values: BTreeMap::new() };
    sink.put(&[events]).await.expect("lines");

    let lines = lines.0.lock().expect("lines");
    let directives = || lines.iter().map(|line| &line["_aws"]["CloudWatchMetrics"][0]);
    let first = directives().next().expect("a line");
    assert!(
        directives().all(|it| (&it["Namespace"], &it["Dimensions"]) == (&first["Namespace"], &first["Dimensions"]))
    );
    let metrics = directives().flat_map(|it| it["Metrics"].as_array().expect("metrics").clone());
    let names = metrics.map(|metric| metric["Name"].as_str().expect("a name").to_owned()).collect();
    (first["Namespace"].as_str().expect("a name").to_owned(), first["Dimensions"].clone(), names)
}

#[tokio::test]
async fn what_is_written_is_what_is_described() {
    let (namespace, dimensions, written) = written().await;
    assert_eq!((&*namespace, dimensions), ("Faregate", json!([["Gateway"]])));
    let table = OPERATING.split_once("| metric | unit | |").expect("a table").1.split_once("\n\n").expect("its end").0;
    let first_cells = table.lines().filter_map(|row| row.split('|').nth(1));
    let described: BTreeSet<String> =
        first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    assert_eq!(described, written);
}

/// The metrics of the dashboard: namespace, name, and whatever names a dimension or gives its value.
fn shown() -> Vec<Vec<String>> {
    let resources = resources(DASHBOARD);
    let properties = resources[0].1.as_mapping_get("Properties").expect("properties");
    let body = property(properties, "DashboardBody").expect("a body");
    let body: Value = serde_json::from_str(body.trim_start_matches("!Sub ")).expect("JSON");
    let mut shown = Vec::new();
    for widget in body["widgets"].as_array().expect("widgets") {
        let mut before: Vec<String> = Vec::new();
        for metric in widget["properties"]["metrics"].as_array().expect("metrics") {
            let words: Vec<&str> = metric.as_array().expect("a metric").iter().filter_map(Value::as_str).collect();
            // An expression over the others has no name.
            if words.is_empty() {
                continue;
            }
            // `...` repeats all that came before, `.` the word in its place.
            let in_place = |(place, word): (usize, &&str)| match *word {
                "." => before[place].clone(),
                word => word.to_owned(),
            };
            let metric = if words == ["..."] { before } else { words.iter().enumerate().map(in_place).collect() };
            shown.push(metric.clone());
            before = metric;
        }
    }
    shown
}

#[tokio::test]
async fn the_dashboard_shows_metrics_that_are_written_under_the_dimension_that_they_have() {
    let (namespace, _, written) = written().await;
    let mut names = BTreeSet::new();
    for metric in shown() {
        let [shown_namespace, name, dimension, value] = metric.as_slice() else { panic!("{metric:?}") };
        assert_eq!((shown_namespace, &**dimension, &**value), (&namespace, "Gateway", "${GatewayName}"), "{name}");
        names.insert(name.clone());
    }
    assert_eq!(names, written, "each is shown somewhere");
}

/// Each alarm of the gateway's stack.
fn alarms() -> Vec<(String, Yaml<'static>)> {
    let alarms = resources(TEMPLATE).into_iter().filter(|(_, resource)| kind(resource) == "AWS::CloudWatch::Alarm");
    alarms.map(|(name, _)| (name.clone(), properties(&name))).collect()
}

#[tokio::test]
async fn alarms_watch_metrics_that_are_written_or_that_aws_has() {
    let (namespace, _, written) = written().await;
    let of_aws = BTreeMap::from([
        ("GatewayFailsAlarm", "AWS/Lambda Url5xxCount [{Name: FunctionName, Value: !Ref GatewayFunction}] Sum"),
        ("GatewayThrottledAlarm", "AWS/Lambda Throttles [{Name: FunctionName, Value: !Ref GatewayFunction}] Sum"),
        (
            "PublisherFailuresAlarm",
            "AWS/SQS ApproximateNumberOfMessagesVisible [{Name: QueueName, Value: !GetAtt PublisherFailures.QueueName}] Maximum",
        ),
    ]);
    let mut watched = Vec::new();
    for (name, alarm) in alarms() {
        let [space, metric, dimensions, statistic] = ["Namespace", "MetricName", "Dimensions", "Statistic"]
            .map(|member| property(&alarm, member).unwrap_or_else(|| panic!("{name}: no {member}")));
        assert_eq!(property(&alarm, "TreatMissingData").as_deref(), Some("notBreaching"), "{name}");
        let actions = "!If [HasAlarmTopic, [!Ref AlarmTopicArn], !Ref AWS::NoValue]";
        assert_eq!(property(&alarm, "AlarmActions").as_deref(), Some(actions), "{name}");
        if let Some(expected) = of_aws.get(&*name) {
            assert_eq!(format!("{space} {metric} {dimensions} {statistic}"), *expected, "{name}");
            continue;
        }
        assert_eq!((&space, &*dimensions), (&namespace, "[{Name: Gateway, Value: !Ref GatewayName}]"), "{name}");
        assert!(written.contains(&metric), "{name}: nobody writes {metric}");
        watched.push(metric);
    }
    assert_eq!(watched, ["PublishRejected", "ConfigAge"]);
    // The value of the dimension is the one that both functions are told.
    for function in ["GatewayFunction", "PublisherFunction"] {
        let environment = property(&properties(function), "Environment").expect("variables");
        assert!(environment.contains("FAREGATE_GATEWAY: !Ref GatewayName,"), "{function}");
    }
}
