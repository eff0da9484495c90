//! The laws of limits that leases alone cannot keep, over random histories of whole requests: all limits or none are
//! deducted, nothing is admitted without a permit, and nothing is under way when an invocation ends (QUOTAS.md, 7, 10
//! and 12).

use std::time::Duration;

use faregate_engine::ports::{Clock, StoreError};
use proptest::{
    prelude::{ProptestConfig, Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest},
    test_runner::TestCaseResult,
};
use serde_json::{Value, json};

use super::{
    limits::{call, document},
    support::Harness,
};

/// What happens in one step of a history.
#[derive(Clone, Copy, Debug)]
enum Step {
    Request,
    /// So many milliseconds pass.
    Pass(u64),
    /// From now on the counters are so.
    Store(Store),
}

#[derive(Clone, Copy, Debug)]
enum Store {
    Well,
    Throttled,
    Down,
    /// Its answers take longer than side work may.
    Slow,
}

const SLOW: Duration = Duration::from_millis(700);

/// Limits of a plan and of a route, each of which refuses now and then.
fn limited(hourly: u64, daily: u64, own: u64) -> Value {
    let plans = json!([{"id": "gold", "limits": [
        {"id": "hourly", "limit": hourly, "per": "hour"},
        {"id": "daily", "limit": daily, "per": "day"},
    ]}]);
    let limits = json!([{"id": "own", "limit": own, "window_seconds": 7200, "on_unavailable": "refuse"}]);
    document(json!({"authenticate": "api_key", "limits": limits}), plans)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => prop::strategy::Just(Step::Request),
        2 => (0_u64..3000).prop_map(Step::Pass),
        1 => prop::sample::select(vec![Store::Throttled, Store::Down, Store::Slow]).prop_map(Step::Store),
        2 => prop::strategy::Just(Step::Store(Store::Well)),
    ];
    prop::collection::vec(step, 1..16)
}

/// Lets a history happen to a consumer of its own; each limit's slots must show what was admitted in the end.
async fn happen(harness: &Harness, number: u64, steps: &[Step]) -> TestCaseResult {
    let (key, consumer) = (format!("key {number}"), format!("c{number}"));
    harness.key(&key, json!({"consumer": consumer, "plan": "gold"}));
    let mut admitted = 0;
    let mut is_lossy = false;
    for step in steps {
        match step {
            Step::Pass(millis) => harness.clock.advance(Duration::from_millis(*millis)),
            Step::Store(store) => {
                is_lossy |= matches!(store, Store::Down | Store::Slow);
                harness.counters.faults.set_slow(matches!(store, Store::Slow).then_some(SLOW));
                harness.counters.faults.set_failing(match store {
                    Store::Well | Store::Slow => None,
                    Store::Throttled => Some(StoreError::Throttled("busy".to_owned())),
                    Store::Down => Some(StoreError::Unavailable("down".to_owned())),
                });
            }
            Step::Request => {
                let status = call(harness, &key).await.status;
                prop_assert!(matches!(status, 200 | 429 | 503), "{status}");
                admitted += u64::from(status == 200);
                prop_assert_eq!(harness.counters.faults.under_way(), 0, "the invocation has ended");
                for slot in slots(harness, &consumer) {
                    prop_assert!(admitted <= slot.0, "{admitted} admitted, {} granted", slot.0);
                }
                prop_assert!(admitted == 0 || slots(harness, &consumer).len() == 3, "a limit was not asked");
            }
        }
    }
    harness.counters.faults.set_failing(None);
    harness.counters.faults.set_slow(None);
    harness.gateway.leave().await;
    for (granted, settled) in slots(harness, &consumer) {
        // What was told to a counter that cannot be reached may be lost, and is told once.
        prop_assert!(if is_lossy { settled <= admitted } else { settled == admitted }, "{settled} of {admitted}");
        prop_assert!(granted >= settled);
    }
    Ok(())
}

/// Of each limit of a consumer, what was granted and what was told as spent.
fn slots(harness: &Harness, consumer: &str) -> Vec<(u64, u64)> {
    let counters = ["plan", "route:r"].map(|owner| harness.counters.counter(&format!("{owner}|c#{consumer}")));
    let slots = counters.into_iter().flatten().flat_map(|counter| counter.slots.into_values());
    slots.map(|slot| (slot.granted, slot.settled)).collect()
}

#[test]
fn all_limits_are_deducted_or_none_and_nothing_passes_without_a_permit() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let harness = runtime.block_on(Harness::new(limited(4, 6, 5)));
    let number = std::cell::Cell::new(0);
    proptest!(ProptestConfig::with_cases(10_000), |(steps in steps())| {
        number.set(number.get() + 1);
        // Each history begins with a window, so that each limit has one slot.
        let day = Duration::from_secs(86_400);
        let since = harness.clock.now().as_seconds() % day.as_secs();
        harness.clock.advance(day - Duration::from_secs(since));
        runtime.block_on(happen(&harness, number.get(), &steps))?;
    });
}
