use std::time::Duration;

use faregate_core::api_key::generate;
use faregate_engine::ports::Metric;
use serde_json::{Value, json};

use super::support::{Answer, Harness, KEY, NOW, forwarding, request};

async fn protected() -> Harness {
    Harness::new(forwarding(json!({"authenticate": "api_key"}))).await
}

async fn call(harness: &Harness, key: &str) -> Answer {
    harness.send(request("GET", "https://h/", &[("x-api-key", key)])).await
}

#[tokio::test]
async fn a_key_proves_a_consumer_and_stays_here() {
    let harness = protected().await;
    harness.key(KEY, json!({"consumer": "acmé %1"}));
    let answer = call(&harness, KEY).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("private")));
    let sent = harness.outbound.requests().pop().expect("a request").headers;
    assert_eq!(sent["x-faregate-consumer"], "acm%C3%A9%20%251");
    assert!(sent["x-faregate-credential"].to_str().expect("text").starts_with("key:"));
    assert!(!sent.contains_key("x-api-key"));
    let record = harness.last_record();
    assert_eq!(record.consumer.as_deref(), Some("acmé %1"));
}

#[tokio::test]
async fn every_refusal_looks_alike() {
    let harness = protected().await;
    let other = |name: &str, attributes: Value| harness.key(name, attributes);
    other("disabled", json!({"consumer": "acme", "enabled": false}));
    other("expired", json!({"consumer": "acme", "expires_at": NOW.as_seconds()}));
    other("half", json!({"consumer": "acme", "plann": "gold"}));
    let long = "x".repeat(513);
    let mut bodies = Vec::new();
    for key in ["unknown", "disabled", "expired", "half", "", &long] {
        let answer = call(&harness, key).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "credentials_invalid"), "{key}");
        assert_eq!(answer.header("www-authenticate"), Some("ApiKey name=\"x-api-key\""));
        let mut body = answer.json();
        body["request_id"] = Value::Null;
        bodies.push(body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(harness.keys.gets(), 4, "what is empty or too long is refused unread");
    assert_eq!(harness.telemetry.count(Metric::KeyItemsInvalid), 1);
    let answer = harness.get("https://h/").await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "credentials_missing"));
}

#[tokio::test]
async fn a_mistyped_key_costs_no_read() {
    let harness = protected().await;
    let mut mistyped = generate(|| 11);
    mistyped.replace_range(3..4, "x");
    assert_eq!(call(&harness, &mistyped).await.code(), "credentials_invalid");
    assert_eq!(harness.keys.gets(), 0);
}

#[tokio::test]
async fn hits_are_believed_for_a_minute_and_misses_for_ten_seconds() {
    let harness = protected().await;
    harness.key(KEY, json!({"consumer": "acme", "expires_at": NOW.as_seconds() + 30}));
    call(&harness, KEY).await;
    call(&harness, KEY).await;
    assert_eq!(harness.keys.gets(), 1);
    // Expiry is checked on every use, though the item is cached.
    harness.clock.freeze_for(Duration::from_secs(30));
    assert_eq!(call(&harness, KEY).await.status, 401);
    assert_eq!(harness.keys.gets(), 1);
    harness.clock.freeze_for(Duration::from_secs(30));
    harness.key(KEY, json!({"consumer": "acme"}));
    assert_eq!(call(&harness, KEY).await.status, 200);
    assert_eq!(harness.keys.gets(), 2);

    call(&harness, "unknown").await;
    harness.key("unknown", json!({"consumer": "acme"}));
    assert_eq!(call(&harness, "unknown").await.status, 401);
    harness.clock.freeze_for(Duration::from_secs(10));
    assert_eq!(call(&harness, "unknown").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_flood_at_once_is_no_flood_of_reads_either() {
    let harness = protected().await;
    harness.keys.faults.set_hanging(true);
    let keys: Vec<String> = (0..200).map(|number| format!("wrong {number}")).collect();
    let calls = keys.iter().map(|key| tokio::time::timeout(Duration::from_millis(1), call(&harness, key)));
    futures_util::future::join_all(calls).await;
    assert_eq!(harness.keys.gets(), 20);
}

#[tokio::test]
async fn a_flood_of_wrong_keys_evicts_no_right_one() {
    let harness = protected().await;
    harness.key(KEY, json!({"consumer": "acme"}));
    call(&harness, KEY).await;
    let mut statuses = std::collections::BTreeMap::new();
    for number in 0..10_500 {
        *statuses.entry(call(&harness, &format!("wrong {number}")).await.status).or_insert(0) += 1;
    }
    // A flood of keys is no flood of reads; whoever is over the budget is not told that the key is wrong.
    assert_eq!(statuses, [(401, 20), (503, 10_480)].into());
    let before = harness.keys.gets();
    assert_eq!(before, 21);
    // A key that was good goes on, also when it is looked up again.
    harness.clock.advance(Duration::from_secs(60));
    for number in 0..300 {
        call(&harness, &format!("another wrong {number}")).await;
    }
    assert_eq!(call(&harness, KEY).await.status, 200);
    let before = harness.keys.gets();
    assert_eq!(call(&harness, KEY).await.status, 200);
    assert_eq!(harness.keys.gets(), before);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_never_a_401() {
    let harness = protected().await;
    harness.keys.faults.set_down(true);
    let answer = call(&harness, KEY).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "dependency_unavailable"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(harness.outbound.requests().is_empty());
}

#[tokio::test]
async fn a_key_works_on_its_own_routes_only() {
    let harness = protected().await;
    harness.key("some", json!({"consumer": "acme", "routes": ["other"]}));
    harness.key("none", json!({"consumer": "acme", "routes": []}));
    harness.key("this", json!({"consumer": "acme", "routes": ["r"]}));
    assert_eq!(call(&harness, "some").await.code(), "access_denied");
    assert_eq!(call(&harness, "none").await.code(), "access_denied");
    assert_eq!(call(&harness, "this").await.status, 200);
}

#[tokio::test]
async fn a_key_in_the_query_or_behind_a_scheme_is_found_and_hidden() {
    let any_of = json!({"any_of": [
        {"api_key": {"header": "authorization", "scheme": "Bearer"}},
        {"api_key": {"header": "", "query": "k"}},
        "anonymous",
    ]});
    let harness = Harness::new(forwarding(json!({"authenticate": any_of}))).await;
    harness.key("one", json!({"consumer": "one"}));
    harness.key("a b", json!({"consumer": "two"}));
    let bearer = [("authorization", "Bearer one")];
    harness.send(request("GET", "https://h/?x=%2f&k=a+b&y=", &bearer)).await;
    let sent = harness.outbound.requests().pop().expect("a request");
    assert_eq!(sent.path_and_query, "/base/?x=%2f&y=");
    assert!(!sent.headers.contains_key("authorization"));
    assert_eq!(sent.headers["x-faregate-consumer"], "one");

    // Another scheme is no key of this route and goes on; no credential at all is anonymous.
    harness.send(request("GET", "https://h/?y=1", &[("authorization", "Basic eA==")])).await;
    let sent = harness.outbound.requests().pop().expect("a request");
    assert_eq!(sent.headers["authorization"], "Basic eA==");
    assert!(!sent.headers.contains_key("x-faregate-consumer"));

    // Whatever is present must be good, also beside a good one and before `anonymous`.
    assert_eq!(harness.send(request("GET", "https://h/?k=bad", &bearer)).await.status, 401);
    assert_eq!(harness.get("https://h/?k=bad").await.status, 401);
    assert_eq!(harness.get("https://h/?k=a+b&k=a+b").await.status, 401);
}

#[tokio::test]
async fn a_key_goes_on_where_the_route_says_so() {
    for (hides, passed) in [(false, true), (true, false)] {
        let key = json!({"api_key": {"header": "authorization", "scheme": "Bearer", "query": "k", "hide_credentials": hides}});
        let harness = Harness::new(forwarding(json!({"authenticate": key}))).await;
        harness.key(KEY, json!({"consumer": "acme"}));
        let bearer = format!("Bearer {KEY}");
        assert_eq!(harness.send(request("GET", "https://h/?x=1", &[("authorization", &bearer)])).await.status, 200);
        let sent = harness.outbound.requests().pop().expect("a request");
        assert_eq!(sent.headers.get("authorization").map(|value| value == &bearer), passed.then_some(true));
        harness.key("k1", json!({"consumer": "acme"}));
        assert_eq!(harness.get("https://h/?x=1&k=k1&y").await.status, 200);
        let sent = harness.outbound.requests().pop().expect("a request");
        assert_eq!(sent.path_and_query, if passed { "/base/?x=1&k=k1&y" } else { "/base/?x=1&y" });
        assert_eq!(sent.headers["x-faregate-consumer"], "acme");
    }
}
