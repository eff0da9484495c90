//! One limit over many environments, each a process of its own: never passed, whatever dies or is lost.

mod faults;
mod flood;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use faregate_core::api_key::KeyHash;
use faregate_engine::ports::KeyAdmin;
use faregate_tests::{Backend, Stack, Stores};
use futures_util::{StreamExt, stream};
use http::Request;
use serde_json::{Value, json};

use super::support::{document, get, request};

const ENVIRONMENTS: usize = 8;
/// A day's limit, and how many requests want to pass.
const LIMIT: usize = 5000;
const REQUESTS: usize = 20_000;
/// How many of them are under way at once.
const AT_ONCE: usize = 16;
/// How long DynamoDB is away.
const OUTAGE: Duration = Duration::from_secs(10);
/// How long before a window ends permits of the next one may be asked for.
const AHEAD: Duration = Duration::from_secs(10);
/// How long no test takes.
const HOUR: u64 = 3600;
/// Windows of about a year. They never end at about the same time.
const YEARS: [u64; 2] = [31_622_400, 31_536_000];

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970")
}

/// A window that does not end while a test runs, in seconds.
fn lasting() -> u64 {
    let now = since_1970().as_secs();
    YEARS.into_iter().find(|seconds| seconds - now % seconds > HOUR).expect("one that goes on")
}

/// Lets it happen within one day of UTC, whose permits are counted: once more where the day ended meanwhile, or nearly did.
async fn within_a_day<T>(run: impl AsyncFn() -> T) -> T {
    let day = |time: Duration| time.as_secs() / (24 * HOUR);
    loop {
        let began = since_1970();
        let outcome = run().await;
        if day(since_1970() + AHEAD) == day(began) {
            return outcome;
        }
    }
}

fn with_key(key: &str) -> Request<Bytes> {
    request("GET", "/").header("x-api-key", key).body(Bytes::new()).expect("a request")
}

/// A document with a plan `gold` that has one limit.
fn limited(backend: &Backend, limit: &Value) -> Value {
    let mut document = document(backend, &json!({"authenticate": "api_key"}));
    document["plans"] = json!([{"id": "gold", "limits": [limit]}]);
    document
}

/// A key of the consumer `acme`, on the plan.
async fn create_key(stores: &Stores) {
    let item = json!({"key_hash": KeyHash::of(b"secret").as_str(), "consumer": "acme", "plan": "gold"});
    assert!(stores.keys().create(item.as_object().cloned().expect("an item")).await.expect("a table"));
}

/// A plan with one limit, and a key on it, before eight environments.
async fn stack(backend: &Backend, limit: &Value) -> Stack {
    let document = limited(backend, limit);
    let stack = Stack::start_with(&document, |driver| driver.environments(ENVIRONMENTS)).await.expect("a stack");
    create_key(stack.stores()).await;
    stack
}

/// Sends requests, sixteen at a time; how many were admitted and how many refused. What fails with its environment is
/// neither.
async fn send(stack: &Stack, requests: usize) -> (usize, usize) {
    let statuses = stream::iter(0..requests).map(|_| stack.send(with_key("secret"))).buffer_unordered(AT_ONCE);
    let statuses: Vec<u16> =
        statuses.filter_map(|answer| async move { Some(answer.ok()?.status.as_u16()) }).collect().await;
    let count = |wanted: &[u16]| statuses.iter().filter(|status| wanted.contains(status)).count();
    // On a slow machine an answer of the store may be late, which is a 503.
    (count(&[200]), count(&[429, 503]))
}

/// What the counter says of a limit: permits granted, and permits that were really spent.
async fn counted(stack: &Stack, limit: &str) -> (u64, u64) {
    let table = &stack.stores().tables().usage;
    let scanned = stack.stores().dynamodb().call("Scan", &json!({"TableName": table})).await.expect("a table");
    let item = &scanned["Items"].as_array().expect("items")[0];
    let number = |suffix: &str| {
        let attributes = item.as_object().expect("an item").iter();
        let is_wanted =
            |name: &str| name.split_once('.').is_some_and(|(id, slot)| id == limit && slot.ends_with(suffix));
        let (_, value) = attributes.into_iter().find(|(name, _)| is_wanted(name)).expect("a slot");
        value["N"].as_str().expect("a number").parse::<u64>().expect("a number")
    };
    (number("u"), number("s"))
}

#[tokio::test]
async fn eight_environments_admit_a_days_limit_almost_wholly_and_never_more() {
    let ((admitted, refused), (granted, settled), answer) = within_a_day(async || {
        let backend = Backend::echo("b").await.expect("a backend");
        let stack = stack(&backend, &json!({"id": "daily", "limit": LIMIT, "per": "day"})).await;
        let sent = send(&stack, REQUESTS).await;
        (sent, counted(&stack, "daily").await, stack.send(with_key("secret")).await.expect("an answer"))
    })
    .await;
    assert_eq!(admitted + refused, REQUESTS);
    assert!((LIMIT - 50..=LIMIT).contains(&admitted), "{admitted} admitted; {granted} granted, {settled} settled");
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
    let stack = stack(&backend, &json!({"id": "quota", "limit": LIMIT, "window_seconds": lasting()})).await;
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
    let statuses: Vec<Option<u16>> = sent.buffer_unordered(AT_ONCE).collect().await;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    let admitted = count(Some(200));
    // What was under way ended with its environment, as it does on Lambda.
    let lost = REQUESTS - admitted - count(Some(429));
    assert!((1..200).contains(&lost), "{lost} lost");
    assert!((LIMIT / 2..=LIMIT).contains(&admitted), "{admitted} admitted");
    // Whom the backend saw, a permit was spent for, whether or not the answer came to its client.
    let seen = backend.seen().len();
    assert!((admitted..=LIMIT).contains(&seen), "{seen} at the backend, {admitted} admitted");
}

#[tokio::test]
async fn an_environment_that_is_told_to_end_gives_back_what_it_holds() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = stack(&backend, &json!({"id": "quota", "limit": 1_000_000, "window_seconds": lasting()})).await;
    let (admitted, _) = send(&stack, 500).await;
    assert_eq!(admitted, 500);
    stack.driver().wait_until_idle().await.expect("idle");
    assert!(counted(&stack, "quota").await.0 > 500);
    let stopped = stack.driver().shutdown().await;
    assert!(stopped.iter().all(|stopped| stopped.status.is_some_and(|status| status.success())), "{stopped:?}");
    assert_eq!(counted(&stack, "quota").await, (500, 500));
}

#[tokio::test]
async fn while_dynamodb_is_stopped_quotas_refuse_and_others_admit_a_part() {
    let backend = Backend::echo("b").await.expect("a backend");
    let limit = |id: &str, more: Value| {
        let mut limit = json!({"id": id, "limit": 100, "window_seconds": lasting(), "by": "route"});
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
    let limit = json!({"id": "x", "limit": 2, "window_seconds": lasting(), "by": {"header": "x-tenant"}});
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
