use std::time::Duration;

use faregate_core::time::Timestamp;
use faregate_engine::{
    fakes::FakeOutbound,
    ports::{Metric, SnapshotStore, StoreError},
    publish::Outcome,
    published::SnapshotHead,
};
use serde_json::{Value, json};

use super::support::{Harness, NOW, get};

fn answering(body: &str) -> Value {
    json!({"routes": [{"id": "r", "authenticate": "anonymous", "respond": {"body": body}}]})
}

async fn body(harness: &Harness) -> String {
    String::from_utf8(harness.get("https://h/").await.body.to_vec()).expect("text")
}

#[tokio::test]
async fn a_change_serves_after_one_interval_without_a_request_waiting_for_it() {
    let harness = Harness::new(answering("one")).await;
    assert_eq!(body(&harness).await, "one");
    harness.publish(answering("two")).await;
    assert_eq!(body(&harness).await, "one");
    harness.clock.advance(Duration::from_secs(10));
    assert_eq!(body(&harness).await, "one", "polled beside this request");
    assert_eq!(body(&harness).await, "two");
}

#[tokio::test]
async fn after_a_long_freeze_the_snapshot_is_checked_before_it_decides() {
    let harness = Harness::new(answering("one")).await;
    assert_eq!(body(&harness).await, "one");
    harness.publish(answering("two")).await;
    harness.clock.freeze_for(Duration::from_secs(61));
    assert_eq!(body(&harness).await, "two");
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_while_a_stale_snapshot_is_checked_waits_for_the_same_check() {
    let harness = Harness::new(answering("one")).await;
    assert_eq!(body(&harness).await, "one");
    harness.publish(answering("two")).await;
    harness.clock.freeze_for(Duration::from_secs(61));
    let store = &harness.config.faults;
    store.set_slow(Some(Duration::from_millis(50)));
    store.forget_operations();
    let second = async {
        while store.under_way() == 0 {
            tokio::task::yield_now().await;
        }
        body(&harness).await
    };
    assert_eq!(tokio::join!(body(&harness), second), ("two".to_owned(), "two".to_owned()));
    assert_eq!(store.count("current"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_or_hangs_leaves_the_loaded_snapshot_serving() {
    let harness = Harness::new(answering("one")).await;
    assert_eq!(body(&harness).await, "one");
    harness.config.faults.set_down(true);
    harness.clock.freeze_for(Duration::from_secs(600));
    assert_eq!(body(&harness).await, "one");
    assert_eq!(harness.last_record().config_age, Duration::from_secs(600));
    assert!(harness.telemetry.count(Metric::ConfigAge) > 0);
    harness.config.faults.set_down(false);
    harness.config.faults.set_hanging(true);
    harness.clock.freeze_for(Duration::from_secs(600));
    assert_eq!(body(&harness).await, "one");
    harness.config.faults.set_hanging(false);
    harness.clock.advance(Duration::from_secs(10));
    body(&harness).await;
    body(&harness).await;
    assert_eq!(harness.last_record().config_age, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn without_any_snapshot_the_answer_is_not_ready() {
    let harness = Harness::unpublished(FakeOutbound::default());
    let answer = harness.get("https://h/").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "not_ready"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    let reads = || harness.config.faults.operations().len();
    let before = reads();
    assert_eq!(harness.get("https://h/").await.status, 503);
    assert_eq!(reads(), before, "a flood of requests is no flood of reads");
    harness.clock.advance(Duration::from_secs(1));
    harness.config.faults.fail_next(StoreError::Unavailable("x".into()));
    assert_eq!(harness.get("https://h/").await.status, 503);
    harness.publish(answering("one")).await;
    harness.clock.advance(Duration::from_secs(1));
    assert_eq!(body(&harness).await, "one");
}

#[tokio::test(start_paused = true)]
async fn the_first_request_waits_no_longer_than_its_invocation_can() {
    let harness = Harness::new(answering("one")).await;
    harness.config.faults.set_hanging(true);
    let started = tokio::time::Instant::now();
    let answer = harness.take_within(Duration::from_secs(3), get("https://h/")).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "not_ready"));
    assert!(started.elapsed() <= Duration::from_millis(2751), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_clock_that_was_set_back_stops_no_check() {
    let harness = Harness::new(answering("one")).await;
    assert_eq!(body(&harness).await, "one");
    harness.publish(answering("two")).await;
    harness.clock.set(Timestamp::from_seconds(NOW.as_seconds() - 86_400));
    assert_eq!(body(&harness).await, "two", "checked before it decides");
}

#[tokio::test]
async fn other_content_under_the_same_version_is_loaded() {
    let harness = Harness::new(answering("one")).await;
    assert_eq!(body(&harness).await, "one");
    let Outcome::Published { head, .. } = harness.publish(answering("two")).await else { panic!("published") };
    harness.config.insert_head(SnapshotHead { version: 1, ..head });
    harness.clock.freeze_for(Duration::from_secs(61));
    assert_eq!(body(&harness).await, "two");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_side_work_gives_up_is_told() {
    let harness = Harness::new(answering("one")).await;
    assert_eq!(body(&harness).await, "one");
    harness.config.faults.set_hanging(true);
    harness.clock.advance(Duration::from_secs(10));
    assert_eq!(body(&harness).await, "one");
    assert_eq!(harness.telemetry.count(Metric::ConfigAge), 1);
}

#[tokio::test]
async fn a_corrupt_chunk_leaves_the_newest_version_that_loads() {
    let harness = Harness::new(answering("one")).await;
    let Outcome::Published { head, .. } = harness.publish(answering("two")).await else { panic!("published") };
    harness.config.corrupt_chunk(&head.hash, 0);
    // A cold start falls back to version 1 …
    assert_eq!(body(&harness).await, "one");
    assert_eq!(harness.telemetry.count(Metric::SnapshotRejected), 1);
    // … and the next publishing mends the chunk.
    let healed = harness.publish(answering("two")).await;
    assert!(matches!(healed, Outcome::Unchanged { healed: true, .. }), "{healed:?}");
    harness.clock.advance(Duration::from_secs(10));
    body(&harness).await;
    assert_eq!(body(&harness).await, "two");
}

#[tokio::test]
async fn a_version_of_a_newer_format_or_without_chunks_is_passed_over() {
    let harness = Harness::new(answering("one")).await;
    let newer = SnapshotHead { version: 9, hash: "00".into(), format: 99, chunks: 1, published_at: NOW };
    harness.config.insert_head(newer);
    assert_eq!(body(&harness).await, "one");
    assert_eq!(harness.last_record().config_version, 1);
}

#[tokio::test]
async fn an_unreadable_current_item_falls_back_too() {
    let harness = Harness::new(answering("one")).await;
    harness.config.faults.fail_next(StoreError::Malformed("version is a string".into()));
    assert_eq!(body(&harness).await, "one");
    assert_eq!(harness.telemetry.count(Metric::SnapshotRejected), 1);
}

#[tokio::test]
async fn a_lost_current_item_falls_back_to_the_newest_version() {
    let harness = Harness::new(answering("one")).await;
    harness.publish(answering("two")).await;
    harness.config.remove_current();
    assert_eq!(body(&harness).await, "two");
    assert!(harness.telemetry.count(Metric::SnapshotRejected) > 0);
    // Publishing again does not begin at version 1.
    harness.publish(answering("three")).await;
    let current = harness.config.current(true).await.expect("a store").expect("a head");
    assert_eq!(current.version, 3);
}

#[tokio::test]
async fn many_first_requests_load_one_snapshot_each_once() {
    let harness = Harness::new(answering("one")).await;
    harness.config.faults.forget_operations();
    let requests = (0..50).map(|_| harness.get("https://h/"));
    let answers = futures_util::future::join_all(requests).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(harness.config.faults.count("chunks"), 1);
}
