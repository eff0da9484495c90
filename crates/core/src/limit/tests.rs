//! The laws of leases over random histories, and rules broken on purpose, which must be noticed.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use proptest::{
    prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest},
    sample::select,
    strategy::ValueTree,
    test_runner::TestRunner,
};

use super::{Ask, Counter, Lease, Mode, Obstacle, Return, Rule, Sizing, Slot, SlotName, Take, Window};
use crate::time::{Timestamp, days_since_1970};

/// Seconds since 1970 of `2026-11-24T04:00:00`.
pub(super) fn parse(text: &str) -> u64 {
    let number = |range: std::ops::Range<usize>| text[range].parse::<u64>().expect("a number");
    let days = days_since_1970(number(0..4), number(5..7), number(8..10));
    days * 86_400 + number(11..13) * 3600 + number(14..16) * 60 + number(17..19)
}

/// What happens in one step of a history.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A request for `permits` comes to an environment, where others wait for `waiting`; its write, if it needs one, fares so.
    Request { environment: usize, permits: u64, waiting: u64, fate: Fate },
    /// An environment reads the counter, and takes its word.
    Probe { environment: usize, needed: u64 },
    /// The limit has another number from now on.
    SetLimit(u64),
    /// Wall time passes.
    Pass(u64),
    /// Wall time passes until so many milliseconds before the window ends.
    PassToEnd(u64),
    /// An environment's clock goes wrong by so many milliseconds.
    Skew { environment: usize, millis: i64 },
    /// An environment asks for permits of the next window, if it is time for that; the write fares so.
    Ahead { environment: usize, fate: Fate },
    /// The environment gives back what it does not need; the write fares so.
    GiveBack { environment: usize, fate: Fate },
    /// The environment dies with all that it holds, and another one stands in its place.
    Die(usize),
    /// The answer to an earlier write, or an earlier return, comes late.
    Arrive(usize),
}

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is made and answered.
    Answered,
    /// It is made, and the answer is lost.
    AnswerLost,
    /// It never arrives.
    Lost,
    /// It is made twice, and answered once: the second answer.
    Twice,
    /// It is made at once, and answered much later.
    Late,
    /// The counter takes no more writes, and says so.
    Throttled,
}

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutation {
    None,
    /// The whole block counts, also past the limit.
    NoClamp,
    /// An unknown outcome counts as a grant.
    AssumeGranted,
    /// A return is sent again when its answer is lost.
    RetriedReturn,
    /// A return is applied whatever the slot holds.
    UnconditionalReturn,
    /// A return is deducted after it was sent, and not where the answer is lost.
    DeductAfterReturn,
    /// Permits of the next window are spent in the present one.
    AnyLabel,
    /// What is left is taken, though a request needs more.
    TakesTheRest,
    /// What was spent is told again where nobody knows whether it was told.
    ToldAgain,
    /// A new process goes on with what the one before it held.
    Inherited,
}

/// A take of a window's permits.
pub(super) fn take_of(lease: &mut Lease, rule: &Rule, needed: u64, now: Timestamp, random: f64) -> Take {
    sized(lease, rule, needed, now, Sizing { service: SERVICE, random, ..Sizing::default() })
}

fn sized(lease: &mut Lease, rule: &Rule, needed: u64, now: Timestamp, sizing: Sizing) -> Take {
    match lease.take(rule, needed, now, sizing) {
        Some(Ask::Take(take)) => take,
        other => panic!("no take: {other:?}"),
    }
}

pub(super) fn ask(take: &Take) -> Ask {
    Ask::Take(take.clone())
}

const ENVIRONMENTS: usize = 4;
const NINETY: Window = Window::Seconds(NonZeroU32::new(90).expect("90 is not zero"));
const SERVICE: Duration = Duration::from_millis(20);

/// Permits by window.
type Permits = BTreeMap<u64, u64>;

struct World {
    rule: Rule,
    mutation: Mutation,
    counter: Counter,
    leases: Vec<Lease>,
    now: Timestamp,
    /// By how many milliseconds the clock of each environment is ahead.
    skews: Vec<i64>,
    /// How many times permits of the next window were granted.
    aheads: usize,
    /// Permits spent by window.
    spent: BTreeMap<u64, u64>,
    /// By process: permits that it was given by window, and those that it spent.
    own: Vec<(Permits, Permits)>,
    /// The highest number in force when permits of a window were asked for or spent.
    highest: BTreeMap<u64, u64>,
    /// Whether a write was made twice: what it told counts twice, then.
    is_doubled: bool,
    /// Whether a write brought fewer permits than were needed.
    is_short: bool,
    late: Vec<(usize, Take, u64)>,
    late_returns: Vec<Return>,
}

impl World {
    fn new(limit: u64, window: Window, mutation: Mutation) -> Self {
        let now = Timestamp::from_seconds(1_795_526_000);
        Self {
            rule: Rule::new("x", limit, window, Mode::Exact),
            mutation,
            counter: Counter::default(),
            leases: vec![Lease::default(); ENVIRONMENTS],
            now,
            skews: vec![0; ENVIRONMENTS],
            aheads: 0,
            spent: BTreeMap::new(),
            own: vec![<(Permits, Permits)>::default(); ENVIRONMENTS],
            highest: BTreeMap::new(),
            is_doubled: false,
            is_short: false,
            late: Vec::new(),
            late_returns: Vec::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pass(millis) => self.now = self.now.plus(Duration::from_millis(millis)),
            Step::PassToEnd(millis) => {
                let end = self.rule.window.end(self.rule.window.index(self.now));
                self.now = self.now.max(Timestamp::from_millis(end.as_millis().saturating_sub(millis)));
            }
            Step::Skew { environment, millis } => self.skews[environment] = millis,
            Step::Ahead { environment, fate } => self.ahead(environment, fate),
            Step::Die(environment) => self.die(environment),
            Step::Request { environment, permits, waiting, fate } => self.request(environment, permits, waiting, fate),
            Step::Probe { environment, needed } => self.probe(environment, needed),
            Step::SetLimit(limit) => self.rule = self.rule.with_limit(limit),
            Step::GiveBack { environment, fate } => self.give_back(environment, fate),
            Step::Arrive(number) => {
                if number < self.late.len() {
                    let (environment, take, granted) = self.late.remove(number);
                    let mut lease = std::mem::take(&mut self.leases[environment]);
                    self.taken(environment, &mut lease, &take, granted);
                    self.leases[environment] = lease;
                }
                if number < self.late_returns.len() {
                    let back = self.late_returns.remove(number);
                    self.apply(&back);
                }
            }
        }
    }

    /// Another process takes its place: no answer to the one before it arrives there.
    fn die(&mut self, environment: usize) {
        self.late.retain(|(of, ..)| *of != environment);
        self.own[environment] = Default::default();
        if self.mutation != Mutation::Inherited {
            self.leases[environment] = Lease::default();
        }
    }

    fn taken(&mut self, environment: usize, lease: &mut Lease, take: &Take, granted: u64) {
        *self.own[environment].0.entry(take.index).or_default() += take.grant(granted);
        lease.taken(&self.rule, &ask(take), granted, self.now_in(environment));
    }

    /// Wall time as an environment has it.
    fn now_in(&self, environment: usize) -> Timestamp {
        Timestamp::from_millis(self.now.as_millis().saturating_add_signed(self.skews[environment]))
    }

    /// From now on a window may have been asked by the number in force.
    fn asked(&mut self, index: u64) {
        let highest = self.highest.entry(index).or_default();
        *highest = self.rule.limit.max(*highest);
    }

    fn request(&mut self, environment: usize, permits: u64, waiting: u64, fate: Fate) {
        let now = self.now_in(environment);
        let index = self.rule.window.index(now);
        self.asked(index);
        let mut lease = std::mem::take(&mut self.leases[environment]);
        lease.request(now);
        let needed = lease.lacks(&self.rule, permits, now);
        if needed > 0 && lease.denied(&self.rule, needed, now).is_none() {
            let sizing = Sizing { service: SERVICE, random: 0.5, waiting, is_clock_wrong: false };
            let take = sized(&mut lease, &self.rule, needed, now, sizing);
            self.send(environment, &mut lease, take, fate);
        }
        let before = lease.credit(&self.rule, now);
        if lease.spend(&self.rule, now, permits) {
            assert_eq!(lease.credit(&self.rule, now), before - permits);
            *self.spent.entry(index).or_default() += permits;
            *self.own[environment].1.entry(index).or_default() += permits;
        } else {
            assert_eq!(lease.credit(&self.rule, now), before, "all or none");
        }
        self.leases[environment] = lease;
    }

    fn ahead(&mut self, environment: usize, fate: Fate) {
        let now = self.now_in(environment);
        let mut lease = std::mem::take(&mut self.leases[environment]);
        let sizing = Sizing { service: SERVICE, ..Sizing::default() };
        if let Some(Ask::Take(take)) = lease.take_ahead(&self.rule, now, sizing) {
            assert_eq!(take.index, self.rule.window.index(now) + 1);
            self.asked(take.index);
            let before = lease.credit(&self.rule, now);
            self.send(environment, &mut lease, take, fate);
            self.aheads += usize::from(lease.credit(&self.rule, self.rule.window.end(self.rule.window.index(now))) > 0);
            assert!(lease.credit(&self.rule, now) == before || self.mutation == Mutation::AnyLabel);
        }
        self.leases[environment] = lease;
    }

    fn probe(&mut self, environment: usize, needed: u64) {
        let now = self.now_in(environment);
        let index = self.rule.window.index(now);
        let (slot, limit) = (SlotName::of(&self.rule.id, self.rule.window, index), self.rule.limit);
        let take = Take { slot, index, limit, block: needed, needed, settled: 0, resets: false };
        let lease = &mut self.leases[environment];
        lease.observe(&self.rule, &self.counter, now);
        if let Some(obstacle @ Obstacle::Exhausted) = take.obstacle(&self.counter) {
            lease.refused(&self.rule, &ask(&take), obstacle, now, 0.5);
        }
    }

    /// Sends a take, at most three times.
    fn send(&mut self, environment: usize, lease: &mut Lease, mut take: Take, fate: Fate) {
        let now = self.now_in(environment);
        for _ in 0..3 {
            match self.write(&take, fate) {
                Written::Granted(granted) => {
                    self.is_short |= take.grant(granted) < take.needed;
                    let granted = self.mutated_grant(&take, granted);
                    if self.mutation == Mutation::AnyLabel {
                        take.index = self.rule.window.index(now);
                    }
                    self.taken(environment, lease, &take, granted);
                }
                Written::Late(granted) => self.late.push((environment, take, granted)),
                Written::Refused(Obstacle::OlderWindow) if !take.resets => {
                    take.resets = true;
                    continue;
                }
                Written::Refused(obstacle) => {
                    lease.refused(&self.rule, &ask(&take), obstacle, now, 0.5);
                    lease.not_taken(&self.rule, &ask(&take));
                }
                Written::Throttled => {
                    lease.throttled(now);
                    lease.not_taken(&self.rule, &ask(&take));
                }
                Written::Unknown if self.mutation == Mutation::AssumeGranted => {
                    lease.taken(&self.rule, &ask(&take), take.block, now);
                }
                Written::Unknown if self.mutation == Mutation::ToldAgain => lease.not_taken(&self.rule, &ask(&take)),
                Written::Unknown => {}
            }
            break;
        }
    }

    fn mutated_grant(&self, take: &Take, granted: u64) -> u64 {
        if self.mutation == Mutation::NoClamp { take.block } else { granted }
    }

    fn write(&mut self, take: &Take, fate: Fate) -> Written {
        match fate {
            Fate::Lost => return Written::Unknown,
            Fate::Throttled => return Written::Throttled,
            Fate::Answered | Fate::AnswerLost | Fate::Twice | Fate::Late => {}
        }
        let needed = if self.mutation == Mutation::TakesTheRest { 1 } else { take.needed };
        let sent = [Ask::Take(Take { needed, ..take.clone() })];
        let first = self.counter.take(&sent);
        self.is_doubled |= fate == Fate::Twice;
        let answered = if fate == Fate::Twice { self.counter.take(&sent) } else { first };
        match (answered, fate) {
            (_, Fate::AnswerLost) => Written::Unknown,
            (Some(granted), Fate::Late) => Written::Late(granted[0]),
            (Some(granted), _) => Written::Granted(granted[0]),
            (None, _) => match take.obstacle(&self.counter) {
                Some(obstacle) => Written::Refused(obstacle),
                // Made twice with a reset: the second found its own window.
                None => Written::Unknown,
            },
        }
    }

    fn give_back(&mut self, environment: usize, fate: Fate) {
        let (before, now) = (self.leases[environment].clone(), self.now_in(environment));
        for back in self.leases[environment].give_back(&self.rule, now, true) {
            if fate == Fate::Late {
                self.late_returns.push(back);
                continue;
            }
            let applied = fate != Fate::Lost && self.apply(&back);
            if self.mutation == Mutation::RetriedReturn && fate == Fate::AnswerLost {
                self.apply(&back);
            }
            if self.mutation == Mutation::DeductAfterReturn && fate == Fate::AnswerLost && applied {
                self.leases[environment] = before.clone();
            }
        }
    }

    fn apply(&mut self, back: &Return) -> bool {
        if self.mutation == Mutation::UnconditionalReturn {
            let slot = self.counter.slots.entry(back.slot.clone()).or_default();
            slot.granted = slot.granted.saturating_sub(back.permits);
            return true;
        }
        self.counter.give_back(back)
    }

    /// Whether the laws hold: spent ≤ limit in every window, by the highest number that it had; and of every window that has
    /// a slot what is spent and what can still be spent together is no more than the counter has granted, nor than that
    /// number; what was told is no more than what was spent; no process spends more than it was given; and no write brings less
    /// than is of use.
    fn is_lawful(&self) -> bool {
        let spent = |index: u64| self.spent.get(&index).copied().unwrap_or_default();
        let limit = |index: u64| self.highest.get(&index).copied().unwrap_or_default();
        let is_covered = |slot: &Slot| {
            let then = self.rule.window.start(slot.index);
            let live: u64 = self.leases.iter().map(|lease| lease.credit(&self.rule, then)).sum();
            let is_told = self.is_doubled || slot.settled <= spent(slot.index);
            is_told && spent(slot.index) + live <= slot.granted.min(limit(slot.index))
        };
        let is_kept = self.spent.keys().all(|index| spent(*index) <= limit(*index));
        let is_its_own = |(given, used): &(Permits, Permits)| {
            used.iter().all(|(index, used)| given.get(index).is_some_and(|given| used <= given))
        };
        is_kept && self.own.iter().all(is_its_own) && !self.is_short && self.counter.slots.values().all(is_covered)
    }
}

enum Written {
    Granted(u64),
    Late(u64),
    Refused(Obstacle),
    Throttled,
    Unknown,
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Answered),
        1 => select(vec![Fate::AnswerLost, Fate::Lost, Fate::Twice, Fate::Late, Fate::Throttled]),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let environment = 0..ENVIRONMENTS;
    let step = prop_oneof![
        12 => (environment.clone(), 1_u64..4, 0_u64..9, fates())
            .prop_map(|(environment, permits, waiting, fate)| Step::Request { environment, permits, waiting, fate }),
        1 => (environment.clone(), 1_u64..4).prop_map(|(environment, needed)| Step::Probe { environment, needed }),
        1 => (1_u64..80).prop_map(Step::SetLimit),
        6 => (0_u64..400).prop_map(Step::Pass),
        1 => (0_u64..90_000).prop_map(Step::Pass),
        2 => (environment.clone(), fates()).prop_map(|(environment, fate)| Step::GiveBack { environment, fate }),
        1 => environment.clone().prop_map(Step::Die),
        2 => (0_usize..3).prop_map(Step::Arrive),
        1 => (0_u64..4000).prop_map(Step::PassToEnd),
        1 => (environment.clone(), -90_000_i64..90_000).prop_map(|(environment, millis)| Step::Skew { environment, millis }),
        4 => (environment.clone(), fates()).prop_map(|(environment, fate)| Step::Ahead { environment, fate }),
    ];
    prop::collection::vec(step, 1..160)
}

fn windows() -> impl Strategy<Value = Window> {
    select(vec![Window::Second, Window::Minute, NINETY, Window::Day])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_history_spends_more_than_the_limit(steps in steps(), limit in 1_u64..60, window in windows(), big in any::<bool>()) {
        let limit = if big { limit * 10_000 } else { limit };
        let mut world = World::new(limit, window, Mutation::None);
        let mut indices = BTreeMap::new();
        for step in steps {
            world.step(step);
            assert!(world.is_lawful(), "{:?} {:?}", world.counter, world.leases);
            for (name, slot) in &world.counter.slots {
                let before = indices.insert(name.clone(), slot.index).unwrap_or_default();
                assert!(slot.index >= before, "a slot went back");
            }
        }
    }
}

#[test]
fn a_clock_that_is_set_back_and_forth_loses_no_permit() {
    let request = |fate| Step::Request { environment: 0, permits: 1, waiting: 0, fate };
    let skew = |millis| Step::Skew { environment: 0, millis };
    // As it was found: an answer of an older window comes when the clock is right again.
    let mut world = World::new(20, Window::Minute, Mutation::None);
    for step in [
        request(Fate::Answered),
        skew(-20_001),
        request(Fate::Late),
        skew(-80_001),
        Step::Arrive(0),
        Step::Pass(7892),
        Step::Pass(52_109),
        request(Fate::Answered),
    ] {
        world.step(step);
        assert!(world.is_lawful(), "{:?} {:?}", world.counter, world.leases);
    }

    // Permits of a window that a wrong clock took are there when that window comes.
    let mut world = World::new(1_000_000, Window::Minute, Mutation::None);
    world.step(Step::Skew { environment: 0, millis: 60_000 });
    world.step(request(Fate::Answered));
    let (rule, later) = (world.rule.clone(), world.now_in(0));
    let credit = world.leases[0].credit(&rule, later);
    assert!(credit > 0);
    world.step(skew(0));
    world.step(request(Fate::Answered));
    assert_eq!(world.spent.values().copied().collect::<Vec<_>>(), [1, 1], "one in each window");
    world.step(Step::Pass(60_000));
    assert_eq!(world.leases[0].credit(&rule, later), credit);
}

/// Whether random histories under a broken rule are found to break a law.
fn is_noticed(mutation: Mutation) -> bool {
    let mut runner = TestRunner::deterministic();
    (0..4000).any(|_| {
        let history = (steps(), 1_u64..60, windows()).new_tree(&mut runner).expect("a history").current();
        let (steps, limit, window) = history;
        let mut world = World::new(limit, window, mutation);
        steps.into_iter().any(|step| {
            world.step(step);
            !world.is_lawful()
        })
    })
}

#[test]
fn every_broken_rule_is_noticed() {
    assert!(!is_noticed(Mutation::None));
    for mutation in [
        Mutation::NoClamp,
        Mutation::AssumeGranted,
        Mutation::RetriedReturn,
        Mutation::UnconditionalReturn,
        Mutation::DeductAfterReturn,
        Mutation::AnyLabel,
        Mutation::TakesTheRest,
        Mutation::ToldAgain,
        Mutation::Inherited,
    ] {
        assert!(is_noticed(mutation), "{mutation:?}");
    }
}

#[test]
fn a_busy_key_asks_for_a_hundred_permits_at_a_time() {
    let rule = Rule::new("x", 1_000_000, Window::Day, Mode::Exact);
    let (mut counter, mut lease) = (Counter::default(), Lease::default());
    let mut now = Timestamp::from_seconds(1_795_526_000);
    let (mut writes, mut admitted) = (0, 0);
    while admitted < 10_000 {
        lease.request(now);
        if lease.credit(&rule, now) == 0 {
            let mut take = take_of(&mut lease, &rule, 1, now, 0.5);
            take.resets = take.obstacle(&counter) == Some(Obstacle::OlderWindow);
            let granted = counter.take(&[ask(&take)]).expect("granted");
            lease.taken(&rule, &ask(&take), granted[0], now);
            writes += 1;
        }
        assert!(lease.spend(&rule, now, 1));
        admitted += 1;
        now = now.plus(Duration::from_millis(100));
    }
    assert!(writes <= 110, "{writes} writes for {admitted} requests");
}

#[test]
fn what_is_left_at_the_end_is_given_in_parts_and_nothing_after_it() {
    let rule = Rule::new("x", 10, Window::Day, Mode::Exact);
    let now = Timestamp::from_seconds(1_795_526_000);
    let mut counter = Counter::default();
    let mut lease = Lease::default();
    let mut take = take_of(&mut lease, &rule, 7, now, 0.0);
    assert_eq!(counter.take(&[ask(&take)]), None, "no slot yet");
    assert_eq!(take.obstacle(&counter), Some(Obstacle::OlderWindow));
    take.resets = true;
    let granted = counter.take(&[ask(&take)]).expect("granted")[0];
    lease.taken(&rule, &ask(&take), granted, now);
    assert_eq!((granted, lease.credit(&rule, now), lease.remaining(&rule, now)), (7, 7, Some(10)));
    let mut other = Lease::default();
    let take = Take { block: 7, ..take_of(&mut other, &rule, 1, now, 0.0) };
    let granted = counter.take(&[ask(&take)]).expect("granted")[0];
    other.taken(&rule, &ask(&take), granted, now);
    assert_eq!((granted, other.credit(&rule, now)), (14, 3), "a part of the block");
    let take = take_of(&mut other, &rule, 7, now, 0.0);
    assert_eq!((counter.take(&[ask(&take)]), take.obstacle(&counter)), (None, Some(Obstacle::Exhausted)));
    other.refused(&rule, &ask(&take), Obstacle::Exhausted, now, 1.0);
    assert!(other.denied(&rule, 7, now.plus(Duration::from_millis(499))).is_some());
    assert!(other.denied(&rule, 7, now.plus(Duration::from_millis(500))).is_none());
    let back = lease.give_back(&rule, now, true).pop().expect("a return");
    assert_eq!((back.permits, lease.credit(&rule, now)), (7, 0));
    assert!(counter.give_back(&back));
    let tomorrow = now.plus(Duration::from_secs(86_400));
    assert_eq!(lease.credit(&rule, tomorrow), 0);
}

#[test]
fn a_lower_number_holds_for_what_is_held_and_a_higher_one_for_what_was_denied() {
    let rule = |limit| Rule::new("x", limit, Window::Day, Mode::Exact);
    let now = Timestamp::from_seconds(1_795_526_000);
    let (mut counter, mut lease) = (Counter::default(), Lease::default());
    let mut take = take_of(&mut lease, &rule(1000), 100, now, 0.0);
    take.resets = true;
    let granted = counter.take(&[ask(&take)]).expect("granted")[0];
    lease.taken(&rule(1000), &ask(&take), granted, now);
    assert_eq!((lease.credit(&rule(1000), now), lease.credit(&rule(10), now)), (100, 10));
    assert!(lease.spend(&rule(10), now, 10) && !lease.spend(&rule(10), now, 1));
    assert!(lease.spend(&rule(1000), now, 90));
    let take = take_of(&mut lease, &rule(10), 1, now, 0.0);
    assert_eq!(take.obstacle(&counter), Some(Obstacle::Exhausted));
    lease.refused(&rule(10), &ask(&take), Obstacle::Exhausted, now, 1.0);
    assert!(lease.denied(&rule(10), 1, now).is_some() && lease.denied(&rule(5), 1, now).is_some());
    assert!(lease.denied(&rule(11), 1, now).is_none());
}

#[test]
fn what_is_left_is_known_from_whatever_the_counter_shows() {
    let rule = Rule::new("x", 1000, Window::Day, Mode::Exact);
    let now = Timestamp::from_seconds(1_795_526_000);
    let (mut counter, mut first) = (Counter::default(), Lease::default());
    assert_eq!(first.remaining(&rule, now), None, "nothing was heard yet");
    first.observe(&rule, &counter, now);
    assert_eq!(first.remaining(&rule, now), Some(1000), "no slot, nothing granted");
    let take = Take { resets: true, ..take_of(&mut first, &rule, 50, now, 0.0) };
    let granted = counter.take(&[ask(&take)]).expect("granted")[0];
    first.taken(&rule, &ask(&take), granted, now);
    let mut second = Lease::default();
    second.observe(&rule, &counter, now);
    assert_eq!((first.remaining(&rule, now), second.remaining(&rule, now)), (Some(1000), Some(950)));
    // What is given back is there again, for whoever gave it.
    first.observe(&rule, &counter, now);
    let back = first.give_back(&rule, now, true).pop().expect("a return");
    assert!(counter.give_back(&back));
    assert_eq!(first.remaining(&rule, now), Some(1000));
    let tomorrow = now.plus(Duration::from_secs(86_400));
    assert_eq!(second.remaining(&rule, tomorrow), None);
}
