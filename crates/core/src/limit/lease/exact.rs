//! Permits of a window, held in blocks: never more than the counter granted.

use std::time::Duration;

use super::Moment;
use crate::{
    limit::{
        Obstacle, Return, Rule, SlotName, Take,
        pace::{Fleet, Pace},
    },
    time::Timestamp,
};

/// How long a block is meant to last, at least.
const BLOCK_SECONDS: f64 = 10.0;
/// How many permits a block has, at least, where the limit is far.
const BLOCK_PERMITS: f64 = 100.0;
/// How much larger than the one before a block may be.
const GROWTH_MAX: u64 = 4;
/// The part of a limit that the first block may be.
const FIRST_BLOCK_PART: u64 = 100_000;
/// How long a refusal by the counter counts at first; doubles with each further one.
const DENIED_FIRST: Duration = Duration::from_millis(500);
/// The part of a window, as a divisor, that a refusal counts at most: 2 %.
const DENIED_PART: u32 = 50;
/// How many mean gaps of silence make a key idle, and how many seconds do whatever its pace was.
const IDLE_GAPS: f64 = 4.0;
const IDLE_SECONDS_MAX: f64 = 60.0;

/// Permits of one limit in one environment.
#[derive(Clone, Debug, Default)]
pub(super) struct Exact {
    held: Option<Held>,
    last_block: u64,
    denials: u32,
    denied: Option<Denied>,
    /// Spent in a window that is over, and never told to its slot.
    left_over: Option<(u64, u64)>,
}

/// The counter's word that nothing is left.
#[derive(Clone, Copy, Debug)]
struct Denied {
    index: u64,
    /// Of a limit with this number; of a higher one there may be something left.
    limit: u64,
    until: Timestamp,
}

/// Permits of one window.
#[derive(Clone, Debug)]
struct Held {
    index: u64,
    credit: u64,
    /// Spent, and not yet told.
    unsettled: u64,
    /// What the counter had granted to everybody when this environment last wrote; at most the limit of then.
    granted: u64,
    fleet: Fleet,
}

impl Exact {
    /// Permits that can be spent in this window without asking anybody: no more than the rule's number leaves, which may
    /// be a lower one than that under which they were taken.
    pub(super) fn credit(&self, rule: &Rule, index: u64) -> u64 {
        let held = self.held.as_ref().filter(|held| held.index == index);
        held.map_or(0, |held| held.credit.min(rule.limit.saturating_sub(held.granted.saturating_sub(held.credit))))
    }

    /// How many permits everybody together has left in this window, as far as this environment knows: its own credit,
    /// and what the counter had not granted when it last wrote.
    pub(super) fn remaining(&self, rule: &Rule, index: u64) -> u64 {
        match self.held.as_ref().filter(|held| held.index == index) {
            Some(held) => rule.limit.saturating_sub(held.granted) + self.credit(rule, index),
            None => rule.limit,
        }
    }

    /// Spends permits of the window; `false`, and nothing is spent, where there are not as many.
    pub(super) fn spend(&mut self, rule: &Rule, index: u64, permits: u64) -> bool {
        let has_enough = self.credit(rule, index) >= permits;
        match &mut self.held {
            Some(held) if has_enough && held.index == index => {
                held.credit -= permits;
                held.unsettled += permits;
                true
            }
            _ => false,
        }
    }

    /// Counts permits that were spent without being held.
    pub(super) fn spend_unpaid(&mut self, index: u64, permits: u64) {
        if let Some(held) = self.held.as_mut().filter(|held| held.index == index) {
            held.unsettled += permits;
        }
    }

    /// Whether less than half of a block is left.
    pub(super) fn is_low(&self, rule: &Rule, index: u64) -> bool {
        self.credit(rule, index) * 2 < self.last_block
    }

    /// Whether the counter said in this window that nothing is left, even if that no longer counts, of a limit with at
    /// least this number.
    pub(super) fn was_denied(&self, rule: &Rule, index: u64) -> bool {
        self.denied.is_some_and(|denied| denied.index == index && rule.limit <= denied.limit)
    }

    /// Until when the counter's own word is that nothing is left in this window.
    pub(super) fn denied(&self, rule: &Rule, index: u64, now: Timestamp) -> Option<Timestamp> {
        self.denied.filter(|denied| self.was_denied(rule, index) && now < denied.until).map(|denied| denied.until)
    }

    /// A take that brings at least `needed` permits if the counter has them; `None` where none is needed and the key is
    /// not worth any.
    pub(super) fn take(&mut self, rule: &Rule, needed: u64, moment: Moment<'_>) -> Option<Take> {
        let index = rule.window.index(moment.now);
        let block = self.block(rule, needed, moment);
        if block == 0 {
            return None;
        }
        let held = self.held.as_mut().filter(|held| held.index == index);
        // Told once, whatever becomes of it: a count that is told twice would be too high.
        let settled = held.map_or(0, |held| std::mem::take(&mut held.unsettled));
        let slot = SlotName::of(&rule.id, rule.window, index);
        Some(Take { slot, index, limit: rule.limit, block, settled, resets: false })
    }

    /// A take was certainly not made: what it told is still to be told.
    pub(super) fn not_taken(&mut self, take: &Take) {
        if let Some(held) = self.held.as_mut().filter(|held| held.index == take.index) {
            held.unsettled += take.settled;
        }
    }

    /// How many permits to ask for.
    fn block(&self, rule: &Rule, needed: u64, moment: Moment<'_>) -> u64 {
        let Moment { now, pace, service, random, may_hold } = moment;
        if !may_hold {
            return needed;
        }
        let index = rule.window.index(now);
        let held = self.held.as_ref().filter(|held| held.index == index);
        let own = pace.rate(now, service);
        let largest = match self.last_block {
            0 => return (rule.limit / FIRST_BLOCK_PART).max(1).max(needed),
            last => last.saturating_mul(GROWTH_MAX),
        };
        // A new window begins at the pace of the one before, as long as its counter has not said otherwise.
        let known = held.or(self.held.as_ref().filter(|held| held.index + 1 == index));
        let granted = held.map_or(0, |held| held.granted);
        let wanted = match known {
            Some(known) if own > 0.0 => {
                let all = known.fleet.rate(known.granted, now.since(rule.window.start(known.index)));
                let left = rule.limit.saturating_sub(granted) as f64;
                let exhausted_in = if all > 0.0 { left / all } else { f64::INFINITY };
                let ends_in = rule.window.end(index).since(now).as_secs_f64();
                let seconds = BLOCK_SECONDS.max(BLOCK_PERMITS / own).min(exhausted_in / 2.0).min(ends_in);
                let fewest = (all / 500.0).min(2.0 * own).min(own * exhausted_in);
                (own * seconds).max(fewest)
            }
            _ => 0.0,
        };
        // Rounded up as often as its fraction says, so that the mean is right.
        let rounded = (wanted + random).floor().max(0.0) as u64;
        // More than is left would grant nothing, and would count when the limit is raised.
        let left = rule.limit.saturating_sub(granted);
        rounded.min(largest).min(left).max(needed)
    }

    /// The take was made, and the slot now counts `granted`.
    pub(super) fn taken(&mut self, rule: &Rule, take: &Take, granted: u64, now: Timestamp) {
        let grant = take.grant(granted);
        let granted = granted.min(take.limit);
        self.last_block = take.block;
        match &mut self.held {
            Some(held) if held.index == take.index => {
                held.credit += grant;
                held.fleet.wrote(held.granted, granted, now);
                held.granted = granted;
            }
            // An answer that comes when its window is not the present one brings nothing.
            _ if rule.window.index(now) != take.index => return,
            _ => {
                let known = self.held.as_ref().filter(|held| held.index + 1 == take.index);
                let untold = self.held.as_ref().filter(|held| held.index < take.index && held.unsettled > 0);
                self.left_over = untold.map(|held| (held.index, held.unsettled));
                let fleet = known.map_or_else(|| Fleet::new(now), |known| known.fleet.next(now));
                self.held = Some(Held { index: take.index, credit: grant, unsettled: 0, granted, fleet });
            }
        }
        if grant > 0 {
            self.denials = 0;
            self.denied = None;
        }
    }

    /// Whether something was spent that no slot and no month knows of.
    pub(super) fn has_to_tell(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.unsettled > 0)
    }

    /// The number of a window that is over, and what was spent in it and never told; once.
    pub(super) fn left_over(&mut self) -> Option<(u64, u64)> {
        self.left_over.take()
    }

    /// The counter said why it gives nothing; `random` is uniform in 0..1.
    pub(super) fn refused(&mut self, rule: &Rule, take: &Take, obstacle: Obstacle, now: Timestamp, random: f64) {
        match obstacle {
            Obstacle::OlderWindow | Obstacle::Empty { .. } => {}
            Obstacle::NewerWindow | Obstacle::Exhausted => {
                // Requests that asked at once were told once.
                if self.denied(rule, take.index, now).is_some() {
                    return;
                }
                let doubled = DENIED_FIRST.saturating_mul(1 << self.denials.min(10));
                let longest = Duration::from_secs(rule.window.seconds(take.index)) / DENIED_PART;
                self.denials += 1;
                let until = now.plus(doubled.min(longest).mul_f64(0.5 + random / 2.0));
                self.denied = Some(Denied {
                    index: take.index,
                    limit: take.limit,
                    until: until.min(rule.window.end(take.index)),
                });
                if let Some(held) = self.held.as_mut().filter(|held| held.index == take.index) {
                    held.granted = held.granted.max(take.limit);
                }
            }
        }
    }

    /// What to give back of a key that has fallen silent; deducted here before it is sent, and sent once.
    pub(super) fn give_back(&mut self, rule: &Rule, now: Timestamp, pace: &Pace, is_leaving: bool) -> Option<Return> {
        let index = rule.window.index(now);
        let is_idle = is_leaving || pace.silence(now) > (IDLE_GAPS * pace.gap()).min(IDLE_SECONDS_MAX);
        let held = self.held.as_mut().filter(|held| held.index == index)?;
        if !is_idle || held.credit == 0 && !(is_leaving && held.unsettled > 0) {
            return None;
        }
        let (permits, settled) = (std::mem::take(&mut held.credit), std::mem::take(&mut held.unsettled));
        held.granted = held.granted.saturating_sub(permits);
        Some(Return { slot: SlotName::of(&rule.id, rule.window, index), index, permits, settled })
    }
}
