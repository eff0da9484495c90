//! Many requests at once in one environment.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use faregate_core::{
    limit::{Ask, Counter, Return, RollUp, SlotName, Take, Window},
    time::Timestamp,
};
use faregate_engine::{
    fakes::FakeCounters,
    gateway::{Incoming, Peer},
    ports::{Counters, StoreError, Taken, Terms, Waiting},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{
    limits::document,
    support::{Answer, Harness, KEY, NOW, request},
};

/// Counters far away: of plans 5 ms, of routes 20 ms.
struct Distant(Arc<FakeCounters>);

impl Distant {
    async fn travel(&self, counter: &str) {
        let latency = Duration::from_millis(if counter.starts_with("plan|") { 5 } else { 20 });
        let _ = timeout(latency, std::future::pending::<()>()).await;
    }
}

#[async_trait]
impl Counters for Distant {
    async fn take(&self, counter: &str, asked: &[Ask], terms: Terms) -> Result<Taken, StoreError> {
        let taken = self.0.take(counter, asked, terms).await;
        self.travel(counter).await;
        taken
    }

    async fn give_back(&self, counter: &str, back: &Return) -> Result<bool, StoreError> {
        self.0.give_back(counter, back).await
    }

    async fn roll_up(&self, roll_up: &RollUp, expires_at: Timestamp) -> Result<(), StoreError> {
        self.0.roll_up(roll_up, expires_at).await
    }

    async fn read(&self, counter: &str, slots: &[SlotName]) -> Result<Counter, StoreError> {
        let read = self.0.read(counter, slots).await;
        self.travel(counter).await;
        read
    }

    fn skew_millis(&self) -> i64 {
        0
    }
}

/// What becomes of 32 first requests at once, each of which needs permits of two counters; and how many writes there were.
async fn at_once(daily: Value, own: Value) -> (Vec<Answer>, usize) {
    let plans = json!([{"id": "gold", "limits": [daily]}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key", "limits": [own]}), plans)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    let gateway = harness.with_counters(Arc::new(Distant(Arc::clone(&harness.counters))));
    let calls = (0..32).map(|_| harness.through(&gateway, request("GET", "https://h/", &[("x-api-key", KEY)])));
    let answers = join_all(calls).await;
    (answers, harness.counters.faults.count("take"))
}

fn limit(limit: u64, more: &Value) -> Value {
    let mut fields = json!({"id": "x", "limit": limit, "per": "day"});
    for (name, value) in more.as_object().expect("fields") {
        fields[name] = value.clone();
    }
    fields
}

#[tokio::test(start_paused = true)]
async fn first_requests_that_come_together_wait_for_each_other_and_none_is_refused() {
    for more in [json!({}), json!({"per": "minute", "mode": "burst"}), json!({"per": "hour", "mode": "approximate"})] {
        let own = limit(1000, &json!({"by": "route"}));
        let (answers, writes) = at_once(limit(1000, &more), own).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [200; 32], "{more}");
        assert!(writes <= 8, "{more}: {writes} writes");
    }
}

#[tokio::test(start_paused = true)]
async fn of_requests_that_come_together_as_many_pass_as_there_are_permits() {
    let own = limit(1000, &json!({"by": "route", "id": "own"}));
    let (answers, writes) = at_once(limit(20, &json!({})), own).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 20);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status, &answer.json()["limit"]), (429, &json!("x")));
    }
    assert!(writes <= 10, "{writes} writes");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_little_for_all_that_wait_goes_to_some_of_them() {
    let more = json!({"permits": 5});
    let (answers, _) = at_once(limit(53, &more), limit(1000, &json!({"by": "route"}))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 10);
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 429)));
}

#[tokio::test(start_paused = true)]
async fn what_a_request_lacks_of_two_counters_is_fetched_from_both_at_once() {
    let plans = json!([{"id": "gold", "limits": [limit(1000, &json!({}))]}]);
    let own = limit(1000, &json!({"by": "route"}));
    let harness = Harness::new(document(json!({"authenticate": "api_key", "limits": [own]}), plans)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    let gateway = harness.with_counters(Arc::new(Distant(Arc::clone(&harness.counters))));
    // Slots that have begun: one call each.
    for counter in ["plan|c#acme", "route:r|r#r"] {
        let index = Window::Day.index(NOW);
        let slot = SlotName::of("x", Window::Day, index);
        let first = Take { slot, index, limit: 1000, block: 1, needed: 1, settled: 0, resets: true };
        let terms = Terms { cost: None, expires_at: NOW, waiting: Waiting::Nobody };
        harness.counters.take(counter, &[Ask::Take(first)], terms).await.expect("an answer");
    }
    let request = Ok(request("GET", "https://h/", &[("x-api-key", KEY)]));
    let started = Instant::now();
    let handled = gateway.handle(Incoming { request, peer: Peer::default(), remaining: None }).await;
    assert_eq!((handled.response.status().as_u16(), started.elapsed()), (200, Duration::from_millis(20)));
}
