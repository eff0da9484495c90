//! Permits of a window, held in blocks: never more than the counter granted.

use std::time::Duration;

use super::Moment;
use crate::{
    limit::{
        Obstacle, Return, Rule, SlotName, Spent, Take,
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
/// How many seconds of silence make a key idle whose permits nobody will soon want.
const IDLE_SECONDS_FAR: f64 = 300.0;
/// Within how many seconds a limit must be reached, and within how many times what is left of its window, so that others
/// want what idle keys hold; and the part of what is left that they want in any case.
const WANTED_SECONDS: f64 = 2.0 * IDLE_SECONDS_MAX;
const WANTED_TIMES: f64 = 2.0;
const MUCH_PART: f64 = 0.01;
/// How long before the end of a window permits of the next one are asked for, at most.
const AHEAD: Duration = Duration::from_secs(10);
/// How many requests must be expected in that time, so that a key is worth permits of a window that may not see it.
const AHEAD_REQUESTS: f64 = 10.0;
/// How long after the counter was throttled a key asks for less often, and for more at once.
const THROTTLED_FOR: Duration = Duration::from_secs(3);
/// Of how many windows it is remembered what was spent and told to nobody.
const LEFT_OVER_MAX: usize = 4;

/// Permits of one limit in one environment.
#[derive(Clone, Debug, Default)]
pub(super) struct Exact {
    /// Permits of the present window, or of one that is over.
    held: Option<Held>,
    /// Permits of a window that has not begun.
    next: Option<Held>,
    /// When to ask for permits of the window of this number, before it begins; absent where that was done.
    ahead: Option<(u64, Option<Timestamp>)>,
    last_block: u64,
    denials: u32,
    denied: Option<Denied>,
    /// What the counter was seen to have granted since this environment last wrote.
    seen: Option<Seen>,
    /// When the counter last took no more writes.
    throttled_at: Option<Timestamp>,
    /// Spent, and never to be told to a slot: in windows that are over, or without being held.
    left_over: Vec<Spent>,
}

/// The counter's word that less is left than is needed.
#[derive(Clone, Copy, Debug)]
struct Denied {
    index: u64,
    /// Of a limit with this number; of a higher one there may be something left.
    limit: u64,
    /// For whoever needs as many; fewer there may be.
    needed: u64,
    until: Timestamp,
}

/// What the counter had granted to everybody, at least.
#[derive(Clone, Copy, Debug)]
struct Seen {
    index: u64,
    granted: u64,
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

impl Held {
    /// Permits a second that everybody together takes.
    fn rate(&self, rule: &Rule, now: Timestamp) -> f64 {
        self.fleet.rate(self.granted, now.since(rule.window.start(self.index)))
    }
}

impl Exact {
    /// Permits that can be spent in this window without asking anybody: no more than the rule's number leaves, which may
    /// be a lower one than that under which they were taken.
    pub(super) fn credit(&self, rule: &Rule, index: u64) -> u64 {
        self.held(index)
            .map_or(0, |held| held.credit.min(rule.limit.saturating_sub(held.granted.saturating_sub(held.credit))))
    }

    /// How many permits everybody together has left in this window, as far as this environment knows: its own credit,
    /// and what the counter had not granted when it last said something. `None` where it has not.
    pub(super) fn remaining(&self, rule: &Rule, index: u64) -> Option<u64> {
        let held = self.held(index).map(|held| held.granted);
        let seen = self.seen.filter(|seen| seen.index == index).map(|seen| seen.granted);
        let granted = held.max(seen)?;
        Some(rule.limit.saturating_sub(granted) + self.credit(rule, index))
    }

    /// The counter was seen to have granted so many permits of a window.
    pub(super) fn observe(&mut self, index: u64, granted: u64) {
        let known = self.seen.filter(|seen| seen.index == index).map_or(0, |seen| seen.granted);
        self.seen = Some(Seen { index, granted: granted.max(known) });
    }

    /// Spends permits of the window; `false`, and nothing is spent, where there are not as many.
    pub(super) fn spend(&mut self, rule: &Rule, index: u64, permits: u64) -> bool {
        self.enter(index);
        let has_enough = self.credit(rule, index) >= permits;
        match self.held_mut(index) {
            Some(held) if has_enough => {
                held.credit -= permits;
                held.unsettled += permits;
                true
            }
            _ => false,
        }
    }

    /// Counts permits that were spent without being held.
    pub(super) fn spend_unpaid(&mut self, index: u64, permits: u64) {
        match self.held_mut(index) {
            Some(held) => held.unsettled += permits,
            None => self.leave_over(index, permits),
        }
    }

    /// The counter takes no more writes.
    pub(super) fn throttled(&mut self, now: Timestamp) {
        self.throttled_at = Some(now);
    }

    /// Whether less than half of a block is left.
    pub(super) fn is_low(&self, rule: &Rule, index: u64) -> bool {
        self.credit(rule, index) * 2 < self.last_block
    }

    /// Whether the counter said in this window that as many permits are not left, even if that no longer counts, of a
    /// limit with at least this number.
    pub(super) fn was_denied(&self, rule: &Rule, index: u64, needed: u64) -> bool {
        let counts = |denied: &Denied| denied.index == index && rule.limit <= denied.limit && needed >= denied.needed;
        self.denied.as_ref().is_some_and(counts)
    }

    /// Until when the counter's own word is that as many permits are not left in this window; to its end where they would
    /// be more than the limit.
    pub(super) fn denied(&self, rule: &Rule, index: u64, needed: u64, now: Timestamp) -> Option<Timestamp> {
        if self.credit(rule, index).saturating_add(needed) > rule.limit {
            return Some(rule.window.end(index));
        }
        self.told(rule, index, needed, now)
    }

    /// Until when the counter's own word counts.
    fn told(&self, rule: &Rule, index: u64, needed: u64, now: Timestamp) -> Option<Timestamp> {
        let denied = self.denied.filter(|denied| self.was_denied(rule, index, needed) && now < denied.until);
        denied.map(|denied| denied.until)
    }

    /// Whether the counter's own word still counts for anybody.
    pub(super) fn is_denied(&self, index: u64, now: Timestamp) -> bool {
        self.denied.is_some_and(|denied| denied.index == index && now < denied.until)
    }

    /// A take that brings at least `needed` permits if the counter has them; `None` where none is needed and the key is
    /// not worth any, or where no window has as many.
    pub(super) fn take(&mut self, rule: &Rule, needed: u64, moment: Moment) -> Option<Take> {
        let index = rule.window.index(moment.now);
        let block = self.block(rule, needed, moment);
        self.take_block(rule, index, block, needed)
    }

    /// A take of the first permits of the next window, once and at a moment of the present one's last seconds that is
    /// another one in each environment, so that not all begin to wait when it begins.
    pub(super) fn take_ahead(&mut self, rule: &Rule, moment: Moment) -> Option<Take> {
        let Moment { now, rate, random, may_hold, .. } = moment;
        let index = rule.window.index(now);
        let begins_at = rule.window.end(index);
        if !may_hold || !Self::is_time_to_take_ahead(rule, now) {
            return None;
        }
        let ask_at = match self.ahead {
            Some((next, at)) if next == index + 1 => at?,
            _ => {
                let at = now.plus(begins_at.since(now).mul_f64(random));
                self.ahead = Some((index + 1, Some(at)));
                at
            }
        };
        let is_busy = rate * AHEAD.as_secs_f64() >= AHEAD_REQUESTS;
        self.enter(index);
        if now < ask_at || !is_busy || self.next.is_some() {
            return None;
        }
        self.ahead = Some((index + 1, None));
        let block = self.block(rule, 1, Moment { now: begins_at, ..moment });
        self.take_block(rule, index + 1, block, 1)
    }

    /// Whether the window, a longer one than a minute, is in its last seconds.
    pub(super) fn is_time_to_take_ahead(rule: &Rule, now: Timestamp) -> bool {
        !rule.window.is_short() && rule.window.end(rule.window.index(now)).since(now) <= AHEAD
    }

    fn take_block(&mut self, rule: &Rule, index: u64, block: u64, needed: u64) -> Option<Take> {
        if block == 0 || needed > rule.limit {
            return None;
        }
        let held = self.held_mut(index);
        // Told once, whatever becomes of it: a count that is told twice would be too high.
        let settled = held.map_or(0, |held| std::mem::take(&mut held.unsettled));
        let slot = SlotName::of(&rule.id, rule.window, index);
        Some(Take { slot, index, limit: rule.limit, block, needed: needed.max(1), settled, resets: false })
    }

    /// A take was certainly not made: what it told is still to be told.
    pub(super) fn not_taken(&mut self, take: &Take) {
        match self.held_mut(take.index) {
            Some(held) => held.unsettled += take.settled,
            None => self.leave_over(take.index, take.settled),
        }
    }

    /// How many permits to ask for.
    fn block(&self, rule: &Rule, needed: u64, moment: Moment) -> u64 {
        let Moment { now, rate: own, random, may_hold, waiting } = moment;
        let index = rule.window.index(now);
        // More than is left would grant nothing, and would count when the limit is raised.
        let left = rule.limit.saturating_sub(self.held(index).map_or(0, |held| held.granted));
        let waiting = waiting.min(left);
        if !may_hold {
            return waiting.max(needed);
        }
        let largest = match self.last_block {
            0 => return (rule.limit / FIRST_BLOCK_PART).max(1).max(waiting).max(needed),
            last => last.saturating_mul(GROWTH_MAX),
        };
        // A new window begins at the pace of the one before, as long as its counter has not said otherwise.
        let held = self.held(index);
        let known = held.or_else(|| self.held_before(index));
        let wanted = match known {
            Some(known) if own > 0.0 => {
                let all = known.rate(rule, now);
                let left = self.left(rule, index, all, now);
                let exhausted_in = if all > 0.0 { left / all } else { f64::INFINITY };
                let ends_in = rule.window.end(index).since(now).as_secs_f64();
                let seconds = BLOCK_SECONDS.max(BLOCK_PERMITS / own).min(exhausted_in / 2.0);
                // A counter that is asked too often is asked less often, though a few permits may stay unused at the end.
                let is_throttled = self.throttled_at.is_some_and(|at| at <= now && now.since(at) < THROTTLED_FOR);
                let to_the_end = if is_throttled { f64::INFINITY } else { own * exhausted_in };
                let fewest = (all / 500.0).min(2.0 * own).min(to_the_end);
                let until_end = own * ends_in;
                // Where the limit is not reached in this window, nobody misses a few permits that are left when it ends, and
                // without them each of its last requests would cost a write.
                let is_reached = exhausted_in < WANTED_TIMES * ends_in;
                let spare = if is_reached { 0.0 } else { 2.0 * until_end.sqrt() + 1.0 };
                (own * seconds).min(until_end + spare).max(fewest)
            }
            _ => 0.0,
        };
        if needed == 0 && waiting == 0 && wanted < 1.0 {
            // The limit will be reached before this key comes again: a permit that waits for it here may be lost.
            return 0;
        }
        // Rounded up as often as its fraction says, so that the mean is right.
        let rounded = (wanted + random).floor().max(0.0) as u64;
        rounded.min(largest).max(waiting).min(left).max(needed)
    }

    /// The take was made, and the slot now counts `granted`.
    pub(super) fn taken(&mut self, rule: &Rule, take: &Take, granted: u64, now: Timestamp) {
        let grant = take.grant(granted);
        let granted = granted.min(take.limit);
        let present = rule.window.index(now);
        self.enter(present);
        self.last_block = take.block;
        self.seen = self.seen.filter(|seen| seen.index != take.index);
        if let Some(held) = self.held_mut(take.index) {
            held.credit += grant;
            held.fleet.wrote(held.granted, granted, now);
            // An answer may come after a newer one.
            held.granted = granted.max(held.credit);
        } else if take.index < present || take.index > present + 1 {
            // An answer that comes when its window is over brings nothing.
            return;
        } else {
            let known = self.held_before(take.index);
            let since = now.max(rule.window.start(take.index));
            let fleet = known.map_or_else(|| Fleet::new(since), |known| known.fleet.next(since));
            let held = Held { index: take.index, credit: grant, unsettled: 0, granted, fleet };
            if take.index == present {
                self.begin(held);
            } else {
                self.next = Some(held);
            }
        }
        if grant > 0 && take.index == present {
            self.denials = 0;
            self.denied = None;
        }
    }

    /// Permits of this window, present or next.
    fn held(&self, index: u64) -> Option<&Held> {
        self.held.iter().chain(&self.next).find(|held| held.index == index)
    }

    /// Permits of the window before this one.
    fn held_before(&self, index: u64) -> Option<&Held> {
        index.checked_sub(1).and_then(|before| self.held(before))
    }

    fn held_mut(&mut self, index: u64) -> Option<&mut Held> {
        self.held.iter_mut().chain(&mut self.next).find(|held| held.index == index)
    }

    /// Whether it is known that the counter's slot of this window has begun.
    pub(super) fn has_begun(&self, index: u64) -> bool {
        self.held(index).is_some() || self.seen.is_some_and(|seen| seen.index == index && seen.granted > 0)
    }

    /// Goes on to the next window where that has come; where a clock was set back, what is held waits for its window.
    fn enter(&mut self, present: u64) {
        if let Some(early) = self.held.take_if(|held| held.index > present) {
            // There is room for two windows: what a later one still held lapses.
            if let Some(later) = self.next.replace(early) {
                self.leave_over(later.index, later.unsettled);
            }
        } else if let Some(next) = self.next.take_if(|next| next.index <= present) {
            self.begin(next);
        }
    }

    /// Goes on to a newer window: what was spent in the one before and never told is left over.
    fn begin(&mut self, held: Held) {
        if let Some(before) = self.held.replace(held) {
            self.leave_over(before.index, before.unsettled);
        }
    }

    fn leave_over(&mut self, index: u64, permits: u64) {
        match self.left_over.iter_mut().find(|spent| spent.index == index) {
            Some(spent) => spent.permits += permits,
            None if permits > 0 => self.left_over.push(Spent { index, permits }),
            None => {}
        }
        let forgotten = self.left_over.len().saturating_sub(LEFT_OVER_MAX);
        self.left_over.drain(..forgotten);
    }

    /// Whether something was spent that no slot and no month knows of.
    pub(super) fn has_to_tell(&self) -> bool {
        !self.left_over.is_empty() || self.held.iter().chain(&self.next).any(|held| held.unsettled > 0)
    }

    /// What was spent in windows and will never be told to their slots; once.
    pub(super) fn left_over(&mut self, present: u64) -> Vec<Spent> {
        self.enter(present);
        if let Some(over) = self.held.take_if(|held| held.index < present && held.unsettled > 0) {
            // Its pace is still that of the window which comes.
            self.leave_over(over.index, over.unsettled);
            self.held = Some(Held { unsettled: 0, ..over });
        }
        std::mem::take(&mut self.left_over)
    }

    /// The counter said why it gives nothing; `random` is uniform in 0..1.
    pub(super) fn refused(&mut self, rule: &Rule, take: &Take, obstacle: Obstacle, now: Timestamp, random: f64) {
        match obstacle {
            Obstacle::OlderWindow | Obstacle::Empty { .. } => {}
            // What is said of the next window is asked again when it is the present one.
            _ if take.index > rule.window.index(now) => {}
            Obstacle::NewerWindow | Obstacle::Exhausted => {
                // Of a window that is over there is nothing for anybody.
                let needed = if obstacle == Obstacle::Exhausted { take.needed } else { 1 };
                // Requests that asked at once were told once.
                if self.told(rule, take.index, needed, now).is_some() {
                    return;
                }
                let doubled = DENIED_FIRST.saturating_mul(1 << self.denials.min(10));
                let longest = Duration::from_secs(rule.window.seconds(take.index)) / DENIED_PART;
                self.denials += 1;
                let until = now.plus(doubled.min(longest).mul_f64(0.5 + random / 2.0));
                self.denied = Some(Denied {
                    index: take.index,
                    limit: take.limit,
                    needed,
                    until: until.min(rule.window.end(take.index)),
                });
                let granted = (take.limit + 1).saturating_sub(needed);
                self.observe(take.index, granted);
                if let Some(held) = self.held.as_mut().filter(|held| held.index == take.index) {
                    held.granted = held.granted.max(granted);
                }
            }
        }
    }

    /// Whether there are permits of a window that is not over.
    pub(super) fn holds(&self, rule: &Rule, present: u64) -> bool {
        self.credit(rule, present) > 0 || self.next.as_ref().is_some_and(|next| next.index > present && next.credit > 0)
    }

    /// What to give back of a key that has fallen silent; deducted here before it is sent, and sent once. Permits of the
    /// next window are given back by an environment that leaves, others wait for what it brings.
    pub(super) fn give_back(&mut self, rule: &Rule, now: Timestamp, pace: &Pace, is_leaving: bool) -> Vec<Return> {
        let index = rule.window.index(now);
        self.enter(index);
        let is_idle = pace.silence(now) > self.idle_after(rule, index, pace, now);
        let next = is_leaving.then_some(index + 1);
        let indices = (is_leaving || is_idle).then_some(index).into_iter().chain(next);
        // Who may never come again tells what was spent, though nothing is left to give back.
        let tells = is_leaving || pace.is_silent(now);
        indices.filter_map(|index| self.return_of(rule, index, tells)).collect()
    }

    /// After how many seconds of silence a key is idle: early only where others will soon want what it holds. Where nobody
    /// will, giving back would cost a write, and the next request another one.
    fn idle_after(&self, rule: &Rule, index: u64, pace: &Pace, now: Timestamp) -> f64 {
        let ends_in = rule.window.end(index).since(now).as_secs_f64();
        let all = self.held(index).map_or(0.0, |held| held.rate(rule, now));
        let left = self.left(rule, index, all, now);
        let is_reached = left < all * WANTED_SECONDS.min(WANTED_TIMES * ends_in);
        let is_much = self.credit(rule, index) as f64 > left * MUCH_PART;
        if is_reached || is_much { (IDLE_GAPS * pace.gap()).min(IDLE_SECONDS_MAX) } else { IDLE_SECONDS_FAR }
    }

    /// What is left by now, where everybody together takes so many permits a second.
    fn left(&self, rule: &Rule, index: u64, all: f64, now: Timestamp) -> f64 {
        let held = self.held(index);
        // The others went on since this environment last wrote, or since the window began.
        let since = held.map_or(rule.window.start(index), |held| held.fleet.wrote_at());
        let granted = held.map_or(0, |held| held.granted);
        let by_now = granted.saturating_add((all * now.since(since).as_secs_f64()) as u64);
        rule.limit.saturating_sub(by_now) as f64
    }

    fn return_of(&mut self, rule: &Rule, index: u64, tells: bool) -> Option<Return> {
        let held = self.held_mut(index)?;
        if held.credit == 0 && !(tells && held.unsettled > 0) {
            return None;
        }
        let (permits, settled) = (std::mem::take(&mut held.credit), std::mem::take(&mut held.unsettled));
        held.granted = held.granted.saturating_sub(permits);
        if let Some(seen) = self.seen.as_mut().filter(|seen| seen.index == index) {
            seen.granted = seen.granted.saturating_sub(permits);
        }
        Some(Return { slot: SlotName::of(&rule.id, rule.window, index), index, permits, settled })
    }
}
