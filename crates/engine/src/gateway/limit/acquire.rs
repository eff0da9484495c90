//! Asking a counter for permits, and giving them back.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use faregate_core::{
    cost::Cost,
    limit::{Ask, Counter, Lease, Obstacle, Return, RollUp, Rule, Sizing, SlotName, Spent, Take},
    time::Timestamp,
};
use futures_util::future::join_all;
use tokio::time::sleep;

use super::{
    Limits,
    accounts::{self, Account, Crowd, Holding},
    tallies::{TallyKey, UsageSum},
    wants::Want,
};
use crate::{
    gateway::SideWork,
    ports::{StoreError, Taken, Terms, Waiting},
};

/// How often a take is sent, each time for another reason.
const TRIES_MAX: usize = 3;
/// How long to wait after a counter was throttled, at most.
const THROTTLED_WAIT_MAX: Duration = Duration::from_millis(40);
/// How long after the longest window a counter is kept.
const KEPT: Duration = Duration::from_secs(2 * 86_400);
/// The same of one that is told how many requests a month had: this month and the next.
const KEPT_MONTHS: Duration = Duration::from_secs(62 * 86_400);
/// The same of a consumer's with quotas, whose last figures are the usage of months that are kept as long themselves.
pub(super) const KEPT_QUOTA: Duration = Duration::from_secs(400 * 86_400);
/// How long the windows of quotas are at least.
const QUOTA_MIN: Duration = Duration::from_secs(86_400);
/// How many figures of windows that are over wait to be written, at most.
const ROLLED_MAX: usize = 1000;

/// Why a counter is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A request waits for permits.
    Lacking,
    /// The last permit is being spent, and the next request may come; or an account has to go, and its rest is told.
    Spent,
    /// The window ends soon, and requests may come in the next one.
    Ahead,
}

/// What came of asking a counter.
pub(super) enum Outcome {
    /// Permits are in the account now, or nobody needs any.
    Granted,
    /// Of these wants, by their numbers, less is left than they need.
    Exhausted(Vec<usize>),
    /// The counter takes no more writes: the limit refuses.
    Throttled(String),
    /// What happened is not known, so nothing did.
    Unavailable(String),
    /// The store understood, and says no.
    Rejected(String),
    /// The store cannot take what the request made of the counter.
    Invalid(String),
}

impl Outcome {
    /// The numbers of the wants of which too little is left.
    pub(super) fn exhausted(&self) -> &[usize] {
        match self {
            Self::Exhausted(numbers) => numbers,
            Self::Granted | Self::Throttled(_) | Self::Unavailable(_) | Self::Rejected(_) | Self::Invalid(_) => &[],
        }
    }

    /// Why the store cannot take what the request made.
    pub(super) fn invalid(&self) -> Option<&str> {
        match self {
            Self::Invalid(cause) => Some(cause),
            Self::Granted | Self::Exhausted(_) | Self::Throttled(_) | Self::Unavailable(_) | Self::Rejected(_) => None,
        }
    }
}

/// What is asked of one limit, and which want it is for.
struct Planned {
    number: usize,
    rule: Arc<Rule>,
    ask: Ask,
    /// What the slot held of a window that is over.
    over: Option<Spent>,
    /// Whether a request waits for it; else it rides along.
    is_needed: bool,
}

impl Limits {
    /// Fetches what these wants lack in one account, in one write; one fetch at a time.
    pub(super) async fn acquire(&self, account: &Account, wants: &[Want], reason: Reason) -> Outcome {
        let outages = account.outages.load(Ordering::Relaxed);
        let _fetching = account.fetching.lock().await;
        if account.outages.load(Ordering::Relaxed) != outages {
            return Outcome::Unavailable("the counter could not be reached a moment ago".to_owned());
        }
        if let Some(outcome) = self.probe(account, wants, reason).await {
            return outcome;
        }
        let planned = self.plan(account, wants, reason);
        if planned.is_empty() {
            return Outcome::Granted;
        }
        self.send(account, planned, reason).await
    }

    /// Fetches permits of windows that begin soon, where it is time for that.
    pub(super) fn lease_ahead_beside(self: &Arc<Self>, wants: &[Want], side_work: &mut SideWork) {
        for account in accounts::distinct(wants) {
            let planned = self.plan(account, wants, Reason::Ahead);
            if !planned.is_empty() {
                let (limits, account) = (Arc::clone(self), Arc::clone(account));
                side_work.spawn(async move {
                    let _fetching = account.fetching.lock().await;
                    // Whatever comes of it, the first request of the window sees it in its account.
                    let _ = limits.send(&account, planned, Reason::Ahead).await;
                });
            }
        }
    }

    /// Sends takes that are planned, all in one write, as often as it takes to meet the counter.
    async fn send(&self, account: &Account, mut planned: Vec<Planned>, reason: Reason) -> Outcome {
        let terms = self.terms(account, reason);
        let mut throttled = "the counter is busy".to_owned();
        for number in 0..TRIES_MAX {
            self.meter.lease_write();
            account.calls.fetch_add(1, Ordering::Relaxed);
            let asked: Vec<Ask> = planned.iter().map(|planned| planned.ask.clone()).collect();
            let taken = self.counters.take(&account.counter, &asked, terms.clone()).await;
            self.note_units();
            match taken {
                Ok(Taken::Granted(numbers)) => {
                    let now = self.clock.now();
                    let mut holdings = account.lock();
                    for (Planned { rule, ask, over, .. }, number) in planned.iter().zip(numbers) {
                        let lease = &mut accounts::holding(&mut holdings, rule).lease;
                        lease.taken(rule, ask, number, now);
                        let over = over.iter().copied().chain(lease.left_over(rule, now));
                        self.roll_up(&account.counter, rule, over);
                    }
                    return Outcome::Granted;
                }
                Ok(Taken::Refused(counter)) => {
                    let exhausted = self.refuse(account, &mut planned, &counter);
                    if !exhausted.is_empty() || planned.is_empty() {
                        not_written(account, &planned, &terms);
                        return if exhausted.is_empty() { Outcome::Granted } else { Outcome::Exhausted(exhausted) };
                    }
                }
                Err(StoreError::Throttled(cause)) => {
                    throttled = cause;
                    if number + 1 < TRIES_MAX {
                        sleep(THROTTLED_WAIT_MAX.mul_f64(self.random_part())).await;
                    }
                }
                // It may have been made: nothing is granted, and what it told is told.
                Err(StoreError::Unavailable(cause)) => {
                    account.outages.fetch_add(1, Ordering::Relaxed);
                    return Outcome::Unavailable(cause);
                }
                Err(error @ (StoreError::Rejected(_) | StoreError::Malformed(_))) => {
                    not_written(account, &planned, &terms);
                    return Outcome::Rejected(error.to_string());
                }
                Err(error @ StoreError::Invalid(_)) => {
                    not_written(account, &planned, &terms);
                    return Outcome::Invalid(error.to_string());
                }
            }
        }
        not_written(account, &planned, &terms);
        let (now, mut holdings) = (self.clock.now(), account.lock());
        for Planned { rule, .. } in &planned {
            accounts::holding(&mut holdings, rule).lease.throttled(now);
        }
        Outcome::Throttled(throttled)
    }

    /// Takes the counter's word for what stands in the way: takes that ride along are given up, others begin a slot or
    /// go on with one. Yields the wants of which less is left than they need.
    fn refuse(&self, account: &Account, planned: &mut Vec<Planned>, counter: &Counter) -> Vec<usize> {
        let now = self.clock.now();
        let mut holdings = account.lock();
        let mut exhausted = Vec::new();
        planned.retain_mut(|Planned { number, rule, ask, over, is_needed }| {
            if let Ask::Take(take) = &*ask {
                let slot = counter.slots.get(&take.slot).filter(|slot| slot.index < take.index);
                *over = slot.map(|slot| Spent { index: slot.index, permits: slot.settled });
            }
            let lease = &mut accounts::holding(&mut holdings, rule).lease;
            lease.observe(rule, counter, now);
            let Some(obstacle) = ask.meet(counter) else { return true };
            lease.refused(rule, ask, obstacle, now, self.random_part());
            lease.not_taken(rule, ask);
            // Of a window that has ended meanwhile nobody needs anything: the request looks again.
            if *is_needed && ask.is_present(rule, now) {
                exhausted.push(*number);
            }
            false
        });
        exhausted
    }

    /// Asks without writing where the counter said before that less is left than is needed.
    async fn probe(&self, account: &Account, wants: &[Want], reason: Reason) -> Option<Outcome> {
        let now = self.clock.now();
        let doubted: Vec<(usize, &Want)> = {
            let holdings = account.lock();
            let is_doubted = |want: &Want| {
                let lease = holdings.get(want.rule.key()).map(|holding| &holding.lease);
                lease.is_some_and(|lease| lease.was_denied(&want.rule, lease.lacks(&want.rule, want.permits, now), now))
            };
            let own = wants.iter().enumerate().filter(|(_, want)| std::ptr::eq(&*want.account, account));
            own.filter(|(_, want)| is_doubted(want)).collect()
        };
        if doubted.is_empty() {
            return None;
        }
        if reason == Reason::Spent {
            // Nobody waits: the next request will ask.
            return Some(Outcome::Granted);
        }
        let slot = |want: &Want| SlotName::of(&want.rule.id, want.rule.window, want.rule.window.index(now));
        let slots: Vec<SlotName> = doubted.iter().map(|(_, want)| slot(want)).collect();
        self.meter.half_read();
        account.calls.fetch_add(1, Ordering::Relaxed);
        let counter = match self.counters.read(&account.counter, &slots).await {
            Ok(counter) => counter,
            Err(StoreError::Throttled(cause)) => return Some(Outcome::Throttled(cause)),
            Err(StoreError::Unavailable(cause)) => return Some(Outcome::Unavailable(cause)),
            Err(error @ (StoreError::Rejected(_) | StoreError::Malformed(_))) => {
                return Some(Outcome::Rejected(error.to_string()));
            }
            Err(error @ StoreError::Invalid(_)) => return Some(Outcome::Invalid(error.to_string())),
        };
        let read_at = self.clock.now();
        let mut holdings = account.lock();
        let mut exhausted = Vec::new();
        for (number, want) in doubted {
            let (rule, index) = (&want.rule, want.rule.window.index(now));
            let lease = &mut accounts::holding(&mut holdings, rule).lease;
            if rule.window.index(read_at) == index {
                lease.observe(rule, &counter, read_at);
            }
            let needed = lease.lacks(rule, want.permits, now).max(1);
            let (slot, limit) = (slot(want), rule.limit);
            let asked = Take { slot, index, limit, block: needed, needed, settled: 0, resets: false };
            if let Some(obstacle @ Obstacle::Exhausted) = asked.obstacle(&counter) {
                let asked = Ask::Take(asked);
                lease.refused(rule, &asked, obstacle, read_at, self.random_part());
                if asked.is_present(rule, read_at) {
                    exhausted.push(number);
                }
            }
        }
        (!exhausted.is_empty()).then_some(Outcome::Exhausted(exhausted))
    }

    /// One take for each limit that lacks something; what runs low rides along.
    fn plan(&self, account: &Account, wants: &[Want], reason: Reason) -> Vec<Planned> {
        let now = self.clock.now();
        // Of what clients choose most is new to everybody, and begins its slot with the first call.
        let is_new = account.is_chosen() && account.calls.load(Ordering::Relaxed) == 0;
        let mut holdings = account.lock();
        let plan = |(number, want): (usize, &Want)| {
            let rule = &want.rule;
            let holding = accounts::holding(&mut holdings, rule);
            let is_fresh = is_new && !holding.has_begun(rule, now);
            let Holding { lease, awaited, .. } = holding;
            if reason == Reason::Ahead {
                // Before a random number is drawn for it.
                if !lease.is_time_to_take_ahead(rule, now) {
                    return None;
                }
                let ask = lease.take_ahead(rule, now, self.sizing())?;
                return Some(Planned { number, rule: Arc::clone(rule), ask, over: None, is_needed: false });
            }
            // What is here may be meant for a request that waits beside this one.
            let waiting = lease.lacks(rule, *awaited, now);
            let needed = match lease.lacks(rule, want.permits, now) {
                _ if reason != Reason::Lacking => 0,
                0 if is_told(lease, rule, now) => 0,
                0 => waiting.min(want.permits),
                lacks => lacks,
            };
            let is_needed = needed > 0;
            if !is_needed && (!lease.is_low(rule, now) || lease.was_denied(rule, 1, now)) {
                return None;
            }
            let mut ask = lease.take(rule, needed, now, Sizing { waiting, ..self.sizing() })?;
            if let (Ask::Take(take), true) = (&mut ask, is_fresh) {
                take.resets = true;
            }
            Some(Planned { number, rule: Arc::clone(rule), ask, over: None, is_needed })
        };
        let own = wants.iter().enumerate().filter(|(_, want)| std::ptr::eq(&*want.account, account));
        let planned: Vec<Planned> = own.filter_map(plan).collect();
        // What only rides along is not worth a write of its own where a request lacks nothing any more.
        let is_worth_it = reason != Reason::Lacking || planned.iter().any(|planned| planned.is_needed);
        if is_worth_it {
            return planned;
        }
        for Planned { rule, ask, .. } in &planned {
            accounts::holding(&mut holdings, rule).lease.not_taken(rule, ask);
        }
        Vec::new()
    }

    fn sizing(&self) -> Sizing {
        Sizing {
            service: Duration::from_micros(self.service_micros.load(Ordering::Relaxed)),
            random: self.random_part(),
            is_clock_wrong: self.clock.is_wrong(),
            waiting: 0,
        }
    }

    /// A counter may be deleted when no window of any limit that may share it can still be the present one.
    fn terms(&self, account: &Account, reason: Reason) -> Terms {
        let now = self.clock.now();
        let longest = account.longest();
        let waiting = match reason {
            Reason::Lacking => Waiting::Request,
            Reason::Spent | Reason::Ahead => Waiting::Nobody,
        };
        let kept = match account.crowd {
            Crowd::Callers if longest >= QUOTA_MIN && account.consumer().is_some() => KEPT_QUOTA,
            // What requests cost is a month's figure, too.
            Crowd::Callers => KEPT_MONTHS,
            Crowd::Values | Crowd::Strangers => KEPT,
        };
        let expected = match reason {
            Reason::Lacking => UsageSum { requests: 1, nanodollars: self.request_cost.load(Ordering::Relaxed) },
            Reason::Spent | Reason::Ahead => UsageSum::default(),
        };
        let cost = (!account.is_chosen()).then(|| {
            let UsageSum { requests, nanodollars } = account.bill(expected);
            Cost::at(now, requests, nanodollars)
        });
        Terms { cost, expires_at: now.plus(longest).plus(kept), waiting }
    }

    /// Lets what an account has spent and counted, and will never tell its counter, go out beside the next requests.
    pub(super) fn settle(&self, account: &Account, now: Timestamp) {
        // A write that tells the rest tells this, too.
        let unreported = if account.has_rest(now) { UsageSum::default() } else { account.bill(UsageSum::default()) };
        if !account.is_chosen() && unreported != UsageSum::default() {
            self.tallies.add(&TallyKey::of_counter(&account.counter, now), unreported, now);
        }
        for (rule, over) in account.left_over(now) {
            self.roll_up(&account.counter, &rule, over);
        }
    }

    /// Lets what was spent in these windows of a limit go out beside the next request.
    pub(super) fn roll_up(&self, counter: &str, rule: &Rule, over: impl IntoIterator<Item = Spent>) {
        let over = over.into_iter();
        let mut rolled = self.rolled.lock().unwrap_or_else(PoisonError::into_inner);
        rolled.extend(over.filter_map(|spent| RollUp::of(counter, rule, spent)));
        // Bounded like everything: what no request takes along is missing in its month.
        rolled.truncate(ROLLED_MAX);
    }

    /// Sends returns, each once and all together: whether one arrived is nobody's business any more.
    pub(super) async fn send_back(&self, account: &Account, back: Vec<Return>) {
        back.iter().for_each(|_| self.meter.lease_write());
        join_all(back.iter().map(|back| self.counters.give_back(&account.counter, back))).await;
        self.note_units();
    }

    /// Meters what writes took beyond one unit each.
    pub(super) fn note_units(&self) {
        self.meter.more_units(self.counters.more_units());
    }

    /// A number from 0 to 1.
    fn random_part(&self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Whether it is known that the counter has nothing left.
fn is_told(lease: &Lease, rule: &Rule, now: Timestamp) -> bool {
    lease.denied(rule, 1, now).is_some() || lease.was_denied(rule, 1, now)
}

/// What was certainly not written is still to be told.
fn not_written(account: &Account, planned: &[Planned], terms: &Terms) {
    if let Some(Cost { requests, nanodollars, .. }) = terms.cost {
        account.owe(UsageSum { requests, nanodollars });
    }
    let mut holdings = account.lock();
    for Planned { rule, ask, .. } in planned {
        accounts::holding(&mut holdings, rule).lease.not_taken(rule, ask);
    }
}
