//! Permits of a token bucket, held for a short time.

use std::{collections::VecDeque, time::Duration};

use super::Moment;
use crate::{
    limit::{Draw, Obstacle, Rule, Shape},
    time::Timestamp,
};

/// How long after they were asked for permits can be spent that a request waits for, where a lease lives shorter.
const NEEDED_FOR: Duration = Duration::from_millis(150);

/// How much longer than necessary an environment waits at most that found the bucket empty once.
const EMPTY_FIRST: Duration = Duration::from_millis(20);

/// How many permits more than it will need a key asks for at most, as a part of them, where there are plenty: those that are
/// not spent in time are lost, and those that are missing cost a write.
const MORE_MAX: f64 = 0.6;
/// How much the newest look at the bucket counts.
const FOUND_WEIGHT: f64 = 1.0 / 4.0;

/// Permits of one bucket in one environment.
#[derive(Clone, Debug, Default)]
pub(super) struct Burst {
    /// The oldest first.
    blocks: VecDeque<Block>,
    /// When the bucket is full, as far as this environment knows, in microseconds since 1970.
    full_at: Option<u64>,
    empty: Empty,
    /// How often in a row it was empty.
    empties: u32,
    last_block: u64,
    /// The part of what the counter may give that it still had after this environment last drew from it: 0 to 1.
    plenty: f64,
    /// How often the bucket was not full of late when this environment drew from it: 0 to 1.
    found_used: f64,
}

/// What is known of a bucket that has too little.
#[derive(Clone, Copy, Debug, Default)]
struct Empty {
    until: Timestamp,
    /// For whom: fewer permits may be there, or as many of a rule with another number.
    needed: u64,
    shape: Option<Shape>,
}

/// Permits that were drawn together.
#[derive(Clone, Copy, Debug)]
struct Block {
    permits: u64,
    /// By which they were drawn: those of a rule with another number cost the bucket more or less.
    shape: Shape,
    /// When they were asked for, and until when they can be spent.
    from: Timestamp,
    until: Timestamp,
}

impl Block {
    /// Not before it was drawn, either: a clock that is set back makes no lease live longer.
    fn is_alive(&self, now: Timestamp) -> bool {
        self.from <= now && now <= self.until
    }

    fn counts(&self, rule: &Rule, now: Timestamp) -> bool {
        self.is_alive(now) && Shape::of(rule) == Some(self.shape)
    }
}

impl Burst {
    pub(super) fn credit(&self, rule: &Rule, now: Timestamp) -> u64 {
        self.blocks.iter().filter(|block| block.counts(rule, now)).map(|block| block.permits).sum()
    }

    /// What is here and what the bucket has; `None` where that never said anything.
    pub(super) fn remaining(&self, rule: &Rule, now: Timestamp) -> Option<u64> {
        let available = Shape::of(rule).map_or(0, |shape| shape.available(self.full_at(), now));
        self.full_at.map(|_| self.credit(rule, now).saturating_add(available))
    }

    /// A bucket that never said anything may be full.
    fn full_at(&self) -> u64 {
        self.full_at.unwrap_or_default()
    }

    /// The bucket was seen to be full at this time, in microseconds since 1970.
    pub(super) fn observe(&mut self, full_at: u64) {
        self.full_at = Some(full_at);
    }

    /// When there is a permit again, or where there is one, when the bucket is full.
    pub(super) fn resets_at(&self, rule: &Rule, now: Timestamp) -> Timestamp {
        let Some(shape) = Shape::of(rule).filter(|_| self.remaining(rule, now) == Some(0)) else {
            return Timestamp::from_millis(self.full_at().div_ceil(1000)).max(now);
        };
        shape.available_at(1, self.full_at()).max(self.empty_until(shape).unwrap_or_default())
    }

    /// When a request can have so many permits, `needed` of which are not here: what is may have lapsed by then.
    pub(super) fn met_at(&self, rule: &Rule, permits: u64, needed: u64, now: Timestamp) -> Timestamp {
        let returned = Shape::of(rule).map(|shape| shape.available_at(permits, self.full_at()));
        returned.max(self.denied(rule, needed, now)).unwrap_or_default().max(now)
    }

    pub(super) fn spend(&mut self, rule: &Rule, now: Timestamp, permits: u64) -> bool {
        if self.credit(rule, now) < permits {
            return false;
        }
        let mut left = permits;
        for block in self.blocks.iter_mut().filter(|block| block.counts(rule, now)) {
            let spent = left.min(block.permits);
            block.permits -= spent;
            left -= spent;
        }
        true
    }

    pub(super) fn is_low(&self, rule: &Rule, now: Timestamp) -> bool {
        self.last_block > 1 && self.credit(rule, now) * 2 < self.last_block
    }

    /// Until when so many permits more are not worth asking for. No longer than a bucket takes to fill: what lies farther
    /// ahead was said by a clock that has been set back.
    pub(super) fn denied(&self, rule: &Rule, needed: u64, now: Timestamp) -> Option<Timestamp> {
        let shape = Shape::of(rule)?;
        let until = self.empty_until(shape).filter(|_| needed >= self.empty.needed)?;
        (now < until && until <= now.plus(shape.filling())).then_some(until)
    }

    fn empty_until(&self, shape: Shape) -> Option<Timestamp> {
        (self.empty.shape == Some(shape)).then_some(self.empty.until)
    }

    /// Permits for as long as a lease lives, at this key's own pace.
    pub(super) fn draw(&mut self, rule: &Rule, needed: u64, moment: Moment) -> Option<Draw> {
        let Moment { now, rate, random, may_hold, waiting } = moment;
        let shape = Shape::of(rule)?;
        let available = shape.available(self.full_at(), now);
        let used = rate * shape.life().as_secs_f64() * (1.0 + MORE_MAX * self.plenty);
        let wanted = if may_hold { (used + random).floor() as u64 } else { 0 };
        let block = wanted.max(waiting).min(available).max(needed);
        // What one request takes is no more than the bucket ever has: the document was checked for that.
        if block == 0 || block > shape.central() {
            return None;
        }
        let bucket = Draw::bucket_of(rule);
        let mut draw = Draw { bucket, now, block, needed, is_full: false, shape };
        draw.is_full = self.full_at() <= draw.floor_micros() && self.found_used <= 0.5;
        Some(draw)
    }

    pub(super) fn drawn(&mut self, rule: &Rule, draw: &Draw, full_at: u64, now: Timestamp) {
        let Some(shape) = Shape::of(rule) else { return };
        self.full_at = Some(full_at);
        let was_used = full_at != draw.now_micros() + draw.cost_micros();
        self.found_used += FOUND_WEIGHT * (f64::from(u8::from(was_used)) - self.found_used);
        self.plenty = draw.shape.available(full_at, now) as f64 / draw.shape.central().max(1) as f64;
        self.last_block = draw.block;
        (self.empty, self.empties) = (Empty::default(), 0);
        if draw.shape.available(full_at, now) == 0 {
            // Whoever emptied it need not ask to know; and a few permits at once are worth more than one.
            let until = draw.shape.available_at((draw.block / 2).max(1), full_at);
            self.empty = Empty { until, needed: 1, shape: Some(shape) };
        }
        self.blocks.retain(|block| block.permits > 0 && block.is_alive(now));
        // The answer itself may have shown that the clock was ahead when it was asked for.
        let from = draw.now.min(now);
        let block = Block { permits: draw.block, shape, from, until: from.plus(draw.shape.life()) };
        self.blocks.push_back(match block.is_alive(now) {
            true => block,
            // Too late for all but who waits: what that spends counts from when it was asked for.
            false => Block { permits: draw.needed, until: from.plus(NEEDED_FOR), ..block },
        });
    }

    /// Others wait for the same permits: who found it empty again waits longer, up to half of a lease's life. Nothing is
    /// lost meanwhile, since the bucket keeps what comes back.
    pub(super) fn refused(&mut self, rule: &Rule, draw: &Draw, obstacle: Obstacle, random: f64) {
        if let (Obstacle::Empty { full_at, until }, Some(shape)) = (obstacle, Shape::of(rule)) {
            let longer = EMPTY_FIRST.saturating_mul(1 << self.empties.min(10)).min(shape.life() / 2);
            self.empties += 1;
            let until = until.plus(longer.mul_f64(random));
            self.empty = Empty { until, needed: draw.needed.max(1), shape: Some(shape) };
            self.full_at = Some(full_at);
        }
    }
}
