//! A limit as leases and counters need to know it.

use std::{sync::Arc, time::Duration};

use super::Window;

/// A limit as a lease needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: Box<str>,
    /// How many permits a window has.
    pub limit: u64,
    /// The window.
    pub window: Window,
    /// How it is kept.
    pub mode: Mode,
    key: Arc<str>,
}

/// How a limit is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Admitted in a window ≤ limit.
    Exact,
    /// A token bucket: admitted in any time t ≤ burst + limit/window × t.
    Burst {
        /// Permits that may go at once; absent: as many as a window has.
        burst: Option<u64>,
        /// Most permits that one request takes.
        request_max: u64,
    },
    /// Every environment counts alone and tells the others now and then: passed by what the others do not know yet.
    Approximate,
}

impl Rule {
    /// A limit of this name.
    #[must_use]
    pub fn new(id: &str, limit: u64, window: Window, mode: Mode) -> Self {
        let suffix = match mode {
            Mode::Exact => "",
            Mode::Burst { .. } => ".b",
            Mode::Approximate => ".a",
        };
        let key = format!("{id}.{}{suffix}", window.unit());
        Self { id: id.into(), limit, window, mode, key: key.into() }
    }

    /// The same limit with another number; a burst grows and shrinks with it.
    #[must_use]
    pub fn with_limit(&self, limit: u64) -> Self {
        let mut rule = Self { limit, ..self.clone() };
        if let Mode::Burst { burst, request_max } = &mut rule.mode {
            let scaled = u128::from(burst.unwrap_or(self.limit)) * u128::from(limit) / u128::from(self.limit.max(1));
            // Never less than one request takes.
            *burst = Some(u64::try_from(scaled).unwrap_or(u64::MAX).max(*request_max));
        }
        rule
    }

    /// How long what is counted can matter: the longest window, or the time in which an empty bucket fills.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        let window = self.window.longest();
        let Mode::Burst { burst: Some(burst), .. } = self.mode else { return window };
        let windows = u32::try_from(burst.div_ceil(self.limit.max(1))).unwrap_or(u32::MAX);
        window.saturating_mul(windows.max(1))
    }

    /// What the limit is called among those of a counter: with another unit or mode it is another one.
    #[must_use]
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }
}
