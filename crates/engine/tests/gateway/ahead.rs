//! Permits of a window that are fetched before it begins.

use std::time::Duration;

use faregate_core::{limit::Window, time::Timestamp};
use serde_json::{Value, json};

use super::support::{Answer, Harness, KEY, NOW, forwarding, request};

const COUNTER: &str = "plan|c#acme";

async fn harness(limits: Value) -> Harness {
    let mut document = forwarding(json!({"authenticate": "api_key"}));
    document["plans"] = json!([{"id": "gold", "limits": limits}]);
    let harness = Harness::new(document).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    harness
}

async fn call(harness: &Harness) -> Answer {
    let answer = harness.send(request("GET", "https://h/", &[("x-api-key", KEY)])).await;
    harness.clock.advance(Duration::from_millis(100));
    answer
}

/// Sends requests a tenth of a second apart in the last 15 s of the day, and none in its last half second.
async fn until_midnight(harness: &Harness) {
    harness.clock.set(before_midnight(15_000));
    for _ in 0..145 {
        assert_eq!(call(harness).await.status, 200);
    }
    harness.clock.set(before_midnight(0));
}

fn before_midnight(millis: u64) -> Timestamp {
    let midnight = Window::Day.end(Window::Day.index(NOW));
    Timestamp::from_millis(midnight.as_millis() - millis)
}

fn writes(harness: &Harness) -> usize {
    harness.counters.faults.operations().iter().filter(|operation| **operation == "take").count()
}

#[tokio::test]
async fn the_first_requests_of_a_day_do_not_wait_and_what_the_day_before_used_is_not_lost() {
    let harness = harness(json!([{"id": "daily", "limit": 1_000_000, "per": "day"}])).await;
    until_midnight(&harness).await;
    let before = writes(&harness);
    for _ in 0..20 {
        assert_eq!(call(&harness).await.status, 200);
    }
    assert_eq!(writes(&harness), before, "permits of the new day were there");
    let counter = harness.counters.counter(COUNTER).expect("a counter");
    let mut slots: Vec<_> = counter.slots.values().map(|slot| (slot.index, slot.granted)).collect();
    slots.sort_unstable();
    assert!(slots.len() == 2 && slots[0].0 + 1 == slots[1].0 && slots[1].1 >= 20, "{slots:?}");
    // Two days later the first slot is begun anew; until then some of its day is in it, and some is in the month.
    for _ in 0..500 {
        assert_eq!(call(&harness).await.status, 200);
    }
    let counter = harness.counters.counter(COUNTER).expect("a counter");
    let settled = counter.slots.values().find(|slot| slot.index == slots[0].0).map_or(0, |slot| slot.settled);
    let rolled = harness.counters.sum("u#acme#2027-01", "plan|daily.d").unwrap_or_default();
    assert!(rolled > 0 && settled + rolled == 145, "{settled} + {rolled}");
}

#[tokio::test]
async fn a_wrong_clock_takes_nothing_ahead_and_an_end_gives_all_back() {
    let limits = || json!([{"id": "daily", "limit": 1_000_000, "per": "day"}]);
    let wrong = harness(limits()).await;
    wrong.counters.set_skew_millis(5000);
    until_midnight(&wrong).await;
    assert_eq!(wrong.counters.counter(COUNTER).expect("a counter").slots.len(), 1, "nothing of the next day");

    let leaving = harness(limits()).await;
    until_midnight(&leaving).await;
    leaving.gateway.leave().await;
    let counter = leaving.counters.counter(COUNTER).expect("a counter");
    let granted: u64 = counter.slots.values().map(|slot| slot.granted).sum();
    assert!(granted >= 145, "{counter:?}");
    let next = counter.slots.values().max_by_key(|slot| slot.index).expect("a slot");
    assert_eq!(next.granted, 0, "the next day's permits are back");
}

#[tokio::test]
async fn a_limit_that_is_reached_takes_nothing_ahead() {
    let harness = harness(json!([{"id": "daily", "limit": 10, "per": "day"}])).await;
    harness.clock.set(before_midnight(15_000));
    let mut admitted = 0;
    for _ in 0..149 {
        admitted += u32::from(call(&harness).await.status == 200);
    }
    assert_eq!(admitted, 10);
    let counter = harness.counters.counter(COUNTER).expect("a counter");
    assert_eq!(counter.slots.len(), 1, "what is refused is not worth a write");
}
