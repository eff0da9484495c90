//! What is leased while the clock is known to be wrong.

use std::time::Duration;

use super::{Ask, Counter, Lease, Mode, Rule, Sizing, Window};
use crate::time::Timestamp;

const SERVICE: Duration = Duration::from_millis(20);

#[test]
fn of_short_windows_a_wrong_clock_holds_nothing_that_no_request_waits_for() {
    let burst = Mode::Burst { burst: None, request_max: 1 };
    for (window, mode, holds) in [
        (Window::Second, burst, false),
        (Window::Second, Mode::Exact, false),
        (Window::Minute, Mode::Exact, false),
        (Window::Hour, Mode::Exact, true),
        (Window::Day, Mode::Exact, true),
    ] {
        let rule = Rule::new("x", 1_000_000, window, mode);
        let now = Timestamp::from_seconds(1_795_526_000);
        let (mut counter, mut lease) = (Counter::default(), Lease::default());
        let sizing = |is_clock_wrong| Sizing { service: SERVICE, is_clock_wrong, ..Sizing::default() };
        for millis in [0, 20, 40] {
            let now = now.plus(Duration::from_millis(millis));
            lease.request(now);
            let mut ask = lease.take(&rule, 1, now, sizing(false)).expect("an ask");
            ask.meet(&counter);
            let number = counter.take(std::slice::from_ref(&ask)).expect("granted")[0];
            lease.taken(&rule, &ask, number, now);
        }
        let now = now.plus(Duration::from_millis(60));
        let block = |ask: Option<Ask>| match ask {
            Some(Ask::Take(take)) => take.block,
            Some(Ask::Draw(draw)) => draw.block,
            None => 0,
        };
        assert!(block(lease.clone().take(&rule, 1, now, sizing(false))) > 1, "{rule:?}");
        assert_eq!(block(lease.clone().take(&rule, 1, now, sizing(true))) > 1, holds, "{rule:?}");
        assert_eq!(lease.take(&rule, 0, now, sizing(true)).is_some(), holds, "{rule:?}");
    }
}
