//! Approximate limits: soft, but neither passed by coming from many addresses nor by being forgotten.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    limits::{call, document, from},
    support::{Harness, KEY, NOW},
};

/// How many counters of one crowd an environment holds.
const HELD_MAX: usize = 1024;

fn soft(limit: u64, per: &str, by: &str) -> Value {
    json!({"id": "soft", "limit": limit, "per": per, "by": by, "mode": "approximate"})
}

#[tokio::test]
async fn more_addresses_than_an_environment_holds_have_no_more_than_their_number_each() {
    let harness = Harness::new(document(json!({"limits": [soft(10, "day", "ip")]}), json!([]))).await;
    let mut admitted = vec![0; 1100];
    for _ in 0..20 {
        for (number, admitted) in admitted.iter_mut().enumerate() {
            let status = from(&harness, &format!("11.0.{}.{}", number / 200, number % 200), &[]).await;
            *admitted += u32::from(status == 200);
        }
        harness.clock.advance(Duration::from_secs(60));
    }
    assert!(admitted.iter().all(|times| *times == 10), "{admitted:?}");
    // The next day is a new one, whatever is remembered.
    harness.clock.advance(Duration::from_secs(86_400));
    assert_eq!(from(&harness, "11.0.0.0", &[]).await, 200);
}

#[tokio::test]
async fn an_address_that_comes_once_is_still_told_to_nobody() {
    let harness = Harness::new(document(json!({"limits": [soft(10, "day", "ip")]}), json!([]))).await;
    for number in 0..2 * HELD_MAX {
        assert_eq!(from(&harness, &format!("11.0.{}.{}", number / 200, number % 200), &[]).await, 200);
    }
    harness.gateway.leave().await;
    assert!(harness.counters.faults.operations().is_empty());
}

#[tokio::test]
async fn what_a_caller_used_is_told_when_the_environment_ends_and_when_others_push_it_out() {
    for is_pushed_out in [false, true] {
        // Another limit of the same counter, which this caller's requests do not count for.
        let year = json!({"id": "year", "limit": 10, "window_seconds": 365 * 86_400, "methods": ["POST"]});
        let plans = json!([{"id": "gold", "limits": [soft(10_000, "day", "consumer"), year]}]);
        let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
        harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
        for _ in 0..7 {
            assert_eq!(call(&harness, KEY).await.status, 200);
        }
        let granted = || {
            let counter = harness.counters.counter("plan|c#acme").expect("a counter");
            counter.slots.values().map(|slot| (slot.granted, slot.settled)).next().expect("a slot")
        };
        assert_eq!(granted(), (1, 1));
        if is_pushed_out {
            for number in 0..HELD_MAX {
                let key = format!("key {number}");
                harness.key(&key, json!({"consumer": format!("c{number}"), "plan": "gold"}));
                assert_eq!(call(&harness, &key).await.status, 200);
            }
        } else {
            harness.gateway.leave().await;
        }
        assert_eq!(granted(), (7, 7), "{is_pushed_out}");
        assert_eq!(harness.counters.requests("plan|c#acme", "2027-01"), Some(7));
        assert_eq!(harness.counters.faults.count("roll_up"), 0, "the same write told of the requests");
        let kept = harness.counters.expires_at("plan|c#acme").expect("a time").since(NOW);
        assert!(
            kept > Duration::from_secs(2 * 365 * 86_400),
            "what the longest window counted is kept as long: {kept:?}"
        );
    }
}

#[tokio::test]
async fn of_an_address_that_is_seen_once_an_approximate_limit_tells_nobody() {
    let limit = |mode: &str| json!({"id": "x", "limit": 10, "per": "minute", "by": "ip", "mode": mode});
    for (mode, told) in [("approximate", 0), ("exact", 20)] {
        let fields = json!({"authenticate": "anonymous", "limits": [limit(mode)]});
        let harness = Harness::new(document(fields, json!([]))).await;
        for number in 0..20 {
            assert_eq!(from(&harness, &format!("192.0.2.{number}"), &[]).await, 200);
        }
        assert_eq!(harness.counters.names().len(), told, "{mode}");
        // The second request of an address is told of with the first.
        harness.clock.advance(Duration::from_secs(2));
        assert_eq!(from(&harness, "192.0.2.7", &[]).await, 200);
        let counter = harness.counters.counter("route:r|ip#192.0.2.7").expect("a counter");
        assert!(counter.slots.values().all(|slot| slot.granted >= 2), "{mode}: {counter:?}");
        let mut admitted = 2;
        for _ in 0..20 {
            admitted += u32::from(from(&harness, "192.0.2.7", &[]).await == 200);
        }
        assert_eq!(admitted, 10, "{mode}");
    }
}
