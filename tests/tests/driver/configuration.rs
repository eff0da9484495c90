use std::time::Duration;

use faregate_engine::{
    ports::{ConfigStore, SnapshotStore, StoredEntry},
    publish::Outcome,
};
use faregate_tests::{Backend, Stack, Stores, again};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::support::{event, get, serves};

fn answering(body: &str) -> Value {
    json!({
        "settings": {"refresh_seconds": 1},
        "routes": [{"id": "r", "authenticate": "anonymous", "respond": {"body": body}}],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_publishers_one_wins_each_version_and_the_last_content_serves() {
    let stores = Stores::start().await.expect("tables");
    stores.apply(&answering("start")).await.expect("applied");
    let publisher = || async { stores.function("publisher").expect("a driver").environments(4).start().await };
    let drivers = [publisher().await.expect("a driver"), publisher().await.expect("a driver")];
    for round in 0..10 {
        let fields = json!({"authenticate": "anonymous", "respond": {"body": format!("round {round}")}});
        let fields = Ok(fields.as_object().cloned().expect("an object"));
        let entry = StoredEntry { kind: "route".into(), id: "r".into(), fields };
        faregate_engine::ports::ConfigWriter::put_entry(stores.config(), &entry).await.expect("written");
        let event = json!({"Records": []});
        let raced = futures_util::future::join_all((0..8).map(|number| drivers[number % 2].invoke(&event))).await;
        let answers: Vec<Value> = raced.into_iter().map(|raw| raw.expect("an answer").json().expect("JSON")).collect();
        let published = answers.iter().filter(|answer| answer["published"] == json!(round + 2)).count();
        assert_eq!(published, 1, "{answers:?}");
        assert!(
            answers.iter().all(|answer| answer["published"].is_u64() || answer["unchanged"].is_u64()),
            "{answers:?}"
        );
    }
    let head = stores.config().current(true).await.expect("a store").expect("a head");
    assert_eq!(head.version, 11);
    let heads = stores.config().heads().await.expect("heads");
    assert_eq!((heads.len(), &heads[0]), (10, &head));
}

#[tokio::test]
async fn the_publisher_refuses_a_bad_item_by_name_and_the_good_version_serves_on() {
    let stack = Stack::start(&answering("good")).await.expect("a stack");
    let publisher = stack.stores().function("publisher").expect("a driver").start().await.expect("a driver");
    let table = &stack.stores().tables().config;
    let bad = json!({"TableName": table, "Item": {"kind": {"S": "route"}, "id": {"S": "bad"}, "authenticate": {"S": "anonymus"}}});
    stack.stores().dynamodb().call("PutItem", &bad).await.expect("written");
    let refused = publisher.invoke(&json!({"Records": []})).await.expect("an answer").json().expect("JSON");
    // Besides the mistyped word the route lacks something to do.
    assert_eq!(refused, json!({"refused": 2}));
    let line = publisher.wait_for_log(|line| line.text.contains("PublishRejected")).await.expect("a metric");
    assert!(
        line.text.contains("route/bad/authenticate") && line.text.contains("did you mean `anonymous`?"),
        "{}",
        line.text
    );
    let status = stack.stores().config().status().await.expect("a store").expect("a status");
    assert!(status.refused && status.version == Some(1));
    assert_eq!(stack.send(get("/")).await.expect("an answer").text(), "good");

    let good = json!({"TableName": table, "Item": {"kind": {"S": "route"}, "id": {"S": "bad"}, "match": {"L": [{"M": {"path": {"S": "/new"}}}]}, "authenticate": {"S": "anonymous"}, "respond": {"M": {"body": {"S": "new"}}}}});
    stack.stores().dynamodb().call("PutItem", &good).await.expect("written");
    let published = publisher.invoke(&json!({"Records": []})).await.expect("an answer").json().expect("JSON");
    assert_eq!(published, json!({"published": 2}));
    serves(&stack, "/new", "new").await;
}

/// What the publisher gets from the rule of its schedule.
fn scheduled() -> Value {
    json!({
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-10-08T16:53:06Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/publisher"],
        "detail": {},
    })
}

#[tokio::test]
async fn an_item_whose_event_was_lost_is_published_on_the_schedule() {
    let stack = Stack::start(&answering("before")).await.expect("a stack");
    let publisher = stack.stores().function("publisher").expect("a driver").start().await.expect("a driver");
    let item = json!({
        "kind": {"S": "route"}, "id": {"S": "new"}, "match": {"L": [{"M": {"path": {"S": "/new"}}}]},
        "authenticate": {"S": "anonymous"}, "respond": {"M": {"body": {"S": "new"}}},
    });
    let put = json!({"TableName": stack.stores().tables().config, "Item": item});
    stack.stores().dynamodb().call("PutItem", &put).await.expect("written");
    assert_eq!(stack.send(get("/new")).await.expect("an answer").text(), "before");
    let publish = async || publisher.invoke(&scheduled()).await.expect("an answer").json().expect("JSON");
    assert_eq!(publish().await, json!({"published": 2}));
    serves(&stack, "/new", "new").await;
    // Five minutes later.
    assert_eq!(publish().await["unchanged"], 2);
}

#[tokio::test]
async fn damaged_lock_and_status_items_stop_nobody() {
    let stores = Stores::start().await.expect("tables");
    for (kind, id) in [("lock", "apply"), ("status", "publisher")] {
        let item = json!({"kind": {"S": kind}, "id": {"S": id}, "expires_at": {"S": "soon"}, "version": {"S": "x"}});
        let put = json!({"TableName": stores.tables().config, "Item": item});
        stores.dynamodb().call("PutItem", &put).await.expect("written");
    }
    assert!(matches!(stores.publish().await.expect("an outcome"), Outcome::Published { .. }));
    let applied = stores.apply(&answering("applied")).await.expect("applied");
    assert!(matches!(applied.outcome, Outcome::Published { .. }));
    assert!(stores.config().status().await.expect("a readable status").is_some());
}

#[tokio::test]
async fn an_item_that_is_put_beside_an_apply_is_published_after_it() {
    let stores = Stores::start().await.expect("tables");
    stores.apply(&answering("before")).await.expect("applied");
    let fields = json!({"match": [{"path": "/new"}], "authenticate": "anonymous", "respond": {}});
    let fields = Ok(fields.as_object().cloned().expect("an object"));
    let entry = StoredEntry { kind: "route".into(), id: "new".into(), fields };
    let lock_for = async |seconds| {
        let expires_at = (std::time::UNIX_EPOCH.elapsed().expect("a clock") + Duration::from_secs(seconds)).as_millis();
        let item = json!({"kind": {"S": "lock"}, "id": {"S": "apply"}, "holder": {"S": "somebody"}, "expires_at": {"N": expires_at.to_string()}});
        stores
            .dynamodb()
            .call("PutItem", &json!({"TableName": stores.tables().config, "Item": item}))
            .await
            .expect("written");
    };
    let publisher =
        |timeout| stores.function("publisher").expect("a driver").timeout(Duration::from_secs(timeout)).start();

    // For longer than an invocation can wait: the stream has to try again.
    let impatient = publisher(10).await.expect("a driver");
    lock_for(60).await;
    faregate_engine::ports::ConfigWriter::put_entry(stores.config(), &entry).await.expect("written");
    let ending = impatient.invoke(&json!({"Records": []})).await.expect("an answer").ending;
    assert!(format!("{ending:?}").contains("an apply holds the lock until"), "{ending:?}");

    // It is there before the lock, whose time goes on meanwhile.
    let patient = publisher(60).await.expect("a driver");
    lock_for(2).await;
    let answer = patient.invoke(&json!({"Records": []})).await.expect("an answer");
    assert_eq!(answer.json().ok(), Some(json!({"published": 2})), "{answer:?}");
    patient.wait_for_log(|line| line.text.contains("waiting for an apply")).await.expect("it says so");
}

/// Two requests at once, so that each of two environments gets one; yields the versions that decided.
async fn both(stack: &Stack) -> [Option<String>; 2] {
    let slow = || get("/slow?delay=300ms");
    let (one, two) = tokio::join!(stack.send(slow()), stack.send(slow()));
    [one, two].map(|answer| answer.expect("an answer").header("x-faregate-config"))
}

#[tokio::test]
async fn an_environment_that_was_idle_checks_before_it_decides() {
    let backend = Backend::echo("b").await.expect("a backend");
    let mut document = json!({
        "settings": {"refresh_seconds": 1, "expose_version": true},
        "backends": [{"id": "b", "targets": [{"url": backend.url()}]}],
        "routes": [
            {"id": "slow", "match": [{"path": {"prefix": "/slow"}}], "authenticate": "anonymous", "forward": {"backend": "b"}},
            {"id": "fast", "match": [{"path": "/fast"}], "authenticate": "anonymous", "respond": {}},
        ],
    });
    let stack = Stack::start_with(&document, |driver| driver.environments(2)).await.expect("a stack");
    assert_eq!(both(&stack).await, [Some("1".to_owned()), Some("1".to_owned())]);
    document["routes"][1]["respond"]["body"] = json!("changed");
    stack.stores().apply(&document).await.expect("applied");
    // One request after the other goes to the environment that was used last; the other one stays idle for longer
    // than six intervals.
    let idle_since = tokio::time::Instant::now();
    let mut used = std::collections::BTreeSet::new();
    stack.driver().wait_until_idle().await.expect("idle");
    let before = stack.driver().invocations_total();
    while idle_since.elapsed() < Duration::from_millis(6500) {
        stack.send(get("/fast")).await.expect("an answer");
        stack.driver().wait_until_idle().await.expect("idle");
    }
    let invocations = stack.driver().invocations();
    used.extend(
        invocations.iter().skip(usize::try_from(before).expect("few")).map(|invocation| invocation.environment),
    );
    assert_eq!(used.len(), 1, "one environment was idle");
    assert_eq!(both(&stack).await, [Some("2".to_owned()), Some("2".to_owned())]);
}

#[tokio::test]
async fn five_thousand_routes_take_several_chunks_and_all_of_them_match() {
    let routes: Vec<Value> = (0..5000)
        .map(|number| {
            let noise = faregate_core::api_key::KeyHash::of(format!("{number}").as_bytes());
            json!({
                "id": format!("route-{number}"),
                "description": noise.as_str(),
                "hosts": [format!("h{}.example.com", number % 7)],
                "match": [{"path": format!("/v{}/things-{number}/{{id}}", number % 3)}],
                "authenticate": "anonymous",
                "respond": {"body": format!("{number}")},
            })
        })
        .collect();
    let stack = Stack::start(&json!({"routes": routes})).await.expect("a stack");
    let head = stack.stores().config().current(true).await.expect("a store").expect("a head");
    assert!(head.chunks > 1, "{head:?}");
    for number in [0, 1, 2499, 4999] {
        let mut event = event(&format!("/v{}/things-{number}/x", number % 3));
        event["headers"]["host"] = json!(format!("h{}.example.com", number % 7));
        let raw = stack.driver().invoke(&event).await.expect("an answer");
        assert_eq!(raw.body, number.to_string());
    }
}

#[tokio::test]
async fn without_a_snapshot_the_gateway_says_so_and_serves_the_first_one() {
    let stores = Stores::start().await.expect("tables");
    let driver = stores.gateway().expect("a driver").start().await.expect("a driver");
    let raw = driver.invoke(&event("/")).await.expect("an answer");
    assert_eq!(raw.json().expect("a prelude")["statusCode"], 503);
    let outcome = stores.apply(&answering("first")).await.expect("applied").outcome;
    assert!(matches!(outcome, Outcome::Published { .. }));
    // It says `retry-after: 1` until then, and means it.
    let first = async {
        let mut again = again();
        loop {
            again.tick().await;
            let raw = driver.invoke(&event("/")).await.expect("an answer");
            if raw.json().expect("a prelude")["statusCode"] != 503 {
                return raw;
            }
        }
    };
    let raw = timeout(Duration::from_secs(10), first).await.expect("an answer by the snapshot");
    assert_eq!(raw.body, "first");
}
