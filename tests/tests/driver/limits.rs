//! One limit over many environments, each a process of its own: never passed, whatever dies or is lost.

use bytes::Bytes;
use faregate_core::api_key::KeyHash;
use faregate_engine::ports::KeyAdmin;
use faregate_tests::{Backend, DynamoDbProxy, Fate, Stack};
use futures_util::{StreamExt, stream};
use http::Request;
use serde_json::{Value, json};

use super::support::{document, get, request};

const ENVIRONMENTS: usize = 8;
/// A day's limit, and how many requests want to pass.
const LIMIT: usize = 5000;
const REQUESTS: usize = 20_000;
/// How long DynamoDB is away.
const OUTAGE: std::time::Duration = std::time::Duration::from_secs(10);

fn with_key(key: &str) -> Request<Bytes> {
    request("GET", "/").header("x-api-key", key).body(Bytes::new()).expect("a request")
}

/// A plan `gold` with one limit, and a key on it, before eight environments.
async fn stack(backend: &Backend, limit: &Value) -> Stack {
    let mut document = document(backend, &json!({"authenticate": "api_key"}));
    document["plans"] = json!([{"id": "gold", "limits": [limit]}]);
    let stack = Stack::start_with(&document, |driver| driver.environments(ENVIRONMENTS)).await.expect("a stack");
    let item = json!({"key_hash": KeyHash::of(b"secret").as_str(), "consumer": "acme", "plan": "gold"});
    assert!(stack.stores().keys().create(item.as_object().cloned().expect("an item")).await.expect("a table"));
    stack
}

/// Sends requests, sixteen at a time; how many were admitted and how many refused. What fails with its environment is
/// neither.
async fn send(stack: &Stack, requests: usize) -> (usize, usize) {
    let statuses = stream::iter(0..requests).map(|_| stack.send(with_key("secret"))).buffer_unordered(16);
    let statuses: Vec<u16> =
        statuses.filter_map(|answer| async move { Some(answer.ok()?.status.as_u16()) }).collect().await;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    (count(200), count(429))
}

/// What the counter says: permits granted, and permits that were really spent.
async fn counted(stack: &Stack) -> (u64, u64) {
    let table = &stack.stores().tables().usage;
    let scanned = stack.stores().dynamodb().call("Scan", &json!({"TableName": table})).await.expect("a table");
    let item = &scanned["Items"].as_array().expect("items")[0];
    let number = |suffix: &str| {
        let attributes = item.as_object().expect("an item").iter();
        let mut numbers = attributes.filter(|(name, _)| name.starts_with("daily.") && name.ends_with(suffix));
        let (_, value) = numbers.next().expect("a slot");
        value["N"].as_str().expect("a number").parse::<u64>().expect("a number")
    };
    (number("u"), number("s"))
}

#[tokio::test]
async fn eight_environments_admit_a_days_limit_almost_wholly_and_never_more() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = stack(&backend, &json!({"id": "daily", "limit": LIMIT, "per": "day"})).await;
    let (admitted, refused) = send(&stack, REQUESTS).await;
    assert_eq!(admitted + refused, REQUESTS);
    let (granted, settled) = counted(&stack).await;
    assert!((LIMIT - 50..=LIMIT).contains(&admitted), "{admitted} admitted; {granted} granted, {settled} settled");
    let answer = stack.send(with_key("secret")).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 429);
    let problem: Value = answer.json().expect("a problem");
    assert_eq!((&problem["code"], &problem["limit"]), (&json!("quota_exhausted"), &json!("daily")));
    assert!(answer.header("retry-after").is_some());
    assert!(answer.header("ratelimit").expect("a header").starts_with("\"daily\";r=0;t="));
    assert!(granted >= LIMIT as u64, "{granted} granted");
}

#[tokio::test]
async fn environments_that_are_killed_take_permits_with_them_and_bring_none() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = stack(&backend, &json!({"id": "daily", "limit": LIMIT, "per": "day"})).await;
    // Half of them, one after the other, while fifteen other requests are under way.
    let sent = stream::iter(0..REQUESTS).map(|number| {
        let stack = &stack;
        async move {
            if let (Some(index), 0) = ((number / 500).checked_sub(1), number % 500)
                && index < ENVIRONMENTS / 2
            {
                stack.driver().kill(index).await.expect("killed");
            }
            stack.send(with_key("secret")).await.ok().map(|answer| answer.status.as_u16())
        }
    });
    let statuses: Vec<Option<u16>> = sent.buffer_unordered(16).collect().await;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    let admitted = count(Some(200));
    // What was under way ended with its environment, as it does on Lambda.
    let lost = REQUESTS - admitted - count(Some(429));
    assert!((1..200).contains(&lost), "{lost} lost");
    assert!((LIMIT / 2..=LIMIT).contains(&admitted), "{admitted} admitted");
}

#[tokio::test]
async fn an_environment_that_is_told_to_end_gives_back_what_it_holds() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = stack(&backend, &json!({"id": "daily", "limit": 1_000_000, "per": "day"})).await;
    let (admitted, _) = send(&stack, 500).await;
    assert_eq!(admitted, 500);
    stack.driver().wait_until_idle().await.expect("idle");
    assert!(counted(&stack).await.0 > 500);
    let stopped = stack.driver().shutdown().await;
    assert!(stopped.iter().all(|stopped| stopped.status.is_some_and(|status| status.success())), "{stopped:?}");
    assert_eq!(counted(&stack).await, (500, 500));
}

#[tokio::test]
async fn while_dynamodb_is_stopped_quotas_refuse_and_others_admit_a_part() {
    let backend = Backend::echo("b").await.expect("a backend");
    let limit = |id: &str, more: Value| {
        let mut limit = json!({"id": id, "limit": 100, "per": "day", "by": "route"});
        for (name, value) in more.as_object().expect("fields") {
            limit[name] = value.clone();
        }
        json!({"id": id, "match": [{"path": format!("/{id}")}], "authenticate": "anonymous", "limits": [limit],
               "forward": {"backend": "b"}})
    };
    let mut document = document(&backend, &json!({"match": [{"path": "/open"}]}));
    let routes = document["routes"].as_array_mut().expect("routes");
    routes.extend([limit("refuses", json!({})), limit("allows", json!({"on_unavailable": "allow"}))]);
    let mut stack = Stack::start_with(&document, |driver| driver.environments(ENVIRONMENTS)).await.expect("a stack");
    assert_eq!(stack.send(get("/open")).await.expect("an answer").status.as_u16(), 200);
    stack.stores_mut().dynamodb_mut().stop().await;
    let stopped_at = std::time::Instant::now();
    let (mut allowed, mut asked) = (0, 0);
    while stopped_at.elapsed() < OUTAGE {
        let sent = ["/allows", "/refuses", "/open"].map(|path| stack.send(get(path)));
        let answers = futures_util::future::join_all(sent).await;
        let [allows, refuses, open] =
            <[_; 3]>::try_from(answers).expect("three").map(|answer| answer.expect("an answer"));
        let refused: Value = refuses.json().expect("a problem");
        assert_eq!((refuses.status.as_u16(), &refused["code"]), (503, &json!("dependency_unavailable")));
        assert_eq!(open.status.as_u16(), 200);
        assert!([200, 503].contains(&allows.status.as_u16()));
        allowed += u32::from(allows.status.as_u16() == 200);
        asked += 1;
    }
    // A tenth of the limit in each environment.
    assert!((10..=80).contains(&allowed), "{allowed} of {asked} admitted");
    stack.stores_mut().dynamodb_mut().restart().await.expect("a restart");
    assert_eq!(stack.send(get("/refuses")).await.expect("an answer").status.as_u16(), 200);
}

#[tokio::test]
async fn values_of_a_header_limit_are_counted_whatever_their_length() {
    let backend = Backend::echo("b").await.expect("a backend");
    let limit = json!({"id": "x", "limit": 2, "per": "day", "by": {"header": "x-tenant"}});
    let stack = Stack::start(&document(&backend, &json!({"limits": [limit]}))).await.expect("a stack");
    let long = "t".repeat(3000);
    for value in [Some(&*long), Some(""), None] {
        for status in [200, 200, 429] {
            let mut sent = request("GET", "/");
            if let Some(value) = value {
                sent = sent.header("x-tenant", value);
            }
            let answer = stack.send(sent.body(Bytes::new()).expect("a request")).await.expect("an answer");
            assert_eq!(answer.status.as_u16(), status, "{:?}", value.map(str::len));
        }
    }
}

/// A plan with a day's limit before eight environments whose way to DynamoDB has this fate; how many of the requests
/// were admitted and refused, and how many writes were sent, counted at the socket.
async fn under(requests: usize, fate: impl Fn(u64) -> Fate + Send + Sync + 'static) -> (usize, usize, u64) {
    let backend = Backend::echo("b").await.expect("a backend");
    let mut document = document(&backend, &json!({"authenticate": "api_key"}));
    document["plans"] = json!([{"id": "gold", "limits": [{"id": "daily", "limit": LIMIT, "per": "day"}]}]);
    let stores = faregate_tests::Stores::start().await.expect("stores");
    stores.apply(&document).await.expect("applied");
    let item = json!({"key_hash": KeyHash::of(b"secret").as_str(), "consumer": "acme", "plan": "gold"});
    assert!(stores.keys().create(item.as_object().cloned().expect("an item")).await.expect("a table"));
    let proxy = DynamoDbProxy::start(stores.dynamodb().address(), "UpdateItem", fate).await.expect("a proxy");
    let driver = stores.gateway().expect("a driver").environments(ENVIRONMENTS);
    let driver = driver.env("AWS_ENDPOINT_URL_DYNAMODB", proxy.url()).start().await.expect("environments");
    let sent = stream::iter(0..requests).map(|_| faregate_tests::send(driver.address(), with_key("secret")));
    let answers: Vec<u16> =
        sent.buffer_unordered(16).map(|answer| answer.expect("an answer").status.as_u16()).collect().await;
    let count = |wanted: &[u16]| answers.iter().filter(|status| wanted.contains(status)).count();
    let (admitted, refused) = (count(&[200]), count(&[429, 503]));
    assert_eq!(admitted + refused, requests);
    (admitted, refused, proxy.calls())
}

#[tokio::test]
async fn a_days_limit_costs_a_few_writes_in_a_hundred_requests() {
    let (admitted, _, writes) = under(REQUESTS, |_| Fate::Passed).await;
    assert!((LIMIT - 50..=LIMIT).contains(&admitted), "{admitted} admitted");
    // A block is meant to last ten seconds, and here all of them last a few.
    assert!(writes <= 600, "{writes} writes");
}

#[tokio::test]
async fn answers_that_are_lost_admit_nothing_more() {
    let lost = |number: u64| if number % 20 == 7 { Fate::AnswerLost } else { Fate::Passed };
    let (admitted, _, writes) = under(REQUESTS, lost).await;
    assert!((LIMIT * 3 / 4..=LIMIT).contains(&admitted), "{admitted} admitted");
    assert!(writes <= 800, "{writes} writes");
}

#[tokio::test]
async fn answers_that_are_late_admit_nothing_more() {
    let late = |number: u64| match number % 5 {
        2 => Fate::Delayed(std::time::Duration::from_millis(300)),
        _ => Fate::Passed,
    };
    let (admitted, _, writes) = under(REQUESTS, late).await;
    assert!((LIMIT / 2..=LIMIT).contains(&admitted), "{admitted} admitted");
    assert!(writes <= 800, "{writes} writes");
}

#[tokio::test]
async fn a_throttled_counter_refuses_and_admits_nothing_more() {
    let every_other = |number| if number % 2 == 0 { Fate::Throttled } else { Fate::Passed };
    let (admitted, ..) = under(REQUESTS, every_other).await;
    assert!((LIMIT / 2..=LIMIT).contains(&admitted), "{admitted} admitted");
    let (admitted, refused, _) = under(200, |_| Fate::Throttled).await;
    assert_eq!((admitted, refused), (0, 200));
}

/// 21: made-up keys from ever new addresses, and an address that has nothing left, cost next to no reads and writes, and
/// a paying consumer goes on meanwhile.
#[tokio::test]
async fn a_flood_of_fresh_keys_and_addresses_costs_next_to_nothing() {
    const FLOOD: u32 = 20_000;
    const FROM_ONE: u32 = 2000;
    const FRESH: u32 = 5000;
    const ADMITTED_OF_ONE: usize = 10;
    let backend = Backend::echo("b").await.expect("a backend");
    let by_address = json!([{"id": "address", "limit": ADMITTED_OF_ONE, "per": "day", "by": "ip"}]);
    let mut document = document(&backend, &json!({"authenticate": "api_key", "limits": []}));
    document["plans"] = json!([{"id": "gold", "limits": [{"id": "daily", "limit": 100_000, "per": "day"}]}]);
    let by_minute = json!([{"id": "address", "limit": 5, "per": "minute", "by": "ip"}]);
    for (id, limits) in [("open", by_address), ("fresh", by_minute)] {
        document["routes"].as_array_mut().expect("routes").push(json!({
            "id": id, "match": [{"path": format!("/{id}")}], "authenticate": "anonymous", "limits": limits,
            "forward": {"backend": "b"}}));
    }
    let stores = faregate_tests::Stores::start().await.expect("stores");
    stores.apply(&document).await.expect("applied");
    let item = json!({"key_hash": KeyHash::of(b"secret").as_str(), "consumer": "acme", "plan": "gold"});
    assert!(stores.keys().create(item.as_object().cloned().expect("an item")).await.expect("a table"));
    // All that the gateway reads and writes is one item at a time.
    let items = DynamoDbProxy::start(stores.dynamodb().address(), "Item", |_| Fate::Passed).await.expect("a proxy");
    let driver = stores.gateway().expect("a driver").environments(ENVIRONMENTS);
    let driver = driver.env("AWS_ENDPOINT_URL_DYNAMODB", items.url()).start().await.expect("environments");
    let paying = || faregate_tests::send(driver.address(), with_key("secret"));
    // All environments know the key: it is one that calls all the time.
    let known = stream::iter(0..400).map(|_| paying()).buffer_unordered(16);
    assert!(known.all(|answer| async move { answer.is_ok_and(|answer| answer.status.as_u16() == 200) }).await);
    let (before, began) = (items.calls(), tokio::time::Instant::now());
    let flood = stream::iter(0..FLOOD).map(|number| {
        let address = std::net::Ipv4Addr::from(0x0b00_0000 + number).to_string();
        let sent = request("GET", "/").header("x-api-key", format!("made up {number}"));
        let sent = sent.header("x-driver-source-ip", address).body(Bytes::new()).expect("a request");
        faregate_tests::send(driver.address(), sent)
    });
    let statuses: Vec<u16> =
        flood.buffer_unordered(16).map(|answer| answer.expect("an answer").status.as_u16()).collect().await;
    assert!(statuses.iter().all(|status| [401, 503].contains(status)));
    assert!(statuses.contains(&503), "over the budget it is not said that a key is wrong");
    let cost = items.calls() - before;
    // The budget is one of time, and a slow machine floods slowly: 100 at once and 2 a second, with some to spare.
    let budget = ENVIRONMENTS as u64 * (100 + 3 * began.elapsed().as_secs());
    assert!(cost <= budget.max(u64::from(FLOOD) / 10), "{cost} reads and writes for {FLOOD} refused requests");

    let before = items.calls();
    let from_one = stream::iter(0..FROM_ONE).map(|_| {
        let sent = request("GET", "/open").header("x-driver-source-ip", "12.0.0.1").body(Bytes::new());
        faregate_tests::send(driver.address(), sent.expect("a request"))
    });
    let statuses: Vec<u16> =
        from_one.buffer_unordered(16).map(|answer| answer.expect("an answer").status.as_u16()).collect().await;
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert_eq!(refused, FROM_ONE as usize - ADMITTED_OF_ONE, "the others were admitted");
    let cost = items.calls() - before;
    assert!(cost <= u64::from(FROM_ONE) / 10, "{cost} reads and writes for {refused} refused requests of one address");
    assert_eq!(paying().await.expect("an answer").status.as_u16(), 200);

    // New addresses have their permits, for one write each.
    let (before, began) = (items.calls(), tokio::time::Instant::now());
    let fresh = stream::iter(0..FRESH).map(|number| {
        let address = std::net::Ipv4Addr::from(0x0d00_0000 + number).to_string();
        let sent = request("GET", "/fresh").header("x-driver-source-ip", address).body(Bytes::new());
        faregate_tests::send(driver.address(), sent.expect("a request"))
    });
    let statuses: Vec<u16> =
        fresh.buffer_unordered(16).map(|answer| answer.expect("an answer").status.as_u16()).collect().await;
    assert!(statuses.iter().all(|status| [200, 503].contains(status)));
    // On a slow machine an answer of the store may be late.
    let admitted = statuses.iter().filter(|status| **status == 200).count();
    assert!(admitted >= FRESH as usize * 99 / 100, "{admitted} of {FRESH}");
    // Environments ask for a newer snapshot once a second, and give back what the silent key does not need.
    let cost = items.calls() - before - u64::from(FRESH);
    let polls = ENVIRONMENTS as u64 * (4 + began.elapsed().as_secs());
    assert!(cost <= polls, "{cost} reads and writes more than {FRESH}, {polls} of them at most polls");
    assert_eq!(paying().await.expect("an answer").status.as_u16(), 200);

    let lines = driver.log_lines();
    let refused = lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok()).filter_map(|line| {
        let is_refused = line["type"] == "request" && [401, 503].map(Value::from).contains(&line["status"]);
        is_refused.then(|| line["timestamp"].as_str().expect("a time").chars().take(19).collect::<String>())
    });
    let mut seconds = std::collections::BTreeMap::<String, usize>::new();
    refused.for_each(|second| *seconds.entry(second).or_default() += 1);
    // A line may stand in the second in which its request came, and count in the one in which it ended.
    let most = 10 * ENVIRONMENTS * (seconds.len() + 1);
    let written: usize = seconds.values().sum();
    assert!((1..=most).contains(&written), "{written} lines of {FLOOD} refused requests, {most} at most: {seconds:?}");
}
