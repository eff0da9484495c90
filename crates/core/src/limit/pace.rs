//! How fast permits go: of one key in one environment, and of a limit everywhere.

use std::time::Duration;

use crate::time::Timestamp;

/// How much the newest gap counts.
const GAP_WEIGHT: f64 = 1.0 / 8.0;
/// How much the newest rate of the fleet counts.
const FLEET_WEIGHT: f64 = 1.0 / 2.0;

/// After how many seconds of silence it is worth a write to tell what was spent.
const SILENT_SECONDS: f64 = 3600.0;

/// The gaps between requests of a key in one environment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    last: Option<Timestamp>,
    /// Mean gap in seconds, from the second request on.
    gap: Option<f64>,
}

impl Pace {
    pub(super) fn request(&mut self, now: Timestamp) {
        if let Some(last) = self.last {
            let gap = now.since(last).as_secs_f64();
            self.gap = Some(self.gap.map_or(gap, |mean| mean + GAP_WEIGHT * (gap - mean)));
        }
        self.last = Some(now);
    }

    /// The mean gap in seconds; infinite before the second request.
    pub(super) fn gap(&self) -> f64 {
        self.gap.unwrap_or(f64::INFINITY)
    }

    /// Seconds since the last request.
    pub(super) fn silence(&self, now: Timestamp) -> f64 {
        self.last.map_or(0.0, |last| now.since(last).as_secs_f64())
    }

    /// Whether no request came for so long; or none at all.
    pub(super) fn is_quiet(&self, now: Timestamp, duration: Duration) -> bool {
        self.last.is_none_or(|last| now.since(last) >= duration)
    }

    /// Whether the key may never come again.
    pub(super) fn is_silent(&self, now: Timestamp) -> bool {
        self.silence(now) > SILENT_SECONDS
    }

    /// Requests a second: no more than one environment can serve, one after the other, and fewer the longer it is silent.
    pub(super) fn rate(&self, now: Timestamp, service: Duration) -> f64 {
        let Some(gap) = self.gap else { return 0.0 };
        let gap = gap.max(self.silence(now) / 2.0).max(service.as_secs_f64());
        if gap > 0.0 { 1.0 / gap } else { f64::from(u16::MAX) }
    }
}

/// How fast everybody together takes permits of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fleet {
    wrote_at: Timestamp,
    rate: Option<f64>,
}

impl Fleet {
    /// After the first write in a window.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { wrote_at: now, rate: None }
    }

    /// After the first write in the window after this one.
    pub(super) fn next(&self, now: Timestamp) -> Self {
        Self { wrote_at: now, rate: self.rate }
    }

    /// After another write: the counter went from `before` to `after` since the last one.
    pub(super) fn wrote(&mut self, before: u64, after: u64, now: Timestamp) {
        let seconds = now.since(self.wrote_at).as_secs_f64();
        if seconds > 0.0 {
            let rate = after.saturating_sub(before) as f64 / seconds;
            self.rate = Some(self.rate.map_or(rate, |mean| mean + FLEET_WEIGHT * (rate - mean)));
            self.wrote_at = now;
        }
    }

    /// When this environment last wrote.
    pub(super) fn wrote_at(&self) -> Timestamp {
        self.wrote_at
    }

    /// Permits a second; before the second write, what the window has seen so far.
    pub(super) fn rate(&self, granted: u64, since_start: Duration) -> f64 {
        let seconds = since_start.as_secs_f64();
        self.rate.unwrap_or(if seconds > 0.0 { granted as f64 / seconds } else { 0.0 })
    }
}
