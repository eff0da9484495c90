//! Environments of Lambda that ask for permits, and what came of it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    num::NonZeroU32,
    time::Duration,
};

use faregate_core::{
    limit::{Ask, Lease, Mode, Obstacle, Rule, Sizing, SlotName, Take, Window},
    time::Timestamp,
};

use crate::{
    cases::{Case, Trouble, Way},
    random::Random,
    store::Store,
};

/// Requests a second that one environment serves when it is busy.
const REQUESTS_PER_ENVIRONMENT: f64 = 10.0;
/// How long a request takes that is admitted, and one that is refused from memory, in seconds.
const SERVICE: f64 = 0.095;
const REFUSAL: f64 = 0.001;
/// How long a request waits for the counter, and how long is waited beside one, in seconds.
const WAITED_FOR_LIMIT: f64 = 0.1;
const ASIDE_LIMIT: f64 = 0.5;
/// How long an environment stands still at most, in seconds.
const FROZEN_MAX: f64 = 120.0;
/// How long demand stays high, and low, in seconds, and how low, where that changes.
const LULL: f64 = 300.0;
const LULL_DEMAND: f64 = 0.1;
/// How often an environment that has nothing to do for this caller answers a request of another one, and looks then at what
/// it holds, in seconds.
const OTHERS_EVERY: f64 = 1.0;
/// How wrong a clock may be without that an answer's date shows it, in seconds.
const SKEW_MAX: f64 = 1.0;
/// Midnight of a Monday.
const START: Timestamp = Timestamp::from_seconds(1_795_392_000);

#[derive(Default)]
struct Environment {
    lease: Lease,
    born: f64,
    /// Until when it is answering a request, or stands still.
    busy_until: f64,
    /// By how many seconds its clock is ahead, as far as no answer has shown it; and whether one showed that it is wrong.
    skew: f64,
    is_clock_wrong: bool,
    unpaid: u64,
    /// An answer that came while it stood still.
    late: Option<(Ask, u64)>,
    /// Admitted alone, what was known of all when that was last told, and when.
    alone: u64,
    seen: u64,
    synchronised_at: f64,
    /// Until when nobody is admitted who has a write of his own.
    denied_until: f64,
}

/// What came of a case.
pub(crate) struct Outcome {
    /// How many requests could have been admitted; how many too many were, and how many too few.
    pub(crate) wanted: u64,
    pub(crate) over: u64,
    pub(crate) unused: u64,
    pub(crate) admitted: u64,
    pub(crate) writes: u64,
    /// Of the requests in the first seconds of all windows but the first: how many, and how many waited for the counter.
    pub(crate) entering: u64,
    pub(crate) waiting: u64,
}

/// Requests of one window, by the clock of the environment that served them.
#[derive(Clone, Copy, Default)]
struct Tally {
    asked: u64,
    admitted: u64,
}

/// What came of a request.
struct Served {
    is_admitted: bool,
    /// For how many seconds it waited for the counter.
    waited: f64,
}

struct Fleet<'a> {
    case: &'a Case,
    rule: Rule,
    store: Store,
    environments: Vec<Environment>,
    random: Random,
    /// Who is the next to answer a request of another caller, and when.
    next_idle: usize,
    next_idle_at: f64,
    /// By the number of the window; a bucket has only one.
    tallies: BTreeMap<u64, Tally>,
    bucket: BucketOracle,
}

/// Watches that no time t sees more than burst + rate × t: what leaks at the rate holds no more than the burst.
struct BucketOracle {
    burst: f64,
    rate: f64,
    level: f64,
    at: f64,
    over: u64,
}

impl BucketOracle {
    fn admitted(&mut self, now: f64) {
        self.level = (self.level - (now - self.at) * self.rate).max(0.0);
        self.at = now;
        // Times have whole milliseconds where the gateway sees them.
        if self.level + 1.0 > self.burst + self.rate / 1000.0 {
            self.over += 1;
        } else {
            self.level += 1.0;
        }
    }
}

impl Fleet<'_> {
    fn is_out(&self, now: f64) -> bool {
        let middle = self.case.seconds as f64 / 2.0;
        matches!(self.case.trouble, Trouble::Outage { .. }) && (middle..middle + 60.0).contains(&now)
    }

    /// What an environment's clock says.
    fn clock(&self, number: usize, now: f64) -> Timestamp {
        let since = (now + self.environments[number].skew) * 1000.0;
        Timestamp::from_millis(START.as_millis().saturating_add_signed(since as i64))
    }

    /// An answer has a date of whole seconds: what it shows of a wrong clock is taken off, and the rest stays.
    fn compare_clocks(&mut self, number: usize) {
        let Environment { skew, is_clock_wrong, .. } = &mut self.environments[number];
        if skew.abs() > SKEW_MAX {
            *is_clock_wrong = true;
            *skew = skew.signum() * SKEW_MAX * self.random.part();
        }
    }

    fn start_environment(&mut self, now: f64) -> Environment {
        let skew = match self.case.trouble {
            Trouble::Clocks(most) => most * (2.0 * self.random.part() - 1.0),
            _ => 0.0,
        };
        Environment { born: now, skew, ..Environment::default() }
    }

    /// Answers a request in an environment.
    fn serve(&mut self, number: usize, now: f64) -> Served {
        if let Trouble::Deaths { told } = self.case.trouble {
            self.grow_old(number, now, told);
        }
        let served = match self.case.way {
            Way::Leases | Way::NotAhead | Way::Fixed(_) => self.by_lease(number, now),
            Way::EachRequest => self.by_write(number, now),
            Way::Synchronised => Served { is_admitted: self.by_synchronised_count(number, now), waited: 0.0 },
        };
        let window = match self.rule.mode {
            Mode::Burst { .. } => 0,
            Mode::Exact | Mode::Approximate => self.rule.window.index(self.clock(number, now + served.waited)),
        };
        let tally = self.tallies.entry(window).or_default();
        tally.asked += 1;
        tally.admitted += u64::from(served.is_admitted);
        if served.is_admitted {
            self.bucket.admitted(now);
        }
        served
    }

    /// Counts alone, and tells the others once a second: everybody goes on with what was true then.
    fn by_synchronised_count(&mut self, number: usize, now: f64) -> bool {
        if now - self.environments[number].synchronised_at >= 1.0 {
            // Who has nothing to tell only reads, and who is throttled knows what it knew.
            let has_news = self.environments[number].alone > 0;
            let is_throttled = has_news && self.store.throttles(now);
            let environment = &mut self.environments[number];
            environment.synchronised_at = now;
            if !is_throttled {
                self.store.told += std::mem::take(&mut environment.alone);
                environment.seen = self.store.told;
            }
        }
        let environment = &mut self.environments[number];
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
            self.give_back(number, now, true);
        }
        self.environments[number] = self.start_environment(now);
    }

    /// Gives back what is not needed, as the gateway does: sent once, so that it is never made twice, and nobody asks what
    /// came of it.
    fn give_back(&mut self, number: usize, now: f64, is_leaving: bool) {
        let then = self.clock(number, now);
        for back in self.environments[number].lease.give_back(&self.rule, then, is_leaving) {
            if !self.is_out(now) && !self.store.throttles(now) {
                self.store.counter.give_back(&back);
            }
        }
    }

    /// Lets idle environments answer requests of other callers up to now, beside which what a silent key holds is given back.
    fn answer_others(&mut self, now: f64) {
        let stands_still = self.case.trouble == Trouble::Lulls { are_frozen: true };
        let gives_back = matches!(self.case.way, Way::Leases | Way::NotAhead) && !stands_still;
        while gives_back && self.next_idle_at <= now && !self.environments.is_empty() {
            let (number, at) = (self.next_idle % self.environments.len(), self.next_idle_at);
            self.next_idle = number + 1;
            self.next_idle_at += OTHERS_EVERY / self.environments.len() as f64;
            if self.environments[number].busy_until <= at {
                self.give_back(number, at, false);
            }
        }
    }

    fn by_lease(&mut self, number: usize, now: f64) -> Served {
        let asked_at = self.clock(number, now);
        self.environments[number].lease.request(asked_at);
        let mut waited = 0.0;
        // As often as the gateway looks again: the window may end while a request waits for its permits.
        for _ in 0..3 {
            let (lease, then) = (&self.environments[number].lease, self.clock(number, now + waited));
            if lease.credit(&self.rule, then) > 0 {
                break;
            }
            if lease.denied(&self.rule, 1, then).is_some() {
                return Served { is_admitted: false, waited };
            }
            let (answered, took) = self.acquire(number, now + waited, 1);
            waited += took;
            if !answered {
                break;
            }
        }
        let allows = matches!(self.case.trouble, Trouble::Outage { allow: true }) && self.is_out(now);
        let then = self.clock(number, now + waited);
        let environment = &mut self.environments[number];
        if !environment.lease.spend(&self.rule, then, 1) {
            let is_admitted = allows && environment.unpaid < self.rule.limit / 10;
            environment.unpaid += u64::from(is_admitted);
            return Served { is_admitted, waited };
        }
        if environment.lease.is_due(&self.rule, then) && environment.lease.is_low(&self.rule, then) {
            // Beside the backend call, which takes longer than nearly every answer.
            self.acquire(number, now + waited, 0);
        }
        if self.case.way != Way::NotAhead && self.environments[number].late.is_none() {
            self.lease_ahead(number, now + waited);
        }
        Served { is_admitted: true, waited }
    }

    /// Takes permits of the next window beside a request, where it is time for that.
    fn lease_ahead(&mut self, number: usize, now: f64) {
        let (sizing, then) = (self.sizing(number), self.clock(number, now));
        if let Some(ask) = self.environments[number].lease.take_ahead(&self.rule, then, sizing) {
            self.send(number, now, ask, ASIDE_LIMIT);
        }
    }

    fn sizing(&mut self, number: usize) -> Sizing {
        let (service, random) = (Duration::from_secs_f64(SERVICE), self.random.part());
        Sizing { service, random, is_clock_wrong: self.environments[number].is_clock_wrong, waiting: 0 }
    }

    /// Asks the counter as the gateway does; whether it answers, and how long that takes.
    fn acquire(&mut self, number: usize, now: f64, needed: u64) -> (bool, f64) {
        let mut waited = 0.0;
        if self.environments[number].lease.was_denied(&self.rule, 1, self.clock(number, now)) {
            // Nobody asks beside a request, and a request reads first.
            if needed == 0 || self.probe(number, now, &mut waited) {
                return (true, waited);
            }
        }
        let (sizing, then) = (self.sizing(number), self.clock(number, now));
        let take = self.environments[number].lease.take(&self.rule, needed, then, sizing);
        let Some(mut ask) = take else { return (true, waited) };
        if let (Way::Fixed(block), Ask::Take(take)) = (self.case.way, &mut ask) {
            take.block = block;
        }
        let limit = if needed > 0 { WAITED_FOR_LIMIT } else { ASIDE_LIMIT };
        let (answered, took) = self.send(number, now + waited, ask, limit);
        (answered, waited + took)
    }

    fn send(&mut self, number: usize, now: f64, mut ask: Ask, limit: f64) -> (bool, f64) {
        let mut waited = 0.0;
        for _ in 0..3 {
            let latency = self.random.latency();
            waited += latency;
            if self.is_out(now) {
                return (false, waited.min(limit));
            }
            if self.store.throttles(now + waited) {
                waited += 0.04 * self.random.part();
                continue;
            }
            let granted = self.take(&ask, now + waited);
            if latency > limit {
                // It was made, and nobody waits for the answer any more.
                return (false, limit);
            }
            match (self.case.trouble, &granted) {
                (Trouble::Lost(percent), _) if self.random.is_one_of(percent) => return (false, waited + 0.1),
                (Trouble::Frozen(percent), Some(granted)) if self.random.is_one_of(percent) => {
                    self.environments[number].late = Some((ask, granted[0]));
                    return (false, waited);
                }
                _ => {}
            }
            self.compare_clocks(number);
            let then = self.clock(number, now + waited);
            let environment = &mut self.environments[number];
            match granted {
                Some(granted) => {
                    environment.lease.taken(&self.rule, &ask, granted[0], then);
                    return (true, waited);
                }
                None => {
                    if let Some(obstacle) = ask.meet(&self.store.counter) {
                        let random = self.random.part();
                        environment.lease.refused(&self.rule, &ask, obstacle, then, random);
                        return (true, waited);
                    }
                }
            }
        }
        let then = self.clock(number, now + waited);
        self.environments[number].lease.throttled(then);
        (false, waited)
    }

    /// Makes the write, or two of it, of which the second is answered: with the same condition, that one may be refused.
    fn take(&mut self, ask: &Ask, now: f64) -> Option<Vec<u64>> {
        let granted = self.store.counter.take(std::slice::from_ref(ask));
        match self.case.trouble {
            Trouble::Twice(percent) if self.random.is_one_of(percent) && !self.store.throttles(now) => {
                self.store.counter.take(std::slice::from_ref(ask))
            }
            _ => granted,
        }
    }

    /// An environment that stood still goes on, and finds the answer that came meanwhile.
    fn thaw(&mut self, number: usize, now: f64) {
        if let Some((ask, granted)) = self.environments[number].late.take() {
            let then = self.clock(number, now);
            self.environments[number].lease.taken(&self.rule, &ask, granted, then);
        }
    }

    /// Reads whether nothing is left; that is no write.
    fn probe(&mut self, number: usize, now: f64, waited: &mut f64) -> bool {
        *waited += self.random.latency();
        let then = self.clock(number, now + *waited);
        let index = self.rule.window.index(then);
        let slot = SlotName::of(&self.rule.id, self.rule.window, index);
        let take = Take { slot, index, limit: self.rule.limit, block: 1, needed: 1, settled: 0, resets: false };
        let is_exhausted = !self.is_out(now) && take.obstacle(&self.store.counter) == Some(Obstacle::Exhausted);
        if is_exhausted {
            let random = self.random.part();
            let lease = &mut self.environments[number].lease;
            lease.refused(&self.rule, &Ask::Take(take), Obstacle::Exhausted, then, random);
        }
        is_exhausted
    }

    fn by_write(&mut self, number: usize, now: f64) -> Served {
        let refused = |waited| Served { is_admitted: false, waited };
        if self.environments[number].denied_until > now {
            return refused(0.0);
        }
        let waited = self.random.latency();
        if self.store.throttles(now) {
            return refused(waited);
        }
        let then = self.clock(number, now);
        let Some(Ask::Take(mut take)) = Lease::default().take(&self.rule, 1, then, Sizing::default()) else {
            return refused(0.0);
        };
        take.block = 1;
        take.resets = take.obstacle(&self.store.counter) == Some(Obstacle::OlderWindow);
        let is_admitted = self.store.counter.take(&[Ask::Take(take)]).is_some();
        if !is_admitted {
            let end = self.rule.window.end(self.rule.window.index(then));
            self.environments[number].denied_until = end.since(START).as_secs_f64();
        }
        Served { is_admitted, waited }
    }
}

/// Requests a second that come now, of a fleet that can serve so many.
fn demand(case: &Case, most: f64, since: f64) -> f64 {
    let is_low = matches!(case.trouble, Trouble::Lulls { .. }) && since % (2.0 * LULL) >= LULL;
    if is_low { most * LULL_DEMAND } else { most }
}

/// Lets a case happen.
pub(crate) fn run(case: &Case) -> Outcome {
    let most = case.environments as f64 * REQUESTS_PER_ENVIRONMENT;
    let mean = if matches!(case.trouble, Trouble::Lulls { .. }) { most * (1.0 + LULL_DEMAND) / 2.0 } else { most };
    let (mode, limited_seconds) = match case.per_second {
        Some(mode) => (mode, 1),
        None => (Mode::Exact, case.seconds),
    };
    let limit = (mean * limited_seconds as f64 / case.demand) as u64;
    let window = match limited_seconds {
        1 => Window::Second,
        86_400 => Window::Day,
        seconds => Window::Seconds(u32::try_from(seconds).ok().and_then(NonZeroU32::new).expect("a window")),
    };
    let mut fleet = Fleet {
        case,
        rule: Rule::new("x", limit, window, mode),
        store: Store::new(),
        environments: Vec::new(),
        random: Random::new(),
        next_idle: 0,
        next_idle_at: start_of(window),
        tallies: BTreeMap::new(),
        bucket: BucketOracle { burst: limit as f64, rate: limit as f64, level: 0.0, at: start_of(window), over: 0 },
    };
    // Last in, first out: the environment that became free last is taken first.
    let (mut free, mut busy) = (Vec::new(), BinaryHeap::new());
    let start = start_of(window);
    let (mut entering, mut waiting) = (0, 0);
    let (mut now, end) = (start, start + (case.seconds * case.windows) as f64);
    loop {
        now += fleet.random.gap(demand(case, most, now - start));
        if now >= end {
            break;
        }
        while let Some(Reverse((until, number))) = busy.peek().copied() {
            if until > micros(now) {
                break;
            }
            busy.pop();
            fleet.thaw(number, until as f64 / 1e6);
            free.push(number);
        }
        fleet.answer_others(now);
        let number = free.pop().unwrap_or_else(|| {
            let environment = fleet.start_environment(now);
            fleet.environments.push(environment);
            fleet.environments.len() - 1
        });
        let Served { is_admitted, waited } = fleet.serve(number, now);
        let is_frozen = fleet.environments[number].late.is_some();
        let still = if is_frozen { FROZEN_MAX * fleet.random.part() } else { 0.0 };
        let took = waited + if is_admitted { SERVICE } else { REFUSAL } + still;
        busy.push(Reverse((micros(now + took), number)));
        fleet.environments[number].busy_until = now + took;
        let since = now - start;
        if since > case.seconds as f64 && since % (case.seconds as f64) < 1.0 {
            entering += 1;
            waiting += u64::from(waited > 0.0);
        }
    }
    // Of a bucket the whole burst may go beside what comes back; what is not asked for is not unused.
    let is_bucket = matches!(mode, Mode::Burst { .. });
    let most = if is_bucket { limit * case.seconds + limit } else { limit };
    let sum = |part: &dyn Fn(&Tally) -> u64| fleet.tallies.values().map(part).sum::<u64>();
    Outcome {
        wanted: sum(&|tally| tally.asked.min(most)),
        over: if is_bucket { fleet.bucket.over } else { sum(&|tally| tally.admitted.saturating_sub(most)) },
        unused: sum(&|tally| tally.asked.min(most).saturating_sub(tally.admitted)),
        admitted: sum(&|tally| tally.admitted),
        writes: fleet.store.writes,
        entering,
        waiting,
    }
}

/// When the first whole window begins.
fn start_of(window: Window) -> f64 {
    let first = window.index(START);
    if window.start(first) == START { 0.0 } else { window.end(first).since(START).as_secs_f64() }
}

fn micros(seconds: f64) -> u64 {
    (seconds * 1e6) as u64
}
