//! When counters are asked, and how long that takes: beside requests, in parallel, and not for long at the end.

use std::{collections::VecDeque, time::Duration};

use faregate_engine::{
    gateway::{Handled, Incoming, Peer, SideWork},
    ports::StoreError,
};
use http_body_util::BodyExt;
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, proptest};
use serde_json::json;
use tokio::time::Instant;

use super::{
    limits::{call, daily, document},
    support::{Harness, KEY, request},
};

async fn gold(limit: u64) -> Harness {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(limit))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    harness
}

async fn begin(harness: &Harness, key: &str) -> Handled {
    let request = Ok(request("GET", "https://h/", &[("x-api-key", key)]));
    harness.gateway.handle(Incoming { request, peer: Peer::default(), remaining: None }).await
}

#[tokio::test(start_paused = true)]
async fn the_next_block_is_fetched_beside_the_request_that_spends_the_last_permit() {
    let harness = gold(1_000_000).await;
    // The first block is a few permits; what is spent of it last asks for the second one.
    let first = call(&harness, KEY).await;
    assert_eq!(first.status, 200);
    harness.clock.advance(Duration::from_millis(100));
    let last = loop {
        harness.counters.faults.forget_operations();
        harness.counters.faults.set_slow(Some(Duration::from_millis(400)));
        let started = Instant::now();
        let Handled { response, side_work } = begin(&harness, KEY).await;
        assert_eq!(response.status().as_u16(), 200);
        response.into_body().collect().await.expect("a body");
        assert_eq!(started.elapsed(), Duration::ZERO, "nobody waits for it");
        side_work.join(SideWork::LIMIT).await;
        harness.clock.advance(Duration::from_millis(100));
        if harness.counters.faults.count("take") > 0 {
            break started.elapsed();
        }
    };
    assert_eq!(last, Duration::from_millis(400));
    harness.counters.faults.forget_operations();
    let started = Instant::now();
    let Handled { response, side_work } = begin(&harness, KEY).await;
    assert_eq!((response.status().as_u16(), started.elapsed()), (200, Duration::ZERO));
    assert_eq!(harness.counters.faults.count("take"), 0, "it holds what was fetched");
    side_work.join(SideWork::LIMIT).await;
}

#[tokio::test(start_paused = true)]
async fn at_the_end_all_is_given_back_at_once_and_no_longer_than_300_ms() {
    let takes = async |slow: Option<Duration>| {
        let harness = gold(1_000_000).await;
        for number in 0..50 {
            let key = format!("key {number}");
            harness.key(&key, json!({"consumer": format!("c{number}"), "plan": "gold"}));
            for _ in 0..20 {
                assert_eq!(call(&harness, &key).await.status, 200);
                harness.clock.advance(Duration::from_millis(20));
            }
        }
        harness.counters.faults.forget_operations();
        harness.counters.faults.set_slow(slow.or(Some(Duration::MAX)));
        let started = Instant::now();
        harness.gateway.leave().await;
        assert_eq!(harness.counters.faults.under_way(), 0);
        (harness.counters.faults.count("give_back"), started.elapsed())
    };
    let (returns, took) = takes(Some(Duration::from_millis(100))).await;
    assert_eq!((returns, took), (50, Duration::from_millis(100)));
    let (returns, took) = takes(None).await;
    assert_eq!((returns, took), (50, Duration::from_millis(300)));
}

#[tokio::test(start_paused = true)]
async fn a_counter_that_is_throttled_is_asked_three_times() {
    let harness = gold(1_000_000).await;
    harness.counters.faults.set_failing(Some(StoreError::Throttled("busy".to_owned())));
    let started = Instant::now();
    assert_eq!(call(&harness, KEY).await.status, 429);
    assert_eq!(harness.counters.faults.count("take"), 3);
    assert!(started.elapsed() <= Duration::from_millis(80), "{:?}", started.elapsed());
}

#[tokio::test]
async fn nothing_is_leased_before_there_is_a_request() {
    let harness = gold(1_000_000).await;
    harness.gateway.warm_up(Duration::from_secs(1)).await;
    assert_eq!(harness.counters.faults.operations(), [""; 0]);
    assert_eq!(call(&harness, KEY).await.status, 200);
    assert!(harness.counters.faults.count("take") > 0);
}

/// Requests overlap, as with a concurrent runner: one begins every ten milliseconds and takes a second. Between them others
/// are refused at once.
#[tokio::test]
async fn an_environment_asks_for_no_more_than_it_can_serve_however_many_it_refuses() {
    let harness = gold(1_000_000).await;
    let granted = || {
        let counter = harness.counters.counter("plan|c#acme");
        counter.map_or(0, |counter| counter.slots.values().map(|slot| slot.granted).sum::<u64>())
    };
    let (mut open, mut largest, mut before) = (VecDeque::new(), 0, 0);
    for number in 0..3000 {
        let Handled { response, side_work } = begin(&harness, KEY).await;
        assert_eq!(response.status().as_u16(), 200);
        open.push_back(response);
        side_work.join(SideWork::LIMIT).await;
        for _ in 0..3 {
            assert_eq!(call(&harness, "nobody's").await.status, 401);
        }
        // How long a request takes is known once some have ended.
        if number > 1500 {
            largest = largest.max(granted() - before);
        }
        before = granted();
        harness.clock.advance(Duration::from_millis(10));
        if open.len() == 100 {
            let ended = open.pop_front().expect("a response");
            ended.into_body().collect().await.expect("a body");
        }
    }
    // A hundred permits, or ten seconds of one request a second; not ten seconds of a hundred.
    assert!((50..=110).contains(&largest), "{largest}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// QUOTAS.md, 8.
    #[test]
    fn no_environment_spends_what_another_one_leased(
        steps in prop::collection::vec((0..3_usize, any::<bool>(), 0..400_u64), 1..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let harness = gold(300).await;
            let mut environments = [(); 3].map(|()| (harness.second(), 0_u64, 0_u64));
            let granted = || {
                let counter = harness.counters.counter("plan|c#acme");
                counter.map_or(0, |counter| counter.slots.values().map(|slot| slot.granted).sum::<u64>())
            };
            for (number, dies, millis) in steps {
                let (environment, own, spent) = &mut environments[number];
                if dies && *spent > 20 {
                    // Killed: what it held is nobody's.
                    (*environment, *own, *spent) = (harness.second(), 0, 0);
                }
                for _ in 0..4 {
                    let before = granted();
                    let answer = harness.through(environment, request("GET", "https://h/", &[("x-api-key", KEY)])).await;
                    *own += granted() - before;
                    *spent += u64::from(answer.status == 200);
                    prop_assert!(*spent <= *own, "{} of {}", spent, own);
                    harness.clock.advance(Duration::from_millis(millis));
                }
            }
            Ok(())
        })?;
    }
}
