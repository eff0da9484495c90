//! The law of token buckets over random histories, and rules broken on purpose, which must be noticed.

use std::time::Duration;

use proptest::{
    prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest},
    sample::select,
    strategy::ValueTree,
    test_runner::TestRunner,
};

use super::{Ask, Counter, Draw, Lease, Mode, Rule, Shape, Sizing, Window};
use crate::time::Timestamp;

const ENVIRONMENTS: usize = 4;
/// So many of the newest admissions are looked at after each step.
const NEWEST: usize = 8;
const SIZING: Sizing = Sizing { service: Duration::from_millis(5), random: 0.5, is_clock_wrong: false, waiting: 0 };

/// What happens in one step of a history.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A request for `permits` comes to an environment; its write, if it needs one, fares so.
    Request { environment: usize, permits: u64, fate: Fate },
    /// So many milliseconds pass.
    Pass(u64),
    /// Another process stands in the place of one that died.
    Die(usize),
    /// The answer that a request waits for comes at last.
    Arrive(usize),
    /// An environment's clock goes wrong by so many milliseconds.
    Skew { environment: usize, millis: i64 },
}

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    AnswerLost,
    Lost,
    Twice,
    /// It is made at once, and answered when [`Step::Arrive`] says.
    Late,
}

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutation {
    None,
    /// Leases live for ten seconds, whatever the bucket.
    LongLease,
    /// An unknown outcome counts as a grant.
    AssumeGranted,
    /// A bucket that is not full is filled by the next draw.
    Refilled,
    /// A bucket that has long been full goes on from when it became so.
    NeverFull,
}

struct World {
    rule: Rule,
    mutation: Mutation,
    counter: Counter,
    leases: Vec<Lease>,
    now: Timestamp,
    /// By how many milliseconds the clock of each environment is ahead; by how many one was wrong at most.
    skews: Vec<i64>,
    skew_max: u64,
    /// When permits were spent, and how many, the oldest first; of permits that a request waited for, when it asked.
    spent: Vec<(Timestamp, u64)>,
    late: Vec<Late>,
}

/// A request that waits.
struct Late {
    environment: usize,
    ask: Ask,
    full_at: u64,
    permits: u64,
    asked_at: Timestamp,
}

impl World {
    fn new(rule: Rule, mutation: Mutation) -> Self {
        let now = Timestamp::from_seconds(1_795_526_000);
        let leases = vec![Lease::default(); ENVIRONMENTS];
        let (skews, spent, late) = (vec![0; ENVIRONMENTS], Vec::new(), Vec::new());
        Self { rule, mutation, counter: Counter::default(), leases, now, skews, skew_max: 0, spent, late }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pass(millis) => self.now = self.now.plus(Duration::from_millis(millis)),
            Step::Die(environment) => {
                self.leases[environment] = Lease::default();
                self.late.retain(|late| late.environment != environment);
            }
            Step::Skew { environment, millis } => {
                self.skews[environment] = millis;
                self.skew_max = self.skew_max.max(millis.unsigned_abs());
            }
            Step::Arrive(number) => {
                if number < self.late.len() {
                    let Late { environment, ask, full_at, permits, asked_at } = self.late.remove(number);
                    let now = self.now_in(environment);
                    let lease = &mut self.leases[environment];
                    lease.taken(&self.rule, &ask, full_at, now);
                    if lease.spend(&self.rule, now, permits) {
                        self.spent(asked_at, permits);
                    }
                }
            }
            Step::Request { environment, permits, fate } => self.request(environment, permits, fate),
        }
    }

    /// Wall time as an environment has it.
    fn now_in(&self, environment: usize) -> Timestamp {
        Timestamp::from_millis(self.now.as_millis().saturating_add_signed(self.skews[environment]))
    }

    fn spent(&mut self, at: Timestamp, permits: u64) {
        let place = self.spent.partition_point(|(spent_at, _)| *spent_at <= at);
        self.spent.insert(place, (at, permits));
    }

    fn request(&mut self, environment: usize, permits: u64, fate: Fate) {
        let now = self.now_in(environment);
        let Mode::Burst { request_max, .. } = self.rule.mode else { return };
        let permits = permits.min(request_max);
        let mut lease = std::mem::take(&mut self.leases[environment]);
        lease.request(now);
        let needed = lease.lacks(&self.rule, permits, now);
        if needed > 0 && lease.denied(&self.rule, needed, now).is_none() {
            let mut ask = lease.take(&self.rule, needed, now, SIZING).expect("a draw");
            for _ in 0..3 {
                match self.write(&ask, fate) {
                    Some(Some(full_at)) if fate == Fate::Late => {
                        let asked_at = self.now;
                        self.late.push(Late { environment, ask, full_at, permits, asked_at });
                        break;
                    }
                    Some(Some(full_at)) => {
                        lease.taken(&self.rule, &self.stretched(&ask), full_at, now);
                        break;
                    }
                    Some(None) => match ask.meet(&self.counter) {
                        Some(obstacle) => {
                            lease.refused(&self.rule, &ask, obstacle, now, 0.5);
                            break;
                        }
                        None => continue,
                    },
                    None if self.mutation == Mutation::AssumeGranted => {
                        lease.taken(&self.rule, &ask, 0, now);
                        break;
                    }
                    None => break,
                }
            }
        }
        if lease.spend(&self.rule, now, permits) {
            self.spent(self.now, permits);
        }
        self.leases[environment] = lease;
    }

    /// Under [`Mutation::LongLease`] the draw seems to be one of a bucket whose leases live as long as any.
    fn stretched(&self, ask: &Ask) -> Ask {
        let mode = Mode::Burst { burst: Some(1_000_000), request_max: 1 };
        let long = Rule::new("x", 1000, Window::Second, mode);
        match (ask, Shape::of(&long)) {
            (Ask::Draw(draw), Some(shape)) if self.mutation == Mutation::LongLease => {
                Ask::Draw(Draw { shape, ..draw.clone() })
            }
            _ => ask.clone(),
        }
    }

    /// What the write says; `None` where no answer comes.
    fn write(&mut self, ask: &Ask, fate: Fate) -> Option<Option<u64>> {
        if fate == Fate::Lost {
            return None;
        }
        if let (Ask::Draw(draw), Mutation::Refilled) = (ask, self.mutation)
            && draw.is_full
        {
            self.counter.buckets.clear();
        }
        if let (Ask::Draw(draw), Mutation::NeverFull) = (ask, self.mutation)
            && let Some(full_at) = self.counter.buckets.get_mut(&draw.bucket)
            && *full_at <= draw.floor_micros()
        {
            *full_at += draw.cost_micros();
            return (fate != Fate::AnswerLost).then_some(Some(*full_at));
        }
        let first = self.counter.take(std::slice::from_ref(ask));
        if fate == Fate::Twice {
            self.counter.take(std::slice::from_ref(ask));
        }
        (fate != Fate::AnswerLost).then_some(first.map(|numbers| numbers[0]))
    }

    /// Whether in every interval that ends with one of the newest admissions no more was spent than burst + rate × time;
    /// clocks that are wrong by δ, ahead and behind, add what comes back in 2 δ.
    fn is_lawful(&self) -> bool {
        let Mode::Burst { burst, .. } = self.rule.mode else { return false };
        let burst = burst.unwrap_or(self.rule.limit);
        let window = self.rule.window.longest().as_millis();
        // A request that waited is counted where it asked: a few newer ones may be there already.
        (self.spent.len().saturating_sub(NEWEST)..self.spent.len()).all(|newest| {
            let end = self.spent[newest].0;
            let mut sum = 0;
            self.spent[..=newest].iter().rev().all(|(at, permits)| {
                sum += permits;
                let time = end.since(*at).as_millis() + u128::from(2 * self.skew_max);
                u128::from(sum) * window <= u128::from(burst) * window + u128::from(self.rule.limit) * time
            })
        })
    }
}

fn rules() -> impl Strategy<Value = Rule> {
    let window = select(vec![Window::Second, Window::Minute]);
    (1_u64..200, window, prop::option::of(1_u64..400)).prop_map(|(limit, window, burst)| {
        // Requests of these histories take up to three.
        let request_max = burst.unwrap_or(limit).min(3);
        Rule::new("x", limit, window, Mode::Burst { burst, request_max })
    })
}

/// Steps of a history; clocks that are wrong loosen the law.
fn steps(are_clocks_wrong: bool) -> impl Strategy<Value = Vec<Step>> {
    let environment = 0..ENVIRONMENTS;
    let fate = prop_oneof![
        6 => Just(Fate::Answered),
        1 => select(vec![Fate::AnswerLost, Fate::Lost, Fate::Twice, Fate::Late]),
    ];
    let step = prop_oneof![
        12 => (environment.clone(), 1_u64..4, fate)
            .prop_map(|(environment, permits, fate)| Step::Request { environment, permits, fate }),
        6 => (0_u64..60).prop_map(Step::Pass),
        1 => (0_u64..3000).prop_map(Step::Pass),
        1 => environment.clone().prop_map(Step::Die),
        2 => (0_usize..3).prop_map(Step::Arrive),
        u32::from(are_clocks_wrong) => (environment, -200_i64..200).prop_map(|(environment, millis)| Step::Skew { environment, millis }),
    ];
    prop::collection::vec(step, 1..200)
}

/// Whether a history stays lawful to its end.
fn holds(rule: Rule, steps: Vec<Step>, mutation: Mutation) -> bool {
    let mut world = World::new(rule, mutation);
    steps.into_iter().all(|step| {
        world.step(step);
        world.is_lawful()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_interval_sees_more_than_its_burst_and_what_came_back(steps in any::<bool>().prop_flat_map(steps), rule in rules()) {
        assert!(holds(rule, steps, Mutation::None));
    }
}

#[test]
fn every_broken_rule_is_noticed() {
    for mutation in [Mutation::LongLease, Mutation::AssumeGranted, Mutation::Refilled, Mutation::NeverFull] {
        let mut runner = TestRunner::deterministic();
        let is_noticed = (0..4000).any(|_| {
            let (steps, rule) = (steps(false), rules()).new_tree(&mut runner).expect("a history").current();
            !holds(rule, steps, mutation)
        });
        assert!(is_noticed, "{mutation:?}");
    }
}

#[test]
fn a_clock_that_is_set_back_by_a_minute_neither_keeps_a_lease_alive_nor_waits() {
    let mode = Mode::Burst { burst: Some(20), request_max: 1 };
    let rule = Rule::new("x", 10, Window::Second, mode);
    let now = Timestamp::from_seconds(1_795_526_000);
    let ahead = now.plus(Duration::from_secs(60));
    let (mut counter, mut lease) = (Counter::default(), Lease::default());
    let draw = |lease: &mut Lease, counter: &mut Counter, needed| {
        let mut ask = lease.take(&rule, needed, ahead, SIZING).expect("a draw");
        let obstacle = ask.meet(counter);
        match counter.take(std::slice::from_ref(&ask)) {
            Some(numbers) => lease.taken(&rule, &ask, numbers[0], ahead),
            None => lease.refused(&rule, &ask, obstacle.expect("an obstacle"), ahead, 0.5),
        }
    };
    draw(&mut lease, &mut counter, 10);
    assert_eq!((lease.credit(&rule, ahead), lease.credit(&rule, now)), (10, 0));
    assert!(lease.spend(&rule, ahead, 10) && !lease.spend(&rule, now, 1));
    draw(&mut lease, &mut counter, 1);
    assert!(lease.denied(&rule, 1, ahead).is_some() && lease.denied(&rule, 1, now).is_none());
}

#[test]
fn a_bucket_that_has_too_little_for_one_has_enough_for_who_needs_less() {
    let mode = Mode::Burst { burst: Some(100), request_max: 5 };
    let rule = Rule::new("x", 1, Window::Minute, mode);
    let now = Timestamp::from_seconds(1_795_526_000);
    let (mut counter, mut lease) = (Counter::default(), Lease::default());
    let mut ask = |lease: &mut Lease, needed| {
        let mut ask = lease.take(&rule, needed, now, SIZING).expect("a draw");
        let obstacle = ask.meet(&counter);
        match counter.take(std::slice::from_ref(&ask)) {
            Some(numbers) => lease.taken(&rule, &ask, numbers[0], now),
            None => lease.refused(&rule, &ask, obstacle.expect("an obstacle"), now, 0.5),
        }
    };
    ask(&mut lease, 97);
    assert!(lease.spend(&rule, now, 97));
    ask(&mut lease, 5);
    assert!(lease.denied(&rule, 5, now).is_some() && lease.denied(&rule, 4, now).is_none());
    assert_eq!(lease.met_at(&rule, 5, now), now.plus(Duration::from_secs(120)), "two more come back");
    ask(&mut lease, 3);
    assert!(lease.spend(&rule, now, 3));
}

#[test]
fn an_override_below_what_one_request_takes_leaves_a_burst_for_it() {
    let now = Timestamp::from_seconds(1_795_526_000);
    for burst in [None, Some(200)] {
        let mode = Mode::Burst { burst, request_max: 20 };
        let rule = Rule::new("x", 100, Window::Second, mode).with_limit(5);
        assert_eq!(rule.mode, Mode::Burst { burst: Some(20), request_max: 20 });
        assert!(Lease::default().take(&rule, 20, now, SIZING).is_some(), "{burst:?}");
    }
}

#[test]
fn an_answer_that_comes_too_late_is_for_nobody() {
    let mode = Mode::Burst { burst: Some(2), request_max: 1 };
    let rule = Rule::new("x", 100, Window::Second, mode);
    let now = Timestamp::from_seconds(1_795_526_000);
    for (millis, credit) in [(0, 1), (150, 1), (151, 0)] {
        let (mut counter, mut lease) = (Counter::default(), Lease::default());
        let mut ask = lease.take(&rule, 1, now, SIZING).expect("a draw");
        assert_eq!(ask.meet(&counter), None);
        let full_at = counter.take(std::slice::from_ref(&ask)).expect("a draw")[0];
        let later = now.plus(Duration::from_millis(millis));
        lease.taken(&rule, &ask, full_at, later);
        assert_eq!(lease.credit(&rule, later), credit, "after {millis} ms");
    }
}

#[test]
fn a_busy_key_draws_for_as_long_as_a_lease_lives_and_gets_its_rate() {
    let mode = Mode::Burst { burst: Some(100), request_max: 1 };
    let rule = Rule::new("x", 50, Window::Second, mode);
    let mut now = Timestamp::from_seconds(1_795_526_000);
    let (mut counter, mut lease) = (Counter::default(), Lease::default());
    let (mut writes, mut admitted) = (0_u32, 0_u32);
    // A hundred requests a second for ten seconds, twice as many as come back.
    for _ in 0..1000 {
        lease.request(now);
        if lease.credit(&rule, now) == 0 && lease.denied(&rule, 1, now).is_none() {
            let mut ask = lease.take(&rule, 1, now, SIZING).expect("a draw");
            writes += 1;
            match counter.take(std::slice::from_ref(&ask)) {
                Some(numbers) => lease.taken(&rule, &ask, numbers[0], now),
                None => match ask.meet(&counter) {
                    Some(obstacle) => lease.refused(&rule, &ask, obstacle, now, 0.5),
                    None => {
                        writes += 1;
                        let numbers = counter.take(std::slice::from_ref(&ask)).expect("met");
                        lease.taken(&rule, &ask, numbers[0], now);
                    }
                },
            }
        }
        admitted += u32::from(lease.spend(&rule, now, 1));
        now = now.plus(Duration::from_millis(10));
    }
    // The counter's half of the burst, and what came back in ten seconds.
    assert!((545..=600).contains(&admitted), "{admitted}");
    assert!(writes <= admitted, "{writes} writes for {admitted}");
}
