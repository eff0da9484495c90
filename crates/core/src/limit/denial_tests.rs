//! How long a counter's word counts that too little is left.

use std::time::Duration;

use super::{Lease, Mode, Obstacle, Rule, Sizing, Window};
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
