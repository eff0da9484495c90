//! Token buckets that all environments share, kept as the time at which they are full again (the generic cell rate
//! algorithm of ITU-T I.371, whose theoretical arrival time this is).
//!
//! Of the burst B that a limit may have, one part B_c is in the counter, and the other is what environments may hold: a
//! lease lives for τ at most, and a bucket that has been full for less than σ is written as one that is not, so that whoever
//! draws need not know which it is. B_c + r(τ + σ) ≤ B. Permits that are spent in an interval were taken in it or up to τ
//! before, so that no more than B_c + r(t + τ + σ) ≤ B + rt are spent in any time t. What is not spent within τ is
//! forgotten, never given back. Only what a request itself waits for may be spent later than τ, for 150 ms after it was asked for.

use std::{collections::BTreeMap, time::Duration};

use super::{Mode, Obstacle, Rule};
use crate::time::Timestamp;

/// How long a lease lives at most, in seconds.
const LIFE_SECONDS_MAX: u64 = 10;
/// The part of what environments may hold, as a divisor, by which the time at which a full bucket became so may be old.
const SLACK_PART: u64 = 16;

/// A bucket's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// So many permits come back in each window …
    limit: u64,
    /// … of so many microseconds.
    window_micros: u64,
    /// Permits that the counter gives at once: B_c.
    central: u64,
    /// Permits that environments may hold together: r(τ + σ).
    leased: u64,
}

impl Shape {
    /// The bucket of a rule; `None` for a rule of another mode.
    pub(super) fn of(rule: &Rule) -> Option<Self> {
        let Mode::Burst { burst, request_max } = rule.mode else { return None };
        let (limit, window) = (rule.limit.max(1), rule.window.longest());
        let window_micros = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
        let burst = burst.unwrap_or(limit).max(1);
        let longest = u128::from(limit) * u128::from(LIFE_SECONDS_MAX) * 1_000_000 / u128::from(window_micros);
        let longest = u64::try_from(longest).unwrap_or(u64::MAX);
        let leased = (burst / 2).min(longest).min(burst.saturating_sub(request_max));
        Some(Self { limit, window_micros, central: burst - leased, leased })
    }

    /// How long so many permits take to come back, in microseconds, rounded up.
    fn cost(&self, permits: u64) -> u64 {
        let cost = (u128::from(permits) * u128::from(self.window_micros)).div_ceil(u128::from(self.limit));
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// Permits that the counter gives at once.
    pub(super) fn central(&self) -> u64 {
        self.central
    }

    /// How long an empty bucket takes to be full, what environments may hold among it.
    pub(super) fn filling(&self) -> Duration {
        Duration::from_micros(self.cost(self.central.saturating_add(self.leased)))
    }

    /// How long a lease lives.
    pub(super) fn life(&self) -> Duration {
        Duration::from_micros(self.leased_micros() - self.slack_micros())
    }

    /// For how long a full bucket may be written as one that is not, in microseconds: σ.
    fn slack_micros(&self) -> u64 {
        self.leased_micros() / SLACK_PART
    }

    /// How long what environments may hold takes to come back, in microseconds, rounded down: τ + σ.
    fn leased_micros(&self) -> u64 {
        let micros = u128::from(self.leased) * u128::from(self.window_micros) / u128::from(self.limit);
        u64::try_from(micros).unwrap_or(u64::MAX)
    }

    /// Permits that the counter can give, which is full at `full_at`.
    pub(super) fn available(&self, full_at: u64, now: Timestamp) -> u64 {
        let room = (micros(now) + self.cost(self.central)).saturating_sub(full_at.max(micros(now)));
        let permits = u128::from(room) * u128::from(self.limit) / u128::from(self.window_micros);
        u64::try_from(permits).unwrap_or(u64::MAX).min(self.central)
    }

    /// When the counter, which is full at `full_at`, can give so many permits.
    pub(super) fn available_at(&self, permits: u64, full_at: u64) -> Timestamp {
        let at = (full_at + self.cost(permits)).saturating_sub(self.cost(self.central));
        Timestamp::from_millis(at.div_ceil(1000))
    }
}

impl Rule {
    /// Permits that were drawn from a bucket which is full at `full_at`, in microseconds since 1970, and have not come back:
    /// what environments hold of it among them. `None` for a rule of another mode.
    #[must_use]
    pub fn drawn(&self, full_at: u64, now: Timestamp) -> Option<u64> {
        let shape = Shape::of(self)?;
        let missing = u128::from(full_at.saturating_sub(micros(now)));
        let permits = (missing * u128::from(shape.limit)).div_ceil(u128::from(shape.window_micros.max(1)));
        Some(u64::try_from(permits).unwrap_or(u64::MAX))
    }
}

/// Permits to take from one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The attribute that says when the bucket is full.
    pub bucket: String,
    /// When this is asked.
    pub now: Timestamp,
    /// How many permits.
    pub block: u64,
    /// Fewest permits that are of use.
    pub needed: u64,
    /// Whether it is written as one that is full, or was never drawn from.
    pub is_full: bool,
    pub(super) shape: Shape,
}

impl Draw {
    /// The attribute of a rule's bucket.
    pub(super) fn bucket_of(rule: &Rule) -> String {
        format!("{}.b", rule.id)
    }

    /// When it is asked, in microseconds since 1970.
    #[must_use]
    pub fn now_micros(&self) -> u64 {
        micros(self.now)
    }

    /// By how much it moves the time at which the bucket is full, in microseconds.
    #[must_use]
    pub fn cost_micros(&self) -> u64 {
        self.shape.cost(self.block)
    }

    /// The latest time at which the bucket may be full before it is drawn from, in microseconds since 1970.
    #[must_use]
    pub fn bound_micros(&self) -> u64 {
        (self.now_micros() + self.shape.cost(self.shape.central)).saturating_sub(self.cost_micros())
    }

    /// When a bucket must have become full, in microseconds since 1970, to be written as one that is not full.
    #[must_use]
    pub fn floor_micros(&self) -> u64 {
        self.now_micros().saturating_sub(self.shape.slack_micros())
    }

    /// Changes the draw to what a counter as it is allows.
    pub(super) fn meet(&mut self, buckets: &BTreeMap<String, u64>) -> Option<Obstacle> {
        let full_at = buckets.get(&self.bucket).copied().unwrap_or_default();
        self.is_full = full_at <= self.floor_micros();
        let available = self.shape.available(full_at, self.now);
        if available < self.needed.max(1) {
            let until = self.shape.available_at(self.needed.max(1), full_at);
            return Some(Obstacle::Empty { full_at, until });
        }
        self.block = self.block.min(available);
        None
    }

    /// Whether its condition holds.
    pub(super) fn holds(&self, buckets: &BTreeMap<String, u64>) -> bool {
        match buckets.get(&self.bucket) {
            Some(full_at) if self.is_full => *full_at <= self.now_micros(),
            Some(full_at) => *full_at > self.floor_micros() && *full_at <= self.bound_micros(),
            None => self.is_full,
        }
    }

    /// Writes it, and yields when the bucket is full then.
    pub(super) fn write(&self, buckets: &mut BTreeMap<String, u64>) -> u64 {
        let full_at = buckets.entry(self.bucket.clone()).or_default();
        *full_at = if self.is_full { self.now_micros() } else { *full_at } + self.cost_micros();
        *full_at
    }
}

fn micros(at: Timestamp) -> u64 {
    at.as_millis().saturating_mul(1000)
}
