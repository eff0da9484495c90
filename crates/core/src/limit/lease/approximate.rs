//! Permits that are counted alone and told to the others now and then.

use std::time::Duration;

use crate::{
    limit::{Rule, SlotName, Take},
    time::Timestamp,
};

/// How often the others are told: ten times in a window, within these bounds.
const TOLD_EVERY_MIN: Duration = Duration::from_millis(100);
const TOLD_EVERY_MAX: Duration = Duration::from_secs(1);
const TOLD_PER_WINDOW: u32 = 10;

/// What is kept in mind of a window that is counted alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// What everybody together had told.
    seen: u64,
    /// What was admitted here since.
    alone: u64,
    /// Whether what was told last may not have arrived.
    is_unknown: bool,
}

/// What one environment knows of a window.
#[derive(Clone, Debug, Default)]
pub(super) struct Approximate {
    index: u64,
    /// What everybody together had told when this environment last did.
    seen: u64,
    /// Admitted here since.
    alone: u64,
    told_at: Timestamp,
    /// Whether what was told last may not have arrived.
    is_unknown: bool,
}

impl Approximate {
    pub(super) fn credit(&self, rule: &Rule, index: u64) -> u64 {
        if self.is_unknown && self.index == index { 0 } else { self.remaining(rule, index) }
    }

    pub(super) fn remaining(&self, rule: &Rule, index: u64) -> u64 {
        let used = if self.index == index { self.seen.saturating_add(self.alone) } else { 0 };
        rule.limit.saturating_sub(used)
    }

    /// Whether anything was told or admitted in this window.
    pub(super) fn knows(&self, index: u64) -> bool {
        self.index == index && self.seen + self.alone > 0
    }

    pub(super) fn spend(&mut self, rule: &Rule, index: u64, permits: u64) -> bool {
        let has_enough = self.credit(rule, index) >= permits;
        if has_enough {
            self.enter(index);
            self.alone += permits;
        }
        has_enough
    }

    pub(super) fn spend_unpaid(&mut self, index: u64, permits: u64) {
        self.enter(index);
        self.alone += permits;
    }

    /// What is known of a window.
    pub(super) fn counted(&self, index: u64) -> Option<Counted> {
        let Self { seen, alone, is_unknown, .. } = *self;
        (self.index == index && seen + alone > 0).then_some(Counted { seen, alone, is_unknown })
    }

    /// Adds what was known of a window.
    pub(super) fn recall(&mut self, index: u64, counted: Counted) {
        self.enter(index);
        self.seen += counted.seen;
        self.alone += counted.alone;
        self.is_unknown |= counted.is_unknown;
    }

    /// Whether anybody told anything in this window.
    pub(super) fn has_begun(&self, index: u64) -> bool {
        self.index == index && self.seen > 0
    }

    pub(super) fn has_to_tell(&self, index: u64) -> bool {
        self.index == index && self.alone > 0
    }

    /// Whether one permit was spent in this window, and nothing else is known of it.
    pub(super) fn is_fresh(&self, index: u64) -> bool {
        self.index == index && self.seen == 0 && self.alone <= 1
    }

    pub(super) fn is_due(&self, rule: &Rule, now: Timestamp) -> bool {
        let index = rule.window.index(now);
        let window = Duration::from_secs(rule.window.seconds(index));
        let every = (window / TOLD_PER_WINDOW).clamp(TOLD_EVERY_MIN, TOLD_EVERY_MAX);
        // A clock that was set back tells at once.
        self.has_to_tell(index) && (now < self.told_at || now.since(self.told_at) >= every)
    }

    /// Until when so many permits more are too many: what is known of a window never falls.
    pub(super) fn denied(&self, rule: &Rule, needed: u64, now: Timestamp) -> Option<Timestamp> {
        let index = rule.window.index(now);
        let wanted = self.credit(rule, index).saturating_add(needed);
        (self.remaining(rule, index) < wanted).then(|| rule.window.end(index))
    }

    /// What to tell; `None` where there is nothing to tell and nobody waits to hear.
    pub(super) fn tell(&mut self, rule: &Rule, needed: u64, now: Timestamp) -> Option<Take> {
        let index = rule.window.index(now);
        self.enter(index);
        if self.alone == 0 && needed == 0 {
            return None;
        }
        let block = std::mem::take(&mut self.alone);
        // It counts as told from now on, so that it is never told twice.
        self.seen += block;
        (self.is_unknown, self.told_at) = (true, now);
        let slot = SlotName::of(&rule.id, rule.window, index);
        Some(Take { slot, index, limit: u64::MAX, block, needed: 1, settled: block, resets: false })
    }

    pub(super) fn not_told(&mut self, take: &Take) {
        if self.index == take.index {
            self.seen = self.seen.saturating_sub(take.block);
            self.alone += take.block;
            self.is_unknown = false;
        }
    }

    pub(super) fn told(&mut self, take: &Take, granted: u64, now: Timestamp) {
        if self.index == take.index {
            self.seen = granted;
            (self.is_unknown, self.told_at) = (false, now);
        }
    }

    fn enter(&mut self, index: u64) {
        if self.index != index {
            *self = Self { index, told_at: self.told_at, ..Self::default() };
        }
    }
}
