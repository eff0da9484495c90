//! Durations and instants as people write them.

use std::time::Duration;

use faregate_core::time::Timestamp;

/// Why a text is no duration or no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTime {
    /// No duration.
    #[error("a duration is a whole number and one of s, m, h, d, w, as in 90s or 30d")]
    Duration,
    /// Neither a duration nor an instant.
    #[error("write a duration (30d), an instant (2027-01-31T00:00:00Z) or seconds since 1970")]
    Expiry,
}

/// Reads `90s`, `15m`, `24h`, `30d` or `2w`.
///
/// # Errors
///
/// [`InvalidTime::Duration`] for anything else, and for more than 64 bits of seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, InvalidTime> {
    let (digits, seconds) = match text.char_indices().next_back() {
        Some((end, 's')) => (&text[..end], 1),
        Some((end, 'm')) => (&text[..end], 60),
        Some((end, 'h')) => (&text[..end], 3600),
        Some((end, 'd')) => (&text[..end], 86_400),
        Some((end, 'w')) => (&text[..end], 604_800),
        _ => return Err(InvalidTime::Duration),
    };
    let number = whole_number(digits).ok_or(InvalidTime::Duration)?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or(InvalidTime::Duration)
}

/// When something ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// So long from now.
    In(Duration),
    /// At this instant.
    At(Timestamp),
}

impl Expiry {
    /// The instant, counted from `now`.
    pub(crate) fn instant(self, now: Timestamp) -> Timestamp {
        match self {
            Self::In(duration) => now.plus(duration),
            Self::At(instant) => instant,
        }
    }
}

/// Reads a duration, RFC 3339 or seconds since 1970.
///
/// # Errors
///
/// [`InvalidTime::Expiry`] for anything else.
pub(crate) fn parse_expiry(text: &str) -> Result<Expiry, InvalidTime> {
    if let Some(seconds) = whole_number(text) {
        return Ok(Expiry::At(Timestamp::from_seconds(seconds)));
    }
    if let Ok(duration) = parse_duration(text) {
        return Ok(Expiry::In(duration));
    }
    parse_rfc3339(text).map(Expiry::At).ok_or(InvalidTime::Expiry)
}

/// An instant to the second, for people.
pub(crate) fn show(instant: Timestamp) -> String {
    let text = instant.rfc3339();
    match text.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => text,
    }
}

fn whole_number(digits: &str) -> Option<u64> {
    // `parse` takes a plus sign.
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { digits.parse().ok() } else { None }
}

/// RFC 3339 §5.6, from 1970 on; a fraction of a second is cut off.
fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| text.get(from..to).and_then(whole_number);
    let is = |at: usize, chars: &str| text.get(at..=at).is_some_and(|char| chars.contains(char));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let shaped = is(4, "-") && is(7, "-") && is(10, "Tt ") && is(13, ":") && is(16, ":");
    let valid = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !shaped || !valid {
        return None;
    }
    let mut rest = text.get(19..)?;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        rest = fraction.get(digits..).filter(|_| digits > 0)?;
    }
    let local = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let (ahead, offset) = offset_seconds(rest)?;
    let seconds = if ahead { local.checked_sub(offset)? } else { local + offset };
    Some(Timestamp::from_seconds(seconds))
}

/// Whether the zone is ahead of UTC, and by how much.
fn offset_seconds(zone: &str) -> Option<(bool, u64)> {
    if matches!(zone, "Z" | "z") {
        return Some((true, 0));
    }
    let ahead = zone.starts_with('+');
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
    let two_digits = |digits: &str| whole_number(digits).filter(|_| digits.len() == 2);
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours < 24 && minutes < 60).then_some((ahead, hours * 3600 + minutes * 60))
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let before = year - 1;
    let leap_days = (before / 4 - before / 100 + before / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let months: u64 = (1..month).map(|month| days_in_month(year, month)).sum();
    (year - 1970) * 365 + leap_days + months + day - 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use faregate_core::time::Timestamp;

    use super::{Expiry, parse_duration, parse_expiry, show};

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("15m", 900), ("24h", 86_400), ("30d", 2_592_000), ("2w", 1_209_600)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "s",
            "30",
            "-1d",
            "+1d",
            "1.5h",
            "1 d",
            "1D",
            "1y",
            "é",
            "99999999999999999999d",
            "18446744073709551615w",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_expiry_is_a_duration_an_instant_or_seconds() {
        assert_eq!(parse_expiry("30d"), Ok(Expiry::In(Duration::from_secs(2_592_000))));
        for (text, seconds) in [
            ("0", 0),
            ("1735689600", 1_735_689_600),
            ("2025-01-01T00:00:00Z", 1_735_689_600),
            ("2025-01-01t00:00:00.5z", 1_735_689_600),
            ("2025-01-01T01:30:00+01:30", 1_735_689_600),
            ("2024-12-31T16:00:00-08:00", 1_735_689_600),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("1970-01-01T00:00:00Z", 0),
        ] {
            assert_eq!(parse_expiry(text), Ok(Expiry::At(Timestamp::from_seconds(seconds))), "{text}");
        }
        for text in [
            "",
            "tomorrow",
            "2025-01-01",
            "2025-01-01T00:00:00",
            "2025-13-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2025-01-01T24:00:00Z",
            "2025-01-01T00:00:00.Z",
            "2025-01-01T00:00:00+1:00",
            "2025-01-01T00:00:00+25:00",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "２025-01-01T00:00:00Z",
        ] {
            assert!(parse_expiry(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_instant_is_read_as_it_is_shown() {
        for seconds in (0..253_402_300_800).step_by(86_399 * 97) {
            let instant = Timestamp::from_seconds(seconds);
            assert_eq!(parse_expiry(&show(instant)), Ok(Expiry::At(instant)));
        }
    }
}
