//! How far this machine's clock is from AWS's, as the `Date` of answers shows (RFC 9110 §6.6.1).

use std::sync::{Mutex, PoisonError};

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use faregate_core::time::Timestamp;

/// A `Date` has whole seconds: it may have been written so many milliseconds after the time that it says.
const TRUNCATED_MILLIS: i64 = 999;

/// What answers have shown so far.
#[derive(Debug, Default)]
pub(crate) struct Dates {
    known: Mutex<Option<Bounds>>,
}

/// Between which numbers of milliseconds this clock is ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    low: i64,
    high: i64,
}

impl Dates {
    /// Takes in an answer to a call that was made and answered at these times of this clock.
    pub(super) fn answered(&self, asked_at: Timestamp, answered_at: Timestamp, date: &str) {
        let Some(seen) = Bounds::of(asked_at, answered_at, date) else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // What contradicts the answers before it shows that the clock was changed.
        *known = Some(known.and_then(|known| known.and(seen)).unwrap_or(seen));
    }

    /// By how many milliseconds this clock is certainly ahead, or behind where that is negative; 0 where it may be right.
    pub(crate) fn skew_millis(&self) -> i64 {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.map_or(0, |Bounds { low, high }| if low > 0 { low } else { high.min(0) })
    }
}

impl Bounds {
    /// The date was written while the call was under way; a clock that was set back meanwhile shows nothing.
    fn of(asked_at: Timestamp, answered_at: Timestamp, date: &str) -> Option<Self> {
        let date = DateTime::from_str(date, DateTimeFormat::HttpDate).ok()?.to_millis().ok()?;
        let after = |at: Timestamp| i64::try_from(at.as_millis()).unwrap_or(i64::MAX).saturating_sub(date);
        let bounds = Self { low: after(asked_at).saturating_sub(TRUNCATED_MILLIS), high: after(answered_at) };
        (asked_at <= answered_at).then_some(bounds)
    }

    /// What both say; `None` where they contradict each other.
    fn and(self, other: Self) -> Option<Self> {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        (both.low <= both.high).then_some(both)
    }
}

#[cfg(test)]
mod tests {
    use faregate_core::time::Timestamp;

    use super::Dates;

    /// Milliseconds since 1970 of the date below.
    const NOON: u64 = 1_795_521_600_000;
    const DATE: &str = "Tue, 24 Nov 2026 12:00:00 GMT";

    fn at(offset: i64) -> Timestamp {
        Timestamp::from_millis(NOON.saturating_add_signed(offset))
    }

    /// The skew after calls that began and ended at these offsets from the date that they were answered with.
    fn after(calls: &[(i64, i64)]) -> i64 {
        let dates = Dates::default();
        calls.iter().for_each(|(asked, answered)| dates.answered(at(*asked), at(*answered), DATE));
        dates.skew_millis()
    }

    #[test]
    fn only_what_is_certain_counts() {
        for (asked, answered, skew, why) in [
            (100, 110, 0, "within the second that the date stands for"),
            (999, 1010, 0, "at its end"),
            (-5, 5, 0, "written while the call was under way"),
            (2500, 2510, 1501, "ahead by 1.5 s at least"),
            (-1300, -1200, -1200, "behind by 1.2 s at least"),
            (-1300, 4000, 0, "frozen during the call: it may be right"),
            (9000, 8000, 0, "set back during the call"),
        ] {
            assert_eq!(after(&[(asked, answered)]), skew, "{why}");
        }
    }

    #[test]
    fn answers_add_up_and_a_contradiction_begins_anew() {
        // Dates that were written at the end of their second, and at its beginning, by a clock that is 1.2 s behind ours.
        assert_eq!(after(&[(1300, 1310)]), 301);
        assert_eq!(after(&[(1300, 1310), (2190, 2200)]), 1191);
        assert_eq!(after(&[(2190, 2200), (1300, 1310)]), 1191);
        assert_eq!(after(&[(2190, 2200), (100, 110)]), 0, "it was put right");
    }

    #[test]
    fn what_is_no_date_shows_nothing() {
        let dates = Dates::default();
        for text in ["", "yesterday", "2026-11-24T12:00:00Z"] {
            dates.answered(at(9000), at(9000), text);
        }
        assert_eq!(dates.skew_millis(), 0);
    }
}
