//! What one environment holds of one limit, and how much to ask for next.
//!
//! Everything here is a function of state, event and `now`. A permit is spent only under the label of its own window,
//! and nothing that may or may not have happened at the store ever raises a credit.

mod approximate;
mod burst;
mod exact;

use std::time::Duration;

pub use self::approximate::Counted;
use self::{approximate::Approximate, burst::Burst, exact::Exact};
use super::{Ask, Counter, Draw, Mode, Obstacle, Return, Rule, SlotName, Spent, pace::Pace};
use crate::time::Timestamp;

/// Permits of one limit in one environment. All calls are about one rule, of which only the numbers may change.
#[derive(Clone, Debug, Default)]
pub struct Lease {
    pace: Pace,
    exact: Exact,
    burst: Burst,
    approximate: Approximate,
}

/// What a take is sized by, beside what the lease itself has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizing {
    /// How long a request takes here.
    pub service: Duration,
    /// Uniform in 0..1.
    pub random: f64,
    /// Whether this environment's clock is known to be wrong: of short windows nothing is held then beyond what is needed.
    pub is_clock_wrong: bool,
    /// Permits that requests wait for here, beside those that are held: so many are asked for where the counter has them.
    pub waiting: u64,
}

/// What sizing needs to know.
#[derive(Clone, Copy)]
struct Moment {
    now: Timestamp,
    /// Requests a second of this key in this environment.
    rate: f64,
    random: f64,
    /// Whether more may be taken than is needed.
    may_hold: bool,
    /// Permits that requests wait for.
    waiting: u64,
}

impl Lease {
    /// Notes that a request came.
    pub fn request(&mut self, now: Timestamp) {
        self.pace.request(now);
    }

    /// Permits that can be spent now without asking anybody: no more than the rule's number leaves, which may be a lower
    /// one than that under which they were taken.
    #[must_use]
    pub fn credit(&self, rule: &Rule, now: Timestamp) -> u64 {
        match rule.mode {
            Mode::Exact => self.exact.credit(rule, rule.window.index(now)),
            Mode::Burst { .. } => self.burst.credit(rule, now),
            Mode::Approximate => self.approximate.credit(rule, rule.window.index(now)),
        }
    }

    /// How many permits everybody together has left, as far as this environment knows: its own credit, and what the
    /// counter had not granted when it last said something. `None` where nothing is known yet.
    #[must_use]
    pub fn remaining(&self, rule: &Rule, now: Timestamp) -> Option<u64> {
        let index = rule.window.index(now);
        match rule.mode {
            Mode::Exact => self.exact.remaining(rule, index),
            Mode::Burst { .. } => self.burst.remaining(rule, now),
            Mode::Approximate => self.approximate.knows(index).then(|| self.approximate.remaining(rule, index)),
        }
    }

    /// The counter was seen as it is, this limit's part in it; which brings nothing, but shows what is left.
    pub fn observe(&mut self, rule: &Rule, counter: &Counter, now: Timestamp) {
        match rule.mode {
            Mode::Exact => {
                let index = rule.window.index(now);
                let slot = counter.slots.get(&SlotName::of(&rule.id, rule.window, index));
                // A slot that is still another window's has granted nothing of this one.
                let granted = slot.filter(|slot| slot.index == index).map_or(0, |slot| slot.granted);
                self.exact.observe(index, granted);
            }
            Mode::Burst { .. } => {
                self.burst.observe(counter.buckets.get(&Draw::bucket_of(rule)).copied().unwrap_or_default());
            }
            Mode::Approximate => {}
        }
    }

    /// When there is more: the next window, or the time at which a bucket gives again or is full.
    #[must_use]
    pub fn resets_at(&self, rule: &Rule, now: Timestamp) -> Timestamp {
        match rule.mode {
            Mode::Exact | Mode::Approximate => rule.window.end(rule.window.index(now)),
            Mode::Burst { .. } => self.burst.resets_at(rule, now),
        }
    }

    /// When a request can have so many permits, which are more than it can have now.
    #[must_use]
    pub fn met_at(&self, rule: &Rule, permits: u64, now: Timestamp) -> Timestamp {
        match rule.mode {
            Mode::Exact | Mode::Approximate => rule.window.end(rule.window.index(now)),
            Mode::Burst { .. } => self.burst.met_at(rule, permits, self.lacks(rule, permits, now), now),
        }
    }

    /// How many of so many permits are not here.
    #[must_use]
    pub fn lacks(&self, rule: &Rule, permits: u64, now: Timestamp) -> u64 {
        permits.saturating_sub(self.credit(rule, now))
    }

    /// Spends permits; `false`, and nothing is spent, where there are not as many.
    pub fn spend(&mut self, rule: &Rule, now: Timestamp, permits: u64) -> bool {
        match rule.mode {
            Mode::Exact => self.exact.spend(rule, rule.window.index(now), permits),
            Mode::Burst { .. } => self.burst.spend(rule, now, permits),
            Mode::Approximate => self.approximate.spend(rule, rule.window.index(now), permits),
        }
    }

    /// Counts permits that were spent without being held.
    pub fn spend_unpaid(&mut self, rule: &Rule, now: Timestamp, permits: u64) {
        match rule.mode {
            Mode::Exact => self.exact.spend_unpaid(rule.window.index(now), permits),
            Mode::Approximate => self.approximate.spend_unpaid(rule.window.index(now), permits),
            // A bucket forgets what is over.
            Mode::Burst { .. } => {}
        }
    }

    /// Whether less than half of a block is left, so that another one may ride along.
    #[must_use]
    pub fn is_low(&self, rule: &Rule, now: Timestamp) -> bool {
        match rule.mode {
            Mode::Exact => self.exact.is_low(rule, rule.window.index(now)),
            Mode::Burst { .. } => self.burst.is_low(rule, now),
            Mode::Approximate => self.approximate.has_to_tell(rule.window.index(now)),
        }
    }

    /// Whether the counter is to be asked beside the request: its last permit is being spent, or it is time to tell.
    #[must_use]
    pub fn is_due(&self, rule: &Rule, now: Timestamp) -> bool {
        match rule.mode {
            Mode::Exact | Mode::Burst { .. } => self.credit(rule, now) == 0 && self.denied(rule, 1, now).is_none(),
            Mode::Approximate => self.approximate.is_due(rule, now),
        }
    }

    /// Whether all that is known of a window that is counted alone is one permit, spent here.
    #[must_use]
    pub fn is_fresh(&self, rule: &Rule, now: Timestamp) -> bool {
        rule.mode == Mode::Approximate && self.approximate.is_fresh(rule.window.index(now))
    }

    /// What is known of this window where it is counted alone.
    #[must_use]
    pub fn counted(&self, rule: &Rule, now: Timestamp) -> Option<Counted> {
        self.approximate.counted(rule.window.index(now)).filter(|_| rule.mode == Mode::Approximate)
    }

    /// Adds what another lease knew of this window, which has gone since.
    pub fn recall(&mut self, rule: &Rule, now: Timestamp, counted: Counted) {
        if rule.mode == Mode::Approximate {
            self.approximate.recall(rule.window.index(now), counted);
        }
    }

    /// Whether there is something to tell that was counted alone.
    #[must_use]
    pub fn has_untold(&self, rule: &Rule, now: Timestamp) -> bool {
        rule.mode == Mode::Approximate && self.approximate.has_to_tell(rule.window.index(now))
    }

    /// Whether the counter said in this window that so many permits, beside those that are here, are not left, even if that
    /// no longer counts, of a limit with at least this number.
    #[must_use]
    pub fn was_denied(&self, rule: &Rule, needed: u64, now: Timestamp) -> bool {
        rule.mode == Mode::Exact && self.exact.was_denied(rule, rule.window.index(now), needed)
    }

    /// Until when the counter's own word is that so many permits, beside those that are here, are not left.
    #[must_use]
    pub fn denied(&self, rule: &Rule, needed: u64, now: Timestamp) -> Option<Timestamp> {
        match rule.mode {
            Mode::Exact => self.exact.denied(rule, rule.window.index(now), needed, now),
            Mode::Burst { .. } => self.burst.denied(rule, needed, now),
            Mode::Approximate => self.approximate.denied(rule, needed, now),
        }
    }

    /// What to ask for, so that at least `needed` more permits come if the counter has them; `None` where none is needed
    /// and the key is not worth any.
    pub fn take(&mut self, rule: &Rule, needed: u64, now: Timestamp, sizing: Sizing) -> Option<Ask> {
        let Sizing { service, random, is_clock_wrong, waiting } = sizing;
        let may_hold = !(is_clock_wrong && rule.window.is_short());
        let moment = Moment { now, rate: self.pace.rate(now, service), random, may_hold, waiting };
        match rule.mode {
            Mode::Exact => self.exact.take(rule, needed, moment).map(Ask::Take),
            Mode::Burst { .. } => self.burst.draw(rule, needed, moment).map(Ask::Draw),
            Mode::Approximate => self.approximate.tell(rule, needed, now).map(Ask::Take),
        }
    }

    /// Whether it is late enough in the window for [`Lease::take_ahead`] to ask for anything.
    #[must_use]
    pub fn is_time_to_take_ahead(&self, rule: &Rule, now: Timestamp) -> bool {
        rule.mode == Mode::Exact && Exact::is_time_to_take_ahead(rule, now)
    }

    /// What to ask for of the next window, before it begins; once in a window, and only of a busy key. `None` while the clock
    /// is known to be wrong.
    pub fn take_ahead(&mut self, rule: &Rule, now: Timestamp, sizing: Sizing) -> Option<Ask> {
        let Sizing { service, random, is_clock_wrong, .. } = sizing;
        let moment = Moment { now, rate: self.pace.rate(now, service), random, may_hold: !is_clock_wrong, waiting: 0 };
        match rule.mode {
            Mode::Exact => self.exact.take_ahead(rule, moment).map(Ask::Take),
            Mode::Burst { .. } | Mode::Approximate => None,
        }
    }

    /// It was certainly not written: what it told is still to be told.
    pub fn not_taken(&mut self, rule: &Rule, ask: &Ask) {
        match (ask, rule.mode) {
            (Ask::Take(take), Mode::Approximate) => self.approximate.not_told(take),
            (Ask::Take(take), _) => self.exact.not_taken(take),
            (Ask::Draw(_), _) => {}
        }
    }

    /// It was written, and the counter now says `number`.
    pub fn taken(&mut self, rule: &Rule, ask: &Ask, number: u64, now: Timestamp) {
        match (ask, rule.mode) {
            (Ask::Take(take), Mode::Approximate) => self.approximate.told(take, number, now),
            (Ask::Take(take), _) => self.exact.taken(rule, take, number, now),
            (Ask::Draw(draw), _) => self.burst.drawn(rule, draw, number, now),
        }
    }

    /// The counter takes no more writes, which says nothing of the limit.
    pub fn throttled(&mut self, now: Timestamp) {
        self.exact.throttled(now);
    }

    /// The counter said why it gives nothing; `random` is uniform in 0..1.
    pub fn refused(&mut self, rule: &Rule, ask: &Ask, obstacle: Obstacle, now: Timestamp, random: f64) {
        match (ask, rule.mode) {
            (Ask::Take(_), Mode::Approximate) => {}
            (Ask::Take(take), _) => self.exact.refused(rule, take, obstacle, now, random),
            (Ask::Draw(draw), _) => self.burst.refused(rule, draw, obstacle, random),
        }
    }

    /// What to give back of a key that has fallen silent; deducted here before it is sent, and sent once.
    pub fn give_back(&mut self, rule: &Rule, now: Timestamp, is_leaving: bool) -> Vec<Return> {
        match rule.mode {
            Mode::Exact => self.exact.give_back(rule, now, &self.pace, is_leaving),
            // A bucket's leases end by themselves, and what is counted alone is nobody else's.
            Mode::Burst { .. } | Mode::Approximate => Vec::new(),
        }
    }

    /// What was spent in windows and will never be told to their slots; once.
    pub fn left_over(&mut self, rule: &Rule, now: Timestamp) -> Vec<Spent> {
        match rule.mode {
            Mode::Exact => self.exact.left_over(rule.window.index(now)),
            Mode::Burst { .. } | Mode::Approximate => Vec::new(),
        }
    }

    /// Whether no request came for so long that none may come any more.
    #[must_use]
    pub fn is_silent(&self, now: Timestamp) -> bool {
        self.pace.is_silent(now)
    }

    /// Whether no request came for so long; or none at all.
    #[must_use]
    pub fn is_quiet(&self, now: Timestamp, duration: Duration) -> bool {
        self.pace.is_quiet(now, duration)
    }

    /// Whether it is known that the counter's slot of this window has begun.
    #[must_use]
    pub fn has_begun(&self, rule: &Rule, now: Timestamp) -> bool {
        let index = rule.window.index(now);
        match rule.mode {
            Mode::Exact => self.exact.has_begun(index),
            Mode::Burst { .. } => false,
            Mode::Approximate => self.approximate.has_begun(index),
        }
    }

    /// Whether there is something here that is of use: permits, or the counter's word that there are none.
    #[must_use]
    pub fn is_of_use(&self, rule: &Rule, now: Timestamp) -> bool {
        match rule.mode {
            Mode::Exact => {
                let index = rule.window.index(now);
                self.exact.holds(rule, index) || self.exact.was_denied(rule, index, u64::MAX)
            }
            Mode::Burst { .. } | Mode::Approximate => !self.is_empty(rule, now),
        }
    }

    /// Whether forgetting it loses nothing.
    #[must_use]
    pub fn is_empty(&self, rule: &Rule, now: Timestamp) -> bool {
        match rule.mode {
            Mode::Exact => {
                let index = rule.window.index(now);
                let holds = self.exact.holds(rule, index) || self.exact.has_to_tell();
                !holds && !self.exact.is_denied(index, now)
            }
            Mode::Burst { .. } => self.credit(rule, now) == 0 && self.denied(rule, u64::MAX, now).is_none(),
            Mode::Approximate => !self.approximate.knows(rule.window.index(now)),
        }
    }
}
