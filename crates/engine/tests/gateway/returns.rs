//! Permits that are not needed any more go back.

use std::time::Duration;

use serde_json::json;

use super::{
    limits::{call, daily, document},
    support::{Harness, KEY},
};

#[tokio::test]
async fn an_environment_that_ends_gives_back_what_it_holds() {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(1_000_000))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    for _ in 0..30 {
        call(&harness, KEY).await;
        harness.clock.advance(Duration::from_millis(100));
    }
    let granted = || {
        let counter = harness.counters.counter("plan|c#acme").expect("a counter");
        counter.slots.values().next().map(|slot| (slot.granted, slot.settled)).expect("a slot")
    };
    assert!(granted().0 > 30, "{:?}", granted());
    harness.gateway.leave().await;
    assert_eq!(granted(), (30, 30));
}

#[tokio::test]
async fn silent_keys_give_back_however_many_there_are() {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(1_000_000))).await;
    for number in 0..40 {
        let key = format!("key {number}");
        harness.key(&key, json!({"consumer": format!("c{number}"), "plan": "gold"}));
        for _ in 0..20 {
            assert_eq!(call(&harness, &key).await.status, 200);
            harness.clock.advance(Duration::from_millis(20));
        }
    }
    harness.key("last", json!({"consumer": "last", "plan": "gold"}));
    for _ in 0..180 {
        harness.clock.advance(Duration::from_secs(2));
        assert_eq!(call(&harness, "last").await.status, 200);
    }
    for name in harness.counters.names().iter().filter(|name| !name.ends_with("last")) {
        let counter = harness.counters.counter(name).expect("a counter");
        let granted: Vec<u64> = counter.slots.values().map(|slot| slot.granted).collect();
        assert_eq!(granted, [20], "{name}");
    }
}

#[tokio::test]
async fn what_others_will_want_is_given_back_after_a_few_gaps_and_what_nobody_will_later() {
    let granted_after = async |limit: u64, silence: u64| {
        let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(limit))).await;
        harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
        harness.key("last", json!({"consumer": "last", "plan": "gold"}));
        for _ in 0..10 {
            assert_eq!(call(&harness, KEY).await.status, 200);
            harness.clock.advance(Duration::from_millis(100));
        }
        harness.clock.advance(Duration::from_secs(silence));
        assert_eq!(call(&harness, "last").await.status, 200);
        let counter = harness.counters.counter("plan|c#acme").expect("a counter");
        counter.slots.values().map(|slot| slot.granted).sum::<u64>()
    };
    assert!(granted_after(100_000, 200).await > 10, "far from its limit");
    assert_eq!(granted_after(100_000, 301).await, 10);
    assert_eq!(granted_after(100, 2).await, 10, "much of what is left");
}
