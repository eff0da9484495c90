//! A day's limit over environments whose way to DynamoDB is not a good one.

use std::{sync::Arc, time::Duration};

use faregate_tests::{Backend, DynamoDbProxy, Fate, Stores};
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::{AT_ONCE, ENVIRONMENTS, LIMIT, REQUESTS, create_key, limited, with_key, within_a_day};

/// How late an answer is that a request does not wait for, and that still comes in time where none does.
const LATE: Duration = Duration::from_millis(300);

/// What came of the requests of a day.
struct Outcome {
    admitted: usize,
    refused: usize,
    /// How often counters were read and written, seen at the socket.
    calls: usize,
}

/// A plan with a day's limit before eight environments, whose writes to DynamoDB have this fate.
async fn under(requests: usize, fate: impl Fn(u64) -> Fate + Send + Sync + 'static) -> Outcome {
    let fate = Arc::new(fate);
    let outcome = within_a_day(async || {
        let fate = Arc::clone(&fate);
        once(requests, move |number| fate(number)).await
    });
    outcome.await
}

async fn once(requests: usize, fate: impl Fn(u64) -> Fate + Send + Sync + 'static) -> Outcome {
    let backend = Backend::echo("b").await.expect("a backend");
    let stores = Stores::start().await.expect("stores");
    let document = limited(&backend, &json!({"id": "daily", "limit": LIMIT, "per": "day"}));
    stores.apply(&document).await.expect("applied");
    create_key(&stores).await;
    let bad = DynamoDbProxy::start(stores.dynamodb().address(), "UpdateItem", fate).await.expect("a proxy");
    let upstream = bad.url().strip_prefix("http://").expect("an address").parse().expect("an address");
    let proxy = DynamoDbProxy::recording(upstream).await.expect("a proxy");
    let driver = stores.gateway().expect("a driver").environments(ENVIRONMENTS);
    let driver = driver.env("AWS_ENDPOINT_URL_DYNAMODB", proxy.url()).start().await.expect("environments");
    let sent = stream::iter(0..requests).map(|_| faregate_tests::send(driver.address(), with_key("secret")));
    let answers: Vec<u16> =
        sent.buffer_unordered(AT_ONCE).map(|answer| answer.expect("an answer").status.as_u16()).collect().await;
    let count = |wanted: &[u16]| answers.iter().filter(|status| wanted.contains(status)).count();
    let (admitted, refused) = (count(&[200]), count(&[429, 503]));
    assert_eq!(admitted + refused, requests);
    // Whom the backend saw, a permit was spent for.
    let seen = backend.seen().len();
    assert!((admitted..=LIMIT).contains(&seen), "{seen} at the backend, {admitted} admitted");
    let calls = proxy.seen().expect("it records");
    let calls = calls.iter().filter(|call| call.parameters["TableName"] == *stores.tables().usage).count();
    Outcome { admitted, refused, calls }
}

#[tokio::test]
async fn a_days_limit_costs_a_few_calls_in_a_hundred_requests() {
    let Outcome { admitted, calls, .. } = under(REQUESTS, |_| Fate::Passed).await;
    assert!((LIMIT - 50..=LIMIT).contains(&admitted), "{admitted} admitted");
    // A block is meant to last ten seconds, and here all of them last a few.
    assert!((1..=600).contains(&calls), "{calls} reads and writes");
}

#[tokio::test]
async fn answers_that_are_lost_admit_nothing_more() {
    let lost = |number: u64| if number % 20 == 7 { Fate::AnswerLost } else { Fate::Passed };
    let Outcome { admitted, calls, .. } = under(REQUESTS, lost).await;
    assert!((LIMIT * 3 / 4..=LIMIT).contains(&admitted), "{admitted} admitted");
    assert!((1..=800).contains(&calls), "{calls} reads and writes");
}

#[tokio::test]
async fn answers_that_are_late_now_and_then_admit_nothing_more() {
    let late = |number: u64| if number % 5 == 2 { Fate::Delayed(LATE) } else { Fate::Passed };
    let Outcome { admitted, calls, .. } = under(REQUESTS, late).await;
    assert!((LIMIT / 2..=LIMIT).contains(&admitted), "{admitted} admitted");
    assert!((1..=800).contains(&calls), "{calls} reads and writes");
}

#[tokio::test]
async fn answers_that_are_all_late_admit_nothing_more() {
    // How many are admitted depends on who waits for them.
    let Outcome { admitted, .. } = under(REQUESTS, |_| Fate::Delayed(LATE)).await;
    assert!(admitted <= LIMIT, "{admitted} admitted");
}

#[tokio::test]
async fn a_throttled_counter_refuses_and_admits_nothing_more() {
    let every_other = |number| if number % 2 == 0 { Fate::Throttled } else { Fate::Passed };
    let Outcome { admitted, .. } = under(REQUESTS, every_other).await;
    assert!((LIMIT / 2..=LIMIT).contains(&admitted), "{admitted} admitted");
    let Outcome { admitted, refused, .. } = under(200, |_| Fate::Throttled).await;
    assert_eq!((admitted, refused), (0, 200));
}
