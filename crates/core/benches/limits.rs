//! Limits over a simulated fleet: `cargo xtask bench limits`.
//!
//! The leases are the gateway's own (`faregate_core::limit`); DynamoDB and Lambda are simulated: environments that serve
//! one request at a time and are taken last in, first out, answers that take a median of 4.2 ms and at the 99th
//! percentile 25 ms, 1,000 writes a second for one item with a second's worth stored. Demand is 1.5 times the limit.
//! Beside each figure stands the one that the design asks for.
#![allow(clippy::print_stdout, missing_docs, reason = "the table is what this is run for")]

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use faregate_core::{
    limit::{Ask, Counter, Lease, Mode, Obstacle, Rule, Sizing, SlotName, Take, Window},
    time::Timestamp,
};

/// Demand as a multiple of the limit, where a case has none of its own, and where a limit is not reached.
const DEMAND: f64 = 1.5;
const LOW_DEMAND: f64 = 0.7;
/// How long a limit per second is watched, in seconds.
const SECONDS_WATCHED: u64 = 60;
/// Requests a second that one environment serves when it is busy.
const REQUESTS_PER_ENVIRONMENT: f64 = 10.0;
/// How long a request takes that is admitted, and one that is refused from memory, in seconds.
const SERVICE: f64 = 0.095;
const REFUSAL: f64 = 0.001;
/// Median of DynamoDB's answers in seconds, and the spread of their logarithm (4.2 ms, 99th percentile 25 ms).
const LATENCY_MEDIAN: f64 = 0.0042;
const LATENCY_SPREAD: f64 = 0.767;
/// Writes a second that one item takes, and how many it stores.
const WRITES_PER_SECOND: f64 = 1000.0;
/// Midnight of a Monday.
const START: Timestamp = Timestamp::from_seconds(1_795_392_000);

/// How permits are taken.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// The gateway's leases.
    Leases,
    /// The same, but for permits of a window that are taken before it begins.
    NotAhead,
    /// A write for each request.
    EachRequest,
    /// Always a hundred permits.
    Fixed(u64),
    /// Everybody counts alone and tells the others once a second.
    Synchronised,
}

/// What goes wrong.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    None,
    /// The store is away for a minute in the middle; whether a tenth is admitted without it.
    Outage {
        allow: bool,
    },
    /// So many of a hundred answers are lost.
    Lost(u32),
    /// Every environment ends after five minutes; so many of a hundred hear of it before.
    Deaths {
        told: u32,
    },
}

struct Case {
    name: &'static str,
    environments: usize,
    seconds: u64,
    /// How many windows of so many seconds, where there is one limit for the whole time, and the demand.
    windows: u64,
    demand: f64,
    way: Way,
    trouble: Trouble,
    /// A limit per second, and the demand as a multiple of it; else one limit for the whole time.
    per_second: Option<(Mode, f64)>,
    /// Over-admission, unused and writes per admitted request, as the design has them.
    wanted: [&'static str; 3],
}

/// A generator of Marsaglia's xorshift family: the same figures on each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn is_one_of(&mut self, percent: u32) -> bool {
        self.part() * 100.0 < f64::from(percent)
    }

    /// Seconds to the next of events that come at random, so many a second.
    fn gap(&mut self, rate: f64) -> f64 {
        -(1.0 - self.part()).ln() / rate
    }

    /// Seconds that an answer takes.
    fn latency(&mut self) -> f64 {
        let normal = (-2.0 * (1.0 - self.part()).ln()).sqrt() * (std::f64::consts::TAU * self.part()).cos();
        LATENCY_MEDIAN * (LATENCY_SPREAD * normal).exp()
    }
}

/// One item of the store.
struct Store {
    counter: Counter,
    stored: f64,
    at: f64,
    writes: u64,
    /// What environments have told of what they admitted alone.
    told: u64,
}

impl Store {
    fn throttles(&mut self, now: f64) -> bool {
        self.stored = (self.stored + (now - self.at) * WRITES_PER_SECOND).min(WRITES_PER_SECOND);
        self.at = now;
        if self.stored < 1.0 {
            return true;
        }
        self.stored -= 1.0;
        self.writes += 1;
        false
    }
}

#[derive(Default)]
struct Environment {
    lease: Lease,
    born: f64,
    unpaid: u64,
    /// Admitted alone, what was known of all when that was last told, and when.
    alone: u64,
    seen: u64,
    synchronised_at: f64,
}

struct Outcome {
    /// What may be admitted, and what could have been.
    most: u64,
    wanted: u64,
    admitted: u64,
    writes: u64,
    /// Of the requests in the first seconds of all windows but the first: how many, and how many waited for the counter.
    entering: u64,
    waiting: u64,
}

struct Fleet<'a> {
    case: &'a Case,
    rule: Rule,
    store: Store,
    environments: Vec<Environment>,
    random: Random,
    admitted: u64,
    denied_until: Vec<f64>,
}

fn at(now: f64) -> Timestamp {
    START.plus(Duration::from_secs_f64(now))
}

impl Fleet<'_> {
    fn is_out(&self, now: f64) -> bool {
        let middle = self.case.seconds as f64 / 2.0;
        matches!(self.case.trouble, Trouble::Outage { .. }) && (middle..middle + 60.0).contains(&now)
    }

    /// Answers a request in an environment; how long it waits for the counter, and how long it takes beside that.
    fn serve(&mut self, number: usize, now: f64) -> (f64, f64) {
        if let Trouble::Deaths { told } = self.case.trouble {
            self.grow_old(number, now, told);
        }
        let (admitted, waited) = match self.case.way {
            Way::Leases | Way::NotAhead | Way::Fixed(_) => self.by_lease(number, now),
            Way::EachRequest => self.by_write(number, now),
            Way::Synchronised => (self.by_synchronised_count(number, now), 0.0),
        };
        self.admitted += u64::from(admitted);
        (waited, if admitted { SERVICE } else { REFUSAL })
    }

    /// Counts alone, and tells the others once a second: everybody goes on with what was true then.
    fn by_synchronised_count(&mut self, number: usize, now: f64) -> bool {
        let environment = &mut self.environments[number];
        if now - environment.synchronised_at >= 1.0 {
            environment.synchronised_at = now;
            let news = std::mem::take(&mut environment.alone);
            self.store.told += news;
            // Who has nothing to tell only reads.
            self.store.writes += u64::from(news > 0);
            environment.seen = self.store.told;
        }
        let may = environment.seen + environment.alone < self.rule.limit;
        environment.alone += u64::from(may);
        may
    }

    fn grow_old(&mut self, number: usize, now: f64, told: u32) {
        // Not all at once: each has a birthday of its own.
        let age = 300.0 * (0.5 + (number % 97) as f64 / 97.0);
        if now - self.environments[number].born < age {
            return;
        }
        if self.random.is_one_of(told) {
            for back in self.environments[number].lease.give_back(&self.rule, at(now), true) {
                if !self.store.throttles(now) {
                    self.store.counter.give_back(&back);
                }
            }
        }
        self.environments[number] = Environment { born: now, ..Environment::default() };
    }

    fn by_lease(&mut self, number: usize, now: f64) -> (bool, f64) {
        self.environments[number].lease.request(at(now));
        let mut waited = 0.0;
        // As often as the gateway looks again: the window may end while a request waits for its permits.
        for _ in 0..3 {
            let (lease, then) = (&self.environments[number].lease, at(now + waited));
            if lease.credit(&self.rule, then) > 0 {
                break;
            }
            if lease.denied(&self.rule, then).is_some() {
                return (false, waited);
            }
            let (answered, took) = self.acquire(number, now + waited, 1);
            waited += took;
            if !answered {
                break;
            }
        }
        let allows = matches!(self.case.trouble, Trouble::Outage { allow: true }) && self.is_out(now);
        let environment = &mut self.environments[number];
        if !environment.lease.spend(&self.rule, at(now + waited), 1) {
            let may = allows && environment.unpaid < self.rule.limit / 10;
            environment.unpaid += u64::from(may);
            return (may, waited);
        }
        if environment.lease.is_due(&self.rule, at(now + waited)) {
            // Beside the backend call, which takes longer than nearly every answer.
            self.acquire(number, now + waited, 0);
        }
        if self.case.way != Way::NotAhead {
            self.lease_ahead(number, now + waited);
        }
        (true, waited)
    }

    /// Takes permits of the next window beside a request, where it is time for that.
    fn lease_ahead(&mut self, number: usize, now: f64) {
        let sizing = self.sizing();
        if let Some(ask) = self.environments[number].lease.take_ahead(&self.rule, at(now), sizing) {
            self.send(number, now, ask);
        }
    }

    fn sizing(&mut self) -> Sizing {
        let random = self.random.part();
        Sizing { service: Duration::from_secs_f64(SERVICE), random, is_clock_wrong: false }
    }

    /// Asks the counter as the gateway does; whether it answers, and how long that takes.
    fn acquire(&mut self, number: usize, now: f64, needed: u64) -> (bool, f64) {
        let mut waited = 0.0;
        if self.environments[number].lease.was_denied(&self.rule, at(now)) {
            // Nobody asks beside a request, and a request reads first.
            if needed == 0 || self.probe(number, now, &mut waited) {
                return (true, waited);
            }
        }
        let sizing = self.sizing();
        let take = self.environments[number].lease.take(&self.rule, needed, at(now), sizing);
        let Some(mut ask) = take else { return (true, waited) };
        if let (Way::Fixed(block), Ask::Take(take)) = (self.case.way, &mut ask) {
            take.block = block;
        }
        let (answered, took) = self.send(number, now + waited, ask);
        (answered, waited + took)
    }

    fn send(&mut self, number: usize, now: f64, mut ask: Ask) -> (bool, f64) {
        let mut waited = 0.0;
        for _ in 0..3 {
            let latency = self.random.latency();
            waited += latency;
            if self.is_out(now) || latency > 0.5 {
                return (false, waited.min(0.5));
            }
            if self.store.throttles(now + waited) {
                waited += 0.04 * self.random.part();
                continue;
            }
            let granted = self.store.counter.take(std::slice::from_ref(&ask));
            if let Trouble::Lost(percent) = self.case.trouble
                && self.random.is_one_of(percent)
            {
                return (false, waited + 0.1);
            }
            let lease = &mut self.environments[number].lease;
            match granted {
                Some(granted) => {
                    lease.taken(&self.rule, &ask, granted[0], at(now + waited));
                    return (true, waited);
                }
                None => {
                    if let Some(obstacle) = ask.meet(&self.store.counter) {
                        let random = self.random.part();
                        lease.refused(&self.rule, &ask, obstacle, at(now + waited), random);
                        return (true, waited);
                    }
                }
            }
        }
        (false, waited)
    }

    /// Reads whether nothing is left; that is no write.
    fn probe(&mut self, number: usize, now: f64, waited: &mut f64) -> bool {
        *waited += self.random.latency();
        let then = at(now + *waited);
        let index = self.rule.window.index(then);
        let slot = SlotName::of(&self.rule.id, self.rule.window, index);
        let take = Take { slot, index, limit: self.rule.limit, block: 1, settled: 0, resets: false };
        let is_exhausted = !self.is_out(now) && take.obstacle(&self.store.counter) == Some(Obstacle::Exhausted);
        if is_exhausted {
            let random = self.random.part();
            let lease = &mut self.environments[number].lease;
            lease.refused(&self.rule, &Ask::Take(take), Obstacle::Exhausted, then, random);
        }
        is_exhausted
    }

    fn by_write(&mut self, number: usize, now: f64) -> (bool, f64) {
        if self.denied_until[number] > now {
            return (false, 0.0);
        }
        let waited = self.random.latency();
        if self.store.throttles(now) {
            return (false, waited);
        }
        let index = self.rule.window.index(at(now));
        let take = Lease::default().take(&self.rule, 1, at(now), Sizing::default());
        let Some(Ask::Take(mut take)) = take else { return (false, 0.0) };
        take.block = 1;
        take.resets = take.obstacle(&self.store.counter) == Some(Obstacle::OlderWindow);
        let granted = self.store.counter.take(&[Ask::Take(take)]).is_some();
        if !granted {
            self.denied_until[number] = self.rule.window.end(index).since(START).as_secs_f64();
        }
        (granted, waited)
    }
}

fn run(case: &Case) -> Outcome {
    let rate = case.environments as f64 * REQUESTS_PER_ENVIRONMENT;
    let (mode, limit) = match case.per_second {
        Some((mode, demand)) => (mode, (rate / demand) as u64),
        None => (Mode::Exact, (rate * case.seconds as f64 / case.demand) as u64),
    };
    let window = match case.seconds {
        _ if case.per_second.is_some() => Window::Second,
        86_400 => Window::Day,
        seconds => Window::Seconds(u32::try_from(seconds).ok().and_then(std::num::NonZeroU32::new).expect("a window")),
    };
    let mut fleet = Fleet {
        case,
        rule: Rule { id: "x".into(), limit, window, mode },
        store: Store { counter: Counter::default(), stored: WRITES_PER_SECOND, at: 0.0, writes: 0, told: 0 },
        environments: Vec::new(),
        random: Random(0x9E37_79B9_7F4A_7C15),
        admitted: 0,
        denied_until: Vec::new(),
    };
    // Last in, first out: the environment that became free last is taken first.
    let (mut free, mut busy) = (Vec::new(), BinaryHeap::new());
    // The window begins on its own multiple.
    let start = {
        let first = window.index(START);
        if window.start(first) == START { 0.0 } else { window.end(first).since(START).as_secs_f64() }
    };
    let mut asked = 0;
    let (mut entering, mut waiting) = (0, 0);
    let (mut now, end) = (start, start + (case.seconds * case.windows) as f64);
    loop {
        now += fleet.random.gap(rate);
        if now >= end {
            break;
        }
        while let Some(Reverse((until, number))) = busy.peek().copied() {
            if until > micros(now) {
                break;
            }
            busy.pop();
            free.push(number);
        }
        let number = free.pop().unwrap_or_else(|| {
            fleet.environments.push(Environment { born: now, ..Environment::default() });
            fleet.denied_until.push(0.0);
            fleet.environments.len() - 1
        });
        asked += 1;
        let (waited, took) = fleet.serve(number, now);
        busy.push(Reverse((micros(now + waited + took), number)));
        let since = now - start;
        if since > case.seconds as f64 && since % (case.seconds as f64) < 1.0 {
            entering += 1;
            waiting += u64::from(waited > 0.0);
        }
    }
    // Of a bucket the whole burst may go beside what comes back; what is not asked for is not unused.
    let burst = if matches!(mode, Mode::Burst { .. }) { limit } else { 0 };
    let most = if case.per_second.is_some() { limit * case.seconds + burst } else { limit * case.windows };
    let wanted = most.min(asked);
    Outcome { most, wanted, admitted: fleet.admitted, writes: fleet.store.writes, entering, waiting }
}

fn micros(seconds: f64) -> u64 {
    (seconds * 1e6) as u64
}

fn main() {
    // `cargo test --all-targets` runs benches, too, without this argument.
    if std::env::args().any(|argument| argument == "--bench") {
        // A word after `--` chooses cases by their names.
        let word = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
        print_table(cases().iter().filter(|case| case.name.contains(&word)));
        print_entering();
    }
}

fn cases() -> Vec<Case> {
    let leases = |name, environments, seconds, trouble, wanted| Case {
        name,
        environments,
        seconds,
        windows: 1,
        demand: DEMAND,
        way: Way::Leases,
        trouble,
        per_second: None,
        wanted,
    };
    let big = |name, way, wanted| Case { way, ..leases(name, 5000, 300, Trouble::None, wanted) };
    let per_second = |name, mode, demand, wanted| Case {
        per_second: Some((mode, demand)),
        ..leases(name, 100, SECONDS_WATCHED, Trouble::None, wanted)
    };
    let burst = Mode::Burst { burst: None, request_max: 1 };
    vec![
        leases("10 environments, 1 day", 10, 86_400, Trouble::None, ["0", "0.05 %", "0.010"]),
        leases("100 environments, 2 h", 100, 7200, Trouble::None, ["0", "0.07 %", "0.010"]),
        leases("1,000 environments, 15 min", 1000, 900, Trouble::None, ["0", "0.06 %", "0.011"]),
        big("5,000 environments, 50,000 req/s, 5 min", Way::Leases, ["0", "0.31 %", "0.011"]),
        big("same, one write per request", Way::EachRequest, ["0", "97 %", "1.0"]),
        big("same, fixed blocks of 100", Way::Fixed(100), ["0", "1.13 %", "0.010"]),
        big("same, synchronised every second", Way::Synchronised, ["+2.6 %", "0", "0.023"]),
        leases("60 s outage, refuse", 100, 7200, Trouble::Outage { allow: false }, ["0", "0.27 %", "0.016"]),
        leases("60 s outage, allow", 100, 7200, Trouble::Outage { allow: true }, ["+5 %", "0", "0.016"]),
        leases("5 % of answers lost", 100, 7200, Trouble::Lost(5), ["0", "5.3 %", "0.018"]),
        leases("fleet dies every 5 min, 90 % told", 100, 7200, Trouble::Deaths { told: 90 }, ["0", "1.2 %", "0.020"]),
        leases("fleet dies every 5 min, none told", 100, 7200, Trouble::Deaths { told: 0 }, ["0", "10 %", "0.020"]),
        per_second("per second, burst, demand 0.7 x", burst, 0.7, ["0", "2 %", "0.22"]),
        per_second("per second, burst, demand 1.5 x", burst, 1.5, ["0", "7-11 %", "0.8-1.0"]),
        per_second("per second, exact, demand 0.7 x", Mode::Exact, 0.7, ["0", "0.15 %", "0.35"]),
        per_second("per second, exact, demand 1.5 x", Mode::Exact, 1.5, ["0", "2-4 %", "0.65"]),
        per_second("per second, approximate, 1.5 x", Mode::Approximate, 1.5, ["+20-50 %", "0", "0.02-0.66"]),
    ]
}

fn print_table<'a>(cases: impl Iterator<Item = &'a Case>) {
    println!("| case | over | wanted | unused | wanted | writes/admitted | wanted |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for case in cases {
        let Outcome { most, wanted, admitted, writes, .. } = run(case);
        let part = |permits: u64| format!("{:.2} %", 100.0 * permits as f64 / wanted as f64);
        let over = if admitted > most { format!("+{}", part(admitted - most)) } else { "0".to_owned() };
        let unused = part(wanted.saturating_sub(admitted));
        let [wanted_over, wanted_unused, wanted_writes] = case.wanted;
        println!(
            "| {} | {over} | {wanted_over} | {unused} | {wanted_unused} | {:.3} | {wanted_writes} |",
            case.name,
            writes as f64 / admitted.max(1) as f64
        );
    }
}

/// How many requests wait that come when a window begins.
fn print_entering() {
    println!("\nOf the requests in the first second of a window of two minutes, with 1,000 environments and demand");
    println!("{LOW_DEMAND} x the limit:");
    for (way, what) in [(Way::Leases, "with permits taken ahead"), (Way::NotAhead, "without")] {
        let case = Case {
            name: what,
            environments: 1000,
            seconds: 120,
            windows: 4,
            demand: LOW_DEMAND,
            way,
            trouble: Trouble::None,
            per_second: None,
            wanted: [""; 3],
        };
        let Outcome { entering, waiting, .. } = run(&case);
        println!("- {what}: {:.1} % wait for the counter", 100.0 * waiting as f64 / entering as f64);
    }
}
