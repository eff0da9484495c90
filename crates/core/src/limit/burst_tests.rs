//! The law of token buckets over random histories, and rules broken on purpose, which must be noticed.

use std::time::Duration;

use proptest::{
    prelude::{Just, ProptestConfig, Strategy, prop, prop_oneof, proptest},
    sample::select,
    strategy::ValueTree,
    test_runner::TestRunner,
};

use super::{Ask, Counter, Lease, Mode, Rule, Sizing, Window};
use crate::time::Timestamp;

const ENVIRONMENTS: usize = 4;
const SIZING: Sizing = Sizing { service: Duration::from_millis(5), random: 0.5, is_clock_wrong: false };

/// What happens in one step of a history.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A request for `permits` comes to an environment; its write, if it needs one, fares so.
    Request { environment: usize, permits: u64, fate: Fate },
    /// So many milliseconds pass.
    Pass(u64),
    /// Another process stands in the place of one that died.
    Die(usize),
}

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    AnswerLost,
    Lost,
    Twice,
}

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutation {
    None,
    /// Leases live for ever.
    EndlessLease,
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
    /// When permits were spent, and how many.
    spent: Vec<(Timestamp, u64)>,
}

impl World {
    fn new(rule: Rule, mutation: Mutation) -> Self {
        let now = Timestamp::from_seconds(1_795_526_000);
        let leases = vec![Lease::default(); ENVIRONMENTS];
        Self { rule, mutation, counter: Counter::default(), leases, now, spent: Vec::new() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pass(millis) => self.now = self.now.plus(Duration::from_millis(millis)),
            Step::Die(environment) => self.leases[environment] = Lease::default(),
            Step::Request { environment, permits, fate } => self.request(environment, permits, fate),
        }
    }

    fn request(&mut self, environment: usize, permits: u64, fate: Fate) {
        let now = self.now;
        let Mode::Burst { request_max, .. } = self.rule.mode else { return };
        let permits = permits.min(request_max);
        let mut lease = std::mem::take(&mut self.leases[environment]);
        lease.request(now);
        let credit = lease.credit(&self.rule, now);
        if credit < permits && lease.denied(&self.rule, now).is_none() {
            let mut ask = lease.take(&self.rule, permits - credit, now, SIZING).expect("a draw");
            for _ in 0..3 {
                match self.write(&ask, fate) {
                    Some(Some(full_at)) => {
                        lease.taken(&self.rule, &self.aged(&ask), full_at, now);
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
            self.spent.push((now, permits));
        }
        self.leases[environment] = lease;
    }

    /// Under [`Mutation::EndlessLease`] the draw seems to have been made an hour later.
    fn aged(&self, ask: &Ask) -> Ask {
        match ask {
            Ask::Draw(draw) if self.mutation == Mutation::EndlessLease => {
                let mut draw = draw.clone();
                draw.now = draw.now.plus(Duration::from_secs(3600));
                Ask::Draw(draw)
            }
            ask => ask.clone(),
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

    /// Whether in every interval that ends with the newest admission no more was spent than burst + rate × time.
    fn is_lawful(&self) -> bool {
        let Mode::Burst { burst, .. } = self.rule.mode else { return false };
        let burst = burst.unwrap_or(self.rule.limit);
        let window = self.rule.window.longest().as_millis();
        let Some((end, _)) = self.spent.last() else { return true };
        let mut sum = 0;
        self.spent.iter().rev().all(|(at, permits)| {
            sum += permits;
            let time = end.since(*at).as_millis();
            u128::from(sum) * window <= u128::from(burst) * window + u128::from(self.rule.limit) * time
        })
    }
}

fn rules() -> impl Strategy<Value = Rule> {
    let window = select(vec![Window::Second, Window::Minute]);
    (1_u64..200, window, prop::option::of(1_u64..400)).prop_map(|(limit, window, burst)| {
        // Requests of these histories take up to three.
        let request_max = burst.unwrap_or(limit).min(3);
        Rule { id: "x".into(), limit, window, mode: Mode::Burst { burst, request_max } }
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let environment = 0..ENVIRONMENTS;
    let fate = prop_oneof![
        6 => Just(Fate::Answered),
        1 => select(vec![Fate::AnswerLost, Fate::Lost, Fate::Twice]),
    ];
    let step = prop_oneof![
        12 => (environment.clone(), 1_u64..4, fate)
            .prop_map(|(environment, permits, fate)| Step::Request { environment, permits, fate }),
        6 => (0_u64..60).prop_map(Step::Pass),
        1 => (0_u64..3000).prop_map(Step::Pass),
        1 => environment.prop_map(Step::Die),
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
    fn no_interval_sees_more_than_its_burst_and_what_came_back(steps in steps(), rule in rules()) {
        assert!(holds(rule, steps, Mutation::None));
    }
}

#[test]
fn every_broken_rule_is_noticed() {
    for mutation in [Mutation::EndlessLease, Mutation::AssumeGranted, Mutation::Refilled, Mutation::NeverFull] {
        let mut runner = TestRunner::deterministic();
        let is_noticed = (0..4000).any(|_| {
            let (steps, rule) = (steps(), rules()).new_tree(&mut runner).expect("a history").current();
            !holds(rule, steps, mutation)
        });
        assert!(is_noticed, "{mutation:?}");
    }
}

#[test]
fn a_busy_key_draws_for_as_long_as_a_lease_lives_and_gets_its_rate() {
    let mode = Mode::Burst { burst: Some(100), request_max: 1 };
    let rule = Rule { id: "x".into(), limit: 50, window: Window::Second, mode };
    let mut now = Timestamp::from_seconds(1_795_526_000);
    let (mut counter, mut lease) = (Counter::default(), Lease::default());
    let (mut writes, mut admitted) = (0_u32, 0_u32);
    // A hundred requests a second for ten seconds, twice as many as come back.
    for _ in 0..1000 {
        lease.request(now);
        if lease.credit(&rule, now) == 0 && lease.denied(&rule, now).is_none() {
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
