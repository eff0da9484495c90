//! How long a counter's word counts that too little is left.

use std::time::Duration;

use super::{
    Counter, Lease, Mode, Obstacle, Rule, Sizing, Window,
    tests::{ask, take_of},
};
use crate::time::Timestamp;

/// A day, an hour and a minute begin.
const BEGINS: Timestamp = Timestamp::from_seconds(1_795_564_800);

/// For how many milliseconds each of so many refusals in a row counts, as jitter leaves it at most.
fn denied_for(window: Window, refusals: usize) -> Vec<u128> {
    let rule = Rule::new("x", 10, window, Mode::Exact);
    let (mut lease, mut now) = (Lease::default(), BEGINS);
    let mut denied = Vec::new();
    for _ in 0..refusals {
        let ask = lease.take(&rule, 1, now, Sizing::default()).expect("a take");
        lease.refused(&rule, &ask, Obstacle::Exhausted, now, 1.0);
        let until = lease.denied(&rule, 1, now).expect("denied");
        denied.push(until.since(now).as_millis());
        assert!(lease.denied(&rule, 1, until).is_none(), "asked again");
        now = until;
    }
    denied
}

#[test]
fn each_refusal_counts_twice_as_long_up_to_a_fiftieth_of_the_window() {
    let hour = [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 72_000, 72_000];
    assert_eq!(denied_for(Window::Hour, 10), hour);
    assert_eq!(denied_for(Window::Minute, 4), [500, 1000, 1200, 1200]);
    assert_eq!(denied_for(Window::Second, 2), [20, 20]);
}

#[test]
fn permits_end_it_and_it_begins_anew() {
    let rule = Rule::new("x", 10, Window::Hour, Mode::Exact);
    let (mut lease, now) = (Lease::default(), BEGINS);
    let ask = lease.take(&rule, 1, now, Sizing::default()).expect("a take");
    let refuse = |lease: &mut Lease, now: Timestamp| {
        lease.refused(&rule, &ask, Obstacle::Exhausted, now, 0.0);
        lease.denied(&rule, 1, now).expect("denied").since(now)
    };
    // Jitter takes off a half at most.
    assert_eq!(refuse(&mut lease, now), Duration::from_millis(250));
    let later = now.plus(Duration::from_secs(1));
    assert_eq!(refuse(&mut lease, later), Duration::from_millis(500));
    let later = now.plus(Duration::from_secs(2));
    lease.taken(&rule, &ask, 1, later);
    assert!(lease.denied(&rule, 1, later).is_none() && lease.spend(&rule, later, 1));
    assert_eq!(refuse(&mut lease, later), Duration::from_millis(250));
}

#[test]
fn who_needs_more_than_is_left_is_denied_alone_and_takes_nothing_away() {
    let rule = Rule::new("x", 10, Window::Day, Mode::Exact);
    let now = Timestamp::from_seconds(1_795_526_000);
    let (mut counter, mut lease) = (Counter::default(), Lease::default());
    let mut first = take_of(&mut lease, &rule, 8, now, 0.0);
    first.resets = true;
    assert_eq!(counter.take(&[ask(&first)]), Some(vec![8]));
    let mut other = Lease::default();
    let many = take_of(&mut other, &rule, 5, now, 0.0);
    assert_eq!((counter.take(&[ask(&many)]), many.obstacle(&counter)), (None, Some(Obstacle::Exhausted)));
    other.refused(&rule, &ask(&many), Obstacle::Exhausted, now, 1.0);
    for (needed, is_denied) in [(1, false), (4, false), (5, true), (6, true)] {
        assert_eq!(other.denied(&rule, needed, now).is_some(), is_denied, "{needed}");
        assert_eq!(other.was_denied(&rule, needed, now), is_denied, "{needed}");
    }
    let few = take_of(&mut other, &rule, 2, now, 0.0);
    assert_eq!(counter.take(&[ask(&few)]), Some(vec![10]));
    other.taken(&rule, &ask(&few), 10, now);
    assert!(other.spend(&rule, now, 2));
    let tomorrow = rule.window.end(rule.window.index(now));
    assert_eq!(Lease::default().denied(&rule, 11, now), Some(tomorrow), "more than the limit");
    assert!(Lease::default().take(&rule, 11, now, Sizing::default()).is_none());
}
