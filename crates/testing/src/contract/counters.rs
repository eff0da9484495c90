//! `Counters`.

use faregate_core::{
    cost::Cost,
    limit::{Ask, Counter, Lease, Mode, Obstacle, Return, RollUp, Rule, Sizing, Slot, SlotName, Take, Window},
    time::Timestamp,
};
use faregate_engine::ports::{Counters, StoreError, Taken, Terms, Waiting};
use futures_util::future::join_all;

/// Makes a test of each promise of [`Counters`].
///
/// The argument is an async function that yields a [`Subject`](super::Subject) of `dyn Counters`; with
/// `on` and the type of a server it gets that and a check's name, and there is one function `all` for all promises.
#[macro_export]
macro_rules! counters_contract {
    ($start:path $(, on $server:ty)?) => {
        $crate::contract_tests!(
            counters,
            $start $(, on $server)?;
            a_bucket_gives_what_comes_back_and_no_more,
            a_bucket_that_has_been_full_for_a_while_is_begun_anew,
            a_limit_whose_unit_changes_counts_anew,
            a_mixed_take_resets_some_and_adds_to_others,
            a_slot_goes_from_one_month_to_the_month_after_the_next,
            an_absent_counter_fails_its_condition_and_is_made_by_a_reset,
            fifty_writers_at_once_have_an_exact_sum,
            of_twenty_resets_at_once_one_is_made,
            one_limit_in_the_way_stops_all,
            permits_come_back_once_and_only_to_their_window,
            sums_of_a_month_may_stand_in_a_counter_and_come_before_it,
            what_passes_the_limit_grants_nothing_more,
            who_needs_more_than_is_left_takes_nothing,
        );
    };
}

const TERMS: Terms =
    Terms { cost: None, expires_at: Timestamp::from_seconds(1_900_000_000), waiting: Waiting::Request };

fn take(limit: &str, window: Window, index: u64, block: u64, resets: bool) -> Take {
    Take { slot: SlotName::of(limit, window, index), index, limit: 10, block, needed: 1, settled: 1, resets }
}

fn day(index: u64, block: u64) -> Take {
    take("daily", Window::Day, index, block, false)
}

fn reset(take: Take) -> Take {
    Take { resets: true, ..take }
}

fn asked(takes: &[Take]) -> Vec<Ask> {
    takes.iter().cloned().map(Ask::Take).collect()
}

async fn granted(store: &dyn Counters, takes: &[Take]) -> Vec<u64> {
    match store.take("plan|c#acme", &asked(takes), TERMS).await.expect("an answer") {
        Taken::Granted(granted) => granted,
        Taken::Refused(counter) => panic!("refused: {counter:?}"),
    }
}

async fn refused(store: &dyn Counters, takes: &[Take]) -> Counter {
    match store.take("plan|c#acme", &asked(takes), TERMS).await.expect("an answer") {
        Taken::Granted(granted) => panic!("granted: {granted:?}"),
        Taken::Refused(counter) => counter,
    }
}

async fn slot(store: &dyn Counters, take: &Take) -> Option<Slot> {
    let read = store.read("plan|c#acme", std::slice::from_ref(&take.slot)).await.expect("an answer");
    read.slots.get(&take.slot).copied()
}

/// A bucket of ten permits a second, five of which the counter gives at once: full at first, empty after five, and each
/// permit comes back after a tenth of a second. It is asked for with a quota in one write: both or none.
pub async fn a_bucket_gives_what_comes_back_and_no_more(store: &dyn Counters) {
    let mode = Mode::Burst { burst: None, request_max: 1 };
    let rule = Rule::new("fast", 10, Window::Second, mode);
    let at = |millis: u64| Timestamp::from_millis(1_795_526_000_000 + millis);
    let draw = |permits, now| Lease::default().take(&rule, permits, now, Sizing::default()).expect("a draw");
    let take = async |ask: &Ask| {
        let quota = Ask::Take(day(20_000, 1));
        store.take("plan|c#acme", &[ask.clone(), quota], TERMS).await.expect("an answer")
    };
    granted(store, &[reset(day(20_000, 1))]).await;
    let mut ask = draw(4, at(0));
    // Nobody drew from it yet, which the draw of a new lease does not know.
    assert_eq!(take(&ask).await, Taken::Granted(vec![1_795_526_000_400_000, 2]));
    let Taken::Refused(counter) = take(&ask).await else { panic!("a bucket that is not full was filled again") };
    assert_eq!(counter.buckets.values().copied().collect::<Vec<_>>(), [1_795_526_000_400_000]);
    assert_eq!(ask.meet(&counter), Some(Obstacle::Empty { full_at: 1_795_526_000_400_000, until: at(300) }));
    let mut ask = draw(1, at(0));
    assert_eq!(ask.meet(&counter), None);
    assert_eq!(take(&ask).await, Taken::Granted(vec![1_795_526_000_500_000, 3]));
    assert!(matches!(take(&ask).await, Taken::Refused(_)), "empty");
    let mut ask = draw(1, at(100));
    assert_eq!(ask.meet(&counter), None);
    assert_eq!(take(&ask).await, Taken::Granted(vec![1_795_526_000_600_000, 4]));
    // Full again: an old time does not count.
    assert_eq!(take(&draw(5, at(10_000))).await, Taken::Granted(vec![1_795_526_010_500_000, 5]));
    let read = slot(store, &day(20_000, 1)).await.map(|slot| slot.granted);
    assert_eq!(read, Some(5), "what was refused took nothing of the quota");
}

/// A bucket that has been full for a moment may be drawn from as if it was not; for longer it must be begun anew, so that
/// it never gives more than it holds.
pub async fn a_bucket_that_has_been_full_for_a_while_is_begun_anew(store: &dyn Counters) {
    let mode = Mode::Burst { burst: None, request_max: 1 };
    let rule = Rule::new("fast", 10, Window::Second, mode);
    let at = |millis: u64| Timestamp::from_millis(1_795_526_000_000 + millis);
    let draw = |now, is_full| match Lease::default().take(&rule, 1, now, Sizing::default()) {
        Some(Ask::Draw(mut draw)) => {
            draw.is_full = is_full;
            [Ask::Draw(draw)]
        }
        other => panic!("no draw: {other:?}"),
    };
    let take = async |ask: [Ask; 1]| store.take("plan|c#acme", &ask, TERMS).await.expect("an answer");
    assert!(matches!(take(draw(at(0), false)).await, Taken::Refused(_)), "nobody drew from it yet");
    assert_eq!(take(draw(at(0), true)).await, Taken::Granted(vec![1_795_526_000_100_000]));
    assert_eq!(take(draw(at(120), false)).await, Taken::Granted(vec![1_795_526_000_200_000]), "full since 20 ms");
    assert!(matches!(take(draw(at(240), false)).await, Taken::Refused(_)), "full since 40 ms");
    assert_eq!(take(draw(at(240), true)).await, Taken::Granted(vec![1_795_526_000_340_000]));
    assert!(matches!(take(draw(at(339), true)).await, Taken::Refused(_)), "not full");
}

/// A counter that is not there is no error and grants nothing; a reset makes it.
pub async fn an_absent_counter_fails_its_condition_and_is_made_by_a_reset(store: &dyn Counters) {
    let first = day(20_000, 3);
    assert_eq!(refused(store, std::slice::from_ref(&first)).await, Counter::default());
    assert_eq!(first.obstacle(&Counter::default()), Some(Obstacle::OlderWindow));
    assert_eq!(granted(store, &[reset(first.clone())]).await, [3]);
    assert_eq!(granted(store, std::slice::from_ref(&first)).await, [6]);
    assert_eq!(slot(store, &first).await, Some(Slot { index: 20_000, granted: 6, settled: 2 }));
    // Of the same window a second reset is refused: it would take back what was granted.
    assert_eq!(refused(store, &[reset(first.clone())]).await.slots.len(), 1);
    assert_eq!(slot(store, &first).await.map(|slot| slot.granted), Some(6));
}

/// The last block may pass the limit; after that nothing is granted, and the counter does not grow.
pub async fn what_passes_the_limit_grants_nothing_more(store: &dyn Counters) {
    assert_eq!(granted(store, &[reset(day(20_000, 8))]).await, [8]);
    let last = day(20_000, 8);
    let counted = granted(store, std::slice::from_ref(&last)).await;
    assert_eq!((counted[0], last.grant(counted[0])), (16, 2));
    let counter = refused(store, std::slice::from_ref(&last)).await;
    assert_eq!(last.obstacle(&counter), Some(Obstacle::Exhausted));
    assert_eq!(slot(store, &last).await.map(|slot| slot.granted), Some(16));
    // A higher limit goes on where the lower one ended.
    let higher = Take { limit: 20, ..day(20_000, 8) };
    let counted = granted(store, std::slice::from_ref(&higher)).await;
    assert_eq!((counted[0], higher.grant(counted[0])), (24, 4));
}

/// A take that would not bring as many permits as are needed is refused, and leaves what is there to others.
pub async fn who_needs_more_than_is_left_takes_nothing(store: &dyn Counters) {
    assert_eq!(granted(store, &[reset(day(20_000, 8))]).await, [8]);
    let needing = |needed| Take { needed, ..day(20_000, needed) };
    for needed in [3, 5, 10, 11] {
        let counter = refused(store, &[needing(needed)]).await;
        assert_eq!(needing(needed).obstacle(&counter), Some(Obstacle::Exhausted), "{needed}");
        assert_eq!(slot(store, &needing(needed)).await.map(|slot| slot.granted), Some(8), "{needed}");
    }
    assert_eq!(granted(store, &[needing(2)]).await, [10]);
}

/// All limits of a take or none.
pub async fn one_limit_in_the_way_stops_all(store: &dyn Counters) {
    let monthly = take("monthly", Window::Month, 682, 4, false);
    assert_eq!(granted(store, &[reset(day(20_000, 12)), reset(monthly.clone())]).await, [12, 4]);
    let counter = refused(store, &[day(20_000, 1), monthly.clone()]).await;
    assert_eq!(day(20_000, 1).obstacle(&counter), Some(Obstacle::Exhausted));
    assert_eq!(monthly.obstacle(&counter), None);
    assert_eq!(slot(store, &monthly).await.map(|slot| (slot.granted, slot.settled)), Some((4, 1)));
    // A clock that is behind: the slot holds a newer window of the same parity.
    let counter = refused(store, &[day(19_998, 1), monthly.clone()]).await;
    assert_eq!(day(19_998, 1).obstacle(&counter), Some(Obstacle::NewerWindow));
    refused(store, &[reset(day(19_998, 1))]).await;
    assert_eq!(slot(store, &day(20_000, 1)).await.map(|slot| slot.index), Some(20_000));
}

/// One write may begin a day and go on with a month.
pub async fn a_mixed_take_resets_some_and_adds_to_others(store: &dyn Counters) {
    let monthly = take("monthly", Window::Month, 682, 2, false);
    assert_eq!(granted(store, &[reset(day(20_000, 5)), reset(monthly.clone())]).await, [5, 2]);
    let next = day(20_001, 3);
    let counter = refused(store, &[next.clone(), monthly.clone()]).await;
    assert_eq!((next.obstacle(&counter), monthly.obstacle(&counter)), (Some(Obstacle::OlderWindow), None));
    assert_eq!(granted(store, &[reset(next), monthly]).await, [3, 4]);
    assert_eq!(slot(store, &day(20_000, 1)).await.map(|slot| slot.granted), Some(5), "yesterday's own slot stays");
}

/// Two slots in turn: the third month begins where the first was.
pub async fn a_slot_goes_from_one_month_to_the_month_after_the_next(store: &dyn Counters) {
    let month = |index| take("monthly", Window::Month, index, 6, false);
    for index in [682, 683, 684] {
        let counter = refused(store, &[month(index)]).await;
        assert_eq!(month(index).obstacle(&counter), Some(Obstacle::OlderWindow));
        assert_eq!(granted(store, &[reset(month(index))]).await, [6]);
    }
    assert_eq!(slot(store, &month(682)).await, Some(Slot { index: 684, granted: 6, settled: 1 }));
}

/// Another unit is another slot, whose numbers have nothing to do with the old one's.
pub async fn a_limit_whose_unit_changes_counts_anew(store: &dyn Counters) {
    let minutes = take("x", Window::Minute, 29_925_000, 9, false);
    assert_eq!(granted(store, &[reset(minutes.clone())]).await, [9]);
    let days = take("x", Window::Day, 20_000, 2, false);
    assert_eq!(granted(store, &[reset(days)]).await, [2]);
    assert_eq!(slot(store, &minutes).await.map(|slot| slot.granted), Some(9));
}

/// A return counts in its own window alone, and never below nothing.
pub async fn permits_come_back_once_and_only_to_their_window(store: &dyn Counters) {
    let back = |index, permits| Return { slot: SlotName::of("daily", Window::Day, index), index, permits, settled: 2 };
    assert_eq!(store.give_back("plan|c#acme", &back(20_000, 1)).await, Ok(false), "no counter at all");
    assert_eq!(granted(store, &[reset(day(20_000, 5))]).await, [5]);
    assert_eq!(store.give_back("plan|c#acme", &back(20_000, 3)).await, Ok(true));
    assert_eq!(store.give_back("plan|c#acme", &back(20_000, 3)).await, Ok(false), "more than is left");
    assert_eq!(slot(store, &day(20_000, 1)).await, Some(Slot { index: 20_000, granted: 2, settled: 3 }));
    assert_eq!(granted(store, &[reset(day(20_002, 5))]).await, [5]);
    assert_eq!(store.give_back("plan|c#acme", &back(20_000, 1)).await, Ok(false), "its window is over");
    assert_eq!(slot(store, &day(20_002, 1)).await.map(|slot| slot.granted), Some(5));
}

/// Sums change nothing of a counter's permits, and an item that has nothing but sums is as good as none.
pub async fn sums_of_a_month_may_stand_in_a_counter_and_come_before_it(store: &dyn Counters) {
    let sums = vec![("requests.2026-11".to_owned(), 3), ("cost.2026-11".to_owned(), 900)];
    let rolled = RollUp { item: "plan|c#acme".to_owned(), sums };
    assert_eq!(store.roll_up(&rolled, TERMS.expires_at).await, Ok(()));
    assert_eq!(refused(store, &[day(20_000, 2)]).await, Counter::default());
    assert_eq!(granted(store, &[reset(day(20_000, 2))]).await, [2]);
    assert_eq!(store.roll_up(&rolled, TERMS.expires_at).await, Ok(()));
    assert_eq!(slot(store, &day(20_000, 1)).await, Some(Slot { index: 20_000, granted: 2, settled: 1 }));
    let cost = Cost::at(Timestamp::from_seconds(1_795_526_000), 1, 300);
    let terms = Terms { cost: Some(cost), ..TERMS };
    let taken = store.take("plan|c#acme", &asked(&[day(20_000, 1)]), terms).await;
    assert_eq!(taken, Ok(Taken::Granted(vec![3])));
}

/// Nobody's permits are lost or counted twice.
pub async fn fifty_writers_at_once_have_an_exact_sum(store: &dyn Counters) {
    granted(store, &[reset(day(20_000, 1))]).await;
    let wide = Take { limit: 1_000_000, ..day(20_000, 7) };
    let takes = (0..50).map(|_| granted(store, std::slice::from_ref(&wide)));
    let mut counted: Vec<u64> = join_all(takes).await.into_iter().map(|granted| granted[0]).collect();
    counted.sort_unstable();
    let expected: Vec<u64> = (1..=50).map(|number| 1 + 7 * number).collect();
    assert_eq!(counted, expected);
}

/// However many environments begin a window, one of them does.
pub async fn of_twenty_resets_at_once_one_is_made(store: &dyn Counters) {
    let first = reset(day(20_000, 2));
    let first_ask = asked(std::slice::from_ref(&first));
    let takes = (0..20).map(|_| store.take("plan|c#acme", &first_ask, TERMS));
    let made = join_all(takes).await.into_iter().filter(|taken| *taken == Ok(Taken::Granted(vec![2]))).count();
    assert_eq!(made, 1);
    assert_eq!(slot(store, &first).await.map(|slot| slot.granted), Some(2));
}

/// While the store is down nothing is granted, and the error says so. For subjects that can be taken down.
pub async fn a_store_that_is_down_is_unavailable(store: &dyn Counters) {
    let taken = store.take("plan|c#acme", &asked(&[reset(day(20_000, 1))]), TERMS).await;
    assert!(matches!(taken, Err(StoreError::Unavailable(_))), "{taken:?}");
}
