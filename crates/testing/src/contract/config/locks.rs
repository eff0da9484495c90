//! The lock of `faregate apply`.

use std::time::Duration;

use faregate_core::time::Timestamp;
use faregate_engine::ports::{ApplyLock, ConfigWriter};
use futures_util::future::join_all;

const NOW: Timestamp = Timestamp::from_millis(1_795_478_400_123);
const MINUTE: Duration = Duration::from_secs(60);

fn lock(holder: &str, taken_at: Timestamp) -> ApplyLock {
    ApplyLock { holder: holder.to_owned(), expires_at: taken_at.plus(MINUTE) }
}

/// While a lock counts nobody else gets it; its holder takes it again for longer.
pub async fn a_lock_keeps_others_out_and_its_holder_renews_it(store: &dyn ConfigWriter) {
    assert_eq!(store.take_lock(&lock("a", NOW), NOW).await, Ok(true));
    assert_eq!(store.lock().await, Ok(Some(lock("a", NOW))));
    assert_eq!(store.take_lock(&lock("b", NOW), NOW).await, Ok(false));
    assert_eq!(store.lock().await, Ok(Some(lock("a", NOW))));
    let later = NOW.plus(MINUTE / 2);
    assert_eq!(store.take_lock(&lock("a", later), later).await, Ok(true));
    assert_eq!(store.lock().await, Ok(Some(lock("a", later))));
    let after_the_first = NOW.plus(MINUTE);
    assert_eq!(store.take_lock(&lock("b", after_the_first), after_the_first).await, Ok(false));
}

/// A lock counts up to its instant of expiry, exclusive; it stays readable until another takes its place.
pub async fn a_lock_is_free_when_it_expires(store: &dyn ConfigWriter) {
    assert_eq!(store.take_lock(&lock("a", NOW), NOW).await, Ok(true));
    let just_before = NOW.plus(MINUTE - Duration::from_millis(1));
    assert_eq!(store.take_lock(&lock("b", just_before), just_before).await, Ok(false));
    assert_eq!(store.lock().await, Ok(Some(lock("a", NOW))));
    let expiry = NOW.plus(MINUTE);
    assert_eq!(store.take_lock(&lock("b", expiry), expiry).await, Ok(true));
    assert_eq!(store.lock().await, Ok(Some(lock("b", expiry))));
}

/// Giving back another's lock, or none, changes nothing and is no error.
pub async fn only_its_holder_gives_a_lock_back(store: &dyn ConfigWriter) {
    assert_eq!(store.release_lock("a").await, Ok(()));
    assert_eq!(store.take_lock(&lock("a", NOW), NOW).await, Ok(true));
    assert_eq!(store.release_lock("b").await, Ok(()));
    assert_eq!(store.lock().await, Ok(Some(lock("a", NOW))));
    assert_eq!(store.release_lock("a").await, Ok(()));
    assert_eq!(store.lock().await, Ok(None));
    assert_eq!(store.take_lock(&lock("b", NOW), NOW).await, Ok(true));
}

/// Of takers at the same time exactly one gets the lock.
pub async fn of_twenty_takers_one_gets_the_lock(store: &dyn ConfigWriter) {
    let locks: Vec<ApplyLock> = (0..20).map(|taker| lock(&format!("taker {taker}"), NOW)).collect();
    let outcomes = join_all(locks.iter().map(|lock| store.take_lock(lock, NOW))).await;
    let winner = outcomes.iter().position(|outcome| *outcome == Ok(true)).expect("a winner");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Ok(false)).count(), 19, "{outcomes:?}");
    assert_eq!(store.lock().await, Ok(Some(locks[winner].clone())));
}
