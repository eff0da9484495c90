//! Windows of limits: UTC-aligned spans of wall time, numbered from 1970 on.

use std::{num::NonZeroU32, time::Duration};

use crate::time::{Timestamp, civil_date, days_since_1970};

const DAY_MILLIS: u64 = 86_400_000;
/// 1970-01-01 was a Thursday; weeks begin on Mondays (ISO 8601 §3.2.2).
const DAYS_BEFORE_FIRST_THURSDAY: u64 = 3;

/// The span of time that a limit counts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day of UTC.
    Day,
    /// A week, from Monday on.
    Week,
    /// A month of the calendar.
    Month,
    /// So many seconds.
    Seconds(NonZeroU32),
}

impl Window {
    /// What the window is called in a counter: another unit, another counter.
    #[must_use]
    pub fn unit(self) -> String {
        match self {
            Self::Second => "s".to_owned(),
            Self::Minute => "m".to_owned(),
            Self::Hour => "h".to_owned(),
            Self::Day => "d".to_owned(),
            Self::Week => "w".to_owned(),
            Self::Month => "M".to_owned(),
            Self::Seconds(seconds) => seconds.to_string(),
        }
    }

    /// The window of a [`Window::unit`].
    #[must_use]
    pub fn of_unit(unit: &str) -> Option<Self> {
        Some(match unit {
            "s" => Self::Second,
            "m" => Self::Minute,
            "h" => Self::Hour,
            "d" => Self::Day,
            "w" => Self::Week,
            "M" => Self::Month,
            seconds => Self::Seconds(seconds.parse().ok()?),
        })
    }

    /// Whether limits over it are quotas: a day and longer.
    #[must_use]
    pub fn is_quota(self) -> bool {
        match self {
            Self::Second | Self::Minute | Self::Hour => false,
            Self::Day | Self::Week | Self::Month => true,
            Self::Seconds(seconds) => seconds.get() >= 86_400,
        }
    }

    /// Whether a clock that is wrong by seconds is wrong by much of it: a minute and shorter.
    #[must_use]
    pub fn is_short(self) -> bool {
        self.longest() <= Duration::from_secs(60)
    }

    /// How long a window can be.
    #[must_use]
    pub fn longest(self) -> Duration {
        match self {
            Self::Week => Duration::from_millis(7 * DAY_MILLIS),
            Self::Month => Duration::from_millis(31 * DAY_MILLIS),
            Self::Second | Self::Minute | Self::Hour | Self::Day | Self::Seconds(_) => {
                Duration::from_millis(self.millis())
            }
        }
    }

    /// The number of the window that `now` lies in; only ever grows with time.
    #[must_use]
    pub fn index(self, now: Timestamp) -> u64 {
        let days = now.as_millis() / DAY_MILLIS;
        match self {
            Self::Week => (days + DAYS_BEFORE_FIRST_THURSDAY) / 7,
            Self::Month => {
                let (year, month, _) = civil_date(days);
                (year - 1970) * 12 + month - 1
            }
            Self::Second | Self::Minute | Self::Hour | Self::Day | Self::Seconds(_) => now.as_millis() / self.millis(),
        }
    }

    /// When the window of this number begins.
    #[must_use]
    pub fn start(self, index: u64) -> Timestamp {
        let of_days = |days: u64| Timestamp::from_millis(days.saturating_mul(DAY_MILLIS));
        match self {
            Self::Week => of_days((index * 7).saturating_sub(DAYS_BEFORE_FIRST_THURSDAY)),
            Self::Month => of_days(days_since_1970(1970 + index / 12, index % 12 + 1, 1)),
            Self::Second | Self::Minute | Self::Hour | Self::Day | Self::Seconds(_) => {
                Timestamp::from_millis(index.saturating_mul(self.millis()))
            }
        }
    }

    /// When the next window begins.
    #[must_use]
    pub fn end(self, index: u64) -> Timestamp {
        self.start(index + 1)
    }

    /// How long the window of this number is, in whole seconds.
    #[must_use]
    pub fn seconds(self, index: u64) -> u64 {
        self.end(index).since(self.start(index)).as_secs()
    }

    /// The length of those that are all alike; a week and a month are not asked.
    fn millis(self) -> u64 {
        match self {
            Self::Second => 1000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day | Self::Week | Self::Month => DAY_MILLIS,
            Self::Seconds(seconds) => u64::from(seconds.get()) * 1000,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::{
        prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest},
        sample::select,
    };

    use super::Window;
    use crate::time::Timestamp;

    const SEVENTEEN: Window = Window::Seconds(NonZeroU32::new(17).expect("17 is not zero"));
    const ALL: [Window; 7] =
        [Window::Second, Window::Minute, Window::Hour, Window::Day, Window::Week, Window::Month, SEVENTEEN];

    #[test]
    fn months_and_weeks_are_the_calendars() {
        let at = |text: &str, window: Window| {
            let seconds = super::super::tests::parse(text);
            let index = window.index(Timestamp::from_seconds(seconds));
            (window.start(index).rfc3339(), window.end(index).rfc3339(), window.seconds(index) / 86_400)
        };
        for (now, window, start, end, days) in [
            ("2024-02-29T12:00:00", Window::Month, "2024-02-01", "2024-03-01", 29),
            ("2026-02-28T23:59:59", Window::Month, "2026-02-01", "2026-03-01", 28),
            ("2100-02-28T00:00:00", Window::Month, "2100-02-01", "2100-03-01", 28),
            ("2026-12-31T23:59:59", Window::Month, "2026-12-01", "2027-01-01", 31),
            ("2026-11-24T04:00:00", Window::Week, "2026-11-23", "2026-11-30", 7),
            ("2026-11-22T23:59:59", Window::Week, "2026-11-16", "2026-11-23", 7),
            ("2026-11-24T04:00:00", Window::Day, "2026-11-24", "2026-11-25", 1),
            ("1970-01-01T00:00:00", Window::Month, "1970-01-01", "1970-02-01", 31),
        ] {
            let (found_start, found_end, found_days) = at(now, window);
            assert_eq!(found_start, format!("{start}T00:00:00.000Z"), "{now}");
            assert_eq!(found_end, format!("{end}T00:00:00.000Z"), "{now}");
            assert_eq!(found_days, days, "{now}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn every_instant_lies_in_its_window_and_numbers_never_fall(
            window in select(ALL.to_vec()),
            millis in 0_u64..5_000_000_000_000,
            later in 0_u64..200_000_000_000,
        ) {
            let now = Timestamp::from_millis(millis);
            let index = window.index(now);
            prop_assert!(window.start(index) <= now && now < window.end(index));
            prop_assert!(window.index(Timestamp::from_millis(millis + later)) >= index);
            prop_assert_eq!(window.index(window.end(index)), index + 1);
        }
    }
}
