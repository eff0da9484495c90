//! Permits of a window that are taken before it begins.

use std::{num::NonZeroU32, time::Duration};

use super::{Ask, Counter, Lease, Mode, Obstacle, Rule, Sizing, Spent, Take, Window};
use crate::time::Timestamp;

const SIZING: Sizing = Sizing { service: Duration::from_millis(20), random: 0.0, is_clock_wrong: false, waiting: 0 };
const HOUR_BEGINS: Timestamp = Timestamp::from_seconds(1_795_525_200);

fn rule(window: Window) -> Rule {
    Rule::new("x", 1_000_000, window, Mode::Exact)
}

fn granted(counter: &mut Counter, lease: &mut Lease, rule: &Rule, ask: Option<Ask>, now: Timestamp) -> Take {
    let Some(Ask::Take(mut take)) = ask else { panic!("nothing is asked: {ask:?}") };
    take.resets = take.obstacle(counter) == Some(Obstacle::OlderWindow);
    let ask = Ask::Take(take.clone());
    let number = counter.take(std::slice::from_ref(&ask)).expect("granted")[0];
    lease.taken(rule, &ask, number, now);
    take
}

/// A lease that had a request ten times a second until `millis` before the hour ends, with what the counter holds.
fn busy_until(rule: &Rule, millis: u64) -> (Counter, Lease, Timestamp) {
    let (mut counter, mut lease) = (Counter::default(), Lease::default());
    let mut now = HOUR_BEGINS.plus(Duration::from_millis(3_600_000 - millis - 2000));
    for _ in 0..=20 {
        lease.request(now);
        if lease.credit(rule, now) == 0 {
            let ask = lease.take(rule, 1, now, SIZING);
            granted(&mut counter, &mut lease, rule, ask, now);
        }
        assert!(lease.spend(rule, now, 1));
        now = now.plus(Duration::from_millis(100));
    }
    (counter, lease, now)
}

#[test]
fn a_busy_key_enters_the_next_window_with_permits_of_it() {
    let rule = rule(Window::Hour);
    let (mut counter, mut lease, now) = busy_until(&rule, 5000);
    let (credit, ahead) = (lease.credit(&rule, now), lease.take_ahead(&rule, now, SIZING));
    let take = granted(&mut counter, &mut lease, &rule, ahead, now);
    assert_eq!(take.index, rule.window.index(now) + 1);
    assert_eq!(lease.credit(&rule, now), credit, "permits of another window");
    assert!(lease.take_ahead(&rule, now, SIZING).is_none(), "once");
    let then = rule.window.end(rule.window.index(now));
    assert_eq!(lease.credit(&rule, then), take.block);
    assert!(take.block > 1);
    assert!(lease.spend(&rule, then, 1) && lease.credit(&rule, then) == take.block - 1);
    let left_over = vec![Spent { index: take.index - 1, permits: 21 - settled(&counter, take.index - 1) }];
    assert_eq!(lease.left_over(&rule, now), left_over);
    assert_eq!(lease.left_over(&rule, now), []);
}

fn settled(counter: &Counter, index: u64) -> u64 {
    counter.slots.values().find(|slot| slot.index == index).map_or(0, |slot| slot.settled)
}

#[test]
fn nothing_is_taken_ahead_too_early_of_short_windows_or_for_nobody() {
    let ask = |window, millis, sizing| {
        let rule = rule(window);
        let (_, mut lease, now) = busy_until(&rule, millis);
        lease.take_ahead(&rule, now, sizing).is_some()
    };
    let ninety = Window::Seconds(NonZeroU32::new(90).expect("90 is not zero"));
    assert!(ask(Window::Hour, 9000, SIZING) && ask(ninety, 9000, SIZING));
    assert!(!ask(Window::Hour, 15_000, SIZING), "too early");
    assert!(!ask(Window::Hour, 9000, Sizing { random: 0.5, ..SIZING }), "another environment's turn");
    assert!(!ask(Window::Minute, 9000, SIZING), "a short window");
    assert!(!ask(Window::Hour, 9000, Sizing { is_clock_wrong: true, ..SIZING }), "who knows when it begins");
    let now = HOUR_BEGINS.plus(Duration::from_secs(3595));
    let mut seldom = Lease::default();
    seldom.request(HOUR_BEGINS);
    seldom.request(now);
    assert!(seldom.take_ahead(&rule(Window::Hour), now, SIZING).is_none(), "one request an hour");
}

#[test]
fn an_environment_that_leaves_gives_back_both_windows() {
    let rule = rule(Window::Hour);
    let (mut counter, mut lease, now) = busy_until(&rule, 5000);
    let ahead = lease.take_ahead(&rule, now, SIZING);
    let ahead = granted(&mut counter, &mut lease, &rule, ahead, now);
    let later = now.plus(Duration::from_secs(4));
    assert!(lease.clone().give_back(&rule, later, false).iter().all(|back| back.index < ahead.index));
    let backs = lease.give_back(&rule, now, true);
    assert_eq!(backs.iter().map(|back| back.index).collect::<Vec<_>>(), [ahead.index - 1, ahead.index]);
    assert!(backs.iter().all(|back| counter.give_back(back)));
    assert!(lease.is_empty(&rule, now) && counter.slots.values().any(|slot| slot.granted == 0));
}

#[test]
fn a_clock_that_is_behind_by_a_window_is_denied_when_its_slot_was_begun_anew() {
    let rule = rule(Window::Hour);
    let (mut counter, mut lease, now) = busy_until(&rule, 5000);
    let ahead = lease.take_ahead(&rule, now, SIZING);
    granted(&mut counter, &mut lease, &rule, ahead, now);
    let behind = Timestamp::from_millis(HOUR_BEGINS.as_millis() - 1000);
    let mut late = Lease::default();
    let Some(Ask::Take(take)) = late.take(&rule, 1, behind, SIZING) else { panic!("a take") };
    assert_eq!(take.obstacle(&counter), Some(Obstacle::NewerWindow));
    late.refused(&rule, &Ask::Take(take), Obstacle::NewerWindow, behind, 0.5);
    assert!(late.denied(&rule, 1, behind).is_some());
}
