//! Phase *limit*: one permit from every limit that applies, all or none.
//!
//! Permits are leased in blocks from counters that all environments share, and spent in memory
//! (`faregate_core::limit`). A lease belongs to this process alone: what it holds when it dies is lost to the window.

mod accounts;
mod acquire;
mod answer;
mod clock_watch;
mod refusals;
mod scope;
mod tallies;
mod untold;
mod wants;

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use faregate_core::{
    cost::{Prices, Used},
    limit::RollUp,
    problem::Problem,
    snapshot::{RoutePolicy, Snapshot},
    time::Timestamp,
};
use futures_util::future::join_all;
use http::{HeaderMap, Method};
use tokio::{join, time::timeout};

use self::{
    accounts::{Account, Accounts, Awaiting},
    acquire::{KEPT_QUOTA, Outcome, Reason},
    clock_watch::ClockWatch,
    refusals::{Calls, RefusalsByCrowd},
    tallies::{Tallies, TallyKey, UsageSum},
    untold::Remembered,
    wants::Want,
};
use super::{Ports, SideWork, authorise::Clearance, dressing::Dressing, edge::Client};
use crate::{
    meter::Meter,
    ports::{Counters, Random},
};

/// How often a request looks again at credits that another one may have spent meanwhile.
const ROUNDS_MAX: usize = 16;
/// How much, as a divisor, the newest request counts in a mean.
const NEWEST_WEIGHT: u64 = 8;
/// How long a request is taken to last before there was one.
const FIRST_REQUEST: Duration = Duration::from_millis(25);
/// How long giving back may take when the environment ends.
const LEAVE_LIMIT: Duration = Duration::from_millis(300);

/// That a cleared request holds its permits. Only this phase makes one, and forwarding needs one.
#[derive(Debug)]
pub struct Admission {
    clearance: Clearance,
    plan: Option<Arc<str>>,
}

impl Admission {
    /// Who may do what.
    #[must_use]
    pub fn clearance(&self) -> &Clearance {
        &self.clearance
    }

    /// The plan that counted.
    #[must_use]
    pub fn plan(&self) -> Option<&str> {
        self.plan.as_deref()
    }
}

/// The limits of this environment: what it holds of each counter.
pub(super) struct Limits {
    counters: Arc<dyn Counters>,
    clock: ClockWatch,
    random: Arc<dyn Random>,
    meter: Arc<Meter>,
    accounts: Accounts,
    /// How often the counters may be asked that clients choose.
    refusals: RefusalsByCrowd,
    /// What is kept in mind of accounts that had to go.
    remembered: Remembered,
    /// Mean time of a request that is admitted, to the end of its answer, in microseconds: one environment asks for no more
    /// than it can serve, and refusals take no time.
    service_micros: AtomicU64,
    /// What a request costs in the mean, in nano-dollars.
    request_cost: AtomicU64,
    /// Figures of windows that are over, to be written beside a request.
    rolled: Mutex<Vec<RollUp>>,
    /// Requests that no write of a counter tells of.
    tallies: Tallies,
}

/// Who is told of a request and of what it cost: its counters with their next writes, and once it is admitted, the month of
/// a consumer of whom no counter counts it.
#[derive(Default)]
pub(super) struct Bill {
    accounts: Vec<Arc<Account>>,
    month: Option<TallyKey>,
    /// When the request came in, once it is admitted, on the clock for durations.
    began: Option<Duration>,
    limits: Option<Arc<Limits>>,
}

impl Bill {
    fn of(limits: &Arc<Limits>, wants: &[Want]) -> Self {
        let accounts = accounts::distinct(wants).into_iter().filter(|account| !account.is_chosen()).cloned();
        Self { accounts: accounts.collect(), limits: Some(Arc::clone(limits)), ..Self::default() }
    }

    /// Counts the request, which is admitted.
    fn admit(&mut self, wants: &[Want], consumer: Option<&str>, began: Duration, now: Timestamp) {
        let is_counted = |consumer: &str| wants.iter().any(|want| want.account.consumer() == Some(consumer));
        let uncounted = consumer.filter(|consumer| !is_counted(consumer));
        self.month = uncounted.map(|consumer| TallyKey::of_consumer(consumer, now));
        self.began = Some(began);
        self.add(UsageSum { requests: 1, nanodollars: 0 });
    }

    /// Charges what the request cost, whose answer has ended.
    pub(super) fn charge(&self, nanodollars: u64) {
        if let Some(limits) = &self.limits {
            follow(&limits.request_cost, nanodollars);
            if let Some(began) = self.began {
                let took = limits.clock.monotonic().saturating_sub(began);
                follow(&limits.service_micros, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            }
        }
        self.add(UsageSum { requests: 0, nanodollars });
    }

    fn add(&self, sum: UsageSum) {
        self.accounts.iter().for_each(|account| account.owe(sum));
        if let (Some(month), Some(limits)) = (&self.month, &self.limits) {
            limits.tallies.add(month, sum, limits.clock.now());
        }
    }
}

/// What is asked to be admitted.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) route: &'a RoutePolicy,
    pub(super) snapshot: &'a Snapshot,
    pub(super) method: &'a Method,
    /// The client's headers without those that never cross.
    pub(super) headers: &'a HeaderMap,
    pub(super) client: &'a Client,
    /// When the request came in, on the clock for durations.
    pub(super) began: Duration,
}

impl Limits {
    pub(super) fn new(ports: &Ports, meter: &Arc<Meter>) -> Self {
        let first = Used { duration: FIRST_REQUEST, ..Used::default() };
        Self {
            counters: Arc::clone(&ports.counters),
            clock: ClockWatch::new(ports),
            random: Arc::clone(&ports.random),
            meter: Arc::clone(meter),
            accounts: Accounts::default(),
            refusals: RefusalsByCrowd::default(),
            remembered: Remembered::default(),
            service_micros: AtomicU64::new(0),
            request_cost: AtomicU64::new(Prices::default().of(&first, ports.machine)),
            rolled: Mutex::default(),
            tallies: Tallies::default(),
        }
    }

    /// Takes the permits.
    pub(super) async fn admit(
        self: &Arc<Self>,
        asked: Asked<'_>,
        clearance: Clearance,
        bill: &mut Bill,
        dressing: &mut Dressing,
        side_work: &mut SideWork,
    ) -> Result<Admission, Problem> {
        let (plan, mut wants) = self.wants(asked, clearance.caller(), side_work)?;
        let now = self.clock.now();
        *bill = Bill::of(self, &wants);
        if !wants.is_empty() {
            self.recall(&wants, now);
            wants.iter().for_each(|want| want.request(now));
            let taken = self.take(&mut wants, asked.client.address).await;
            dressing.limits(answer::headers(&wants, self.clock.now()));
            taken?;
        }
        // Those before it are told first, so that a request and its cost go together.
        self.tally_beside(side_work);
        bill.admit(&wants, clearance.caller().consumer(), asked.began, now);
        self.renew_beside(&wants, side_work);
        self.lease_ahead_beside(&wants, side_work);
        self.give_back_beside(side_work);
        self.roll_up_beside(side_work);
        Ok(Admission { clearance, plan })
    }

    /// Deducts from every limit or from none; what is missing is fetched first.
    async fn take(&self, wants: &mut [Want], address: Option<IpAddr>) -> Result<(), Problem> {
        if accounts::deduct(wants, self.clock.now()) {
            return Ok(());
        }
        let mut calls = Calls::default();
        let taken = self.take_in_rounds(wants, address, &mut calls).await;
        self.charge(wants, address, &calls, taken.is_err());
        taken
    }

    async fn take_in_rounds(
        &self,
        wants: &mut [Want],
        address: Option<IpAddr>,
        calls: &mut Calls,
    ) -> Result<(), Problem> {
        let _awaiting = Awaiting::begin(wants);
        for _ in 0..ROUNDS_MAX {
            self.fetch(wants, address, calls).await?;
            if accounts::deduct(wants, self.clock.now()) {
                return Ok(());
            }
        }
        // No limit is known to be reached.
        Err(answer::unavailable("other requests took what was fetched for this one"))
    }

    /// Fetches what is missing, from all counters at once.
    async fn fetch(&self, wants: &mut [Want], address: Option<IpAddr>, calls: &mut Calls) -> Result<(), Problem> {
        let now = self.clock.now();
        if wants.iter().any(|want| want.is_overdrawn(now)) {
            return Err(answer::unavailable("as much as may be admitted without the counter was"));
        }
        let lacking: Vec<&Want> = wants.iter().filter(|want| want.is_lacking(now)).collect();
        if lacking.iter().any(|want| want.denied(now).is_some()) {
            // Those, too, that nobody would ask about for some time yet: the longest wait is told.
            let refuses = |want: &&Want| want.denied(now).is_some() || want.is_used_up(now);
            let refusing: Vec<&Want> = lacking.into_iter().filter(refuses).collect();
            return Err(answer::exhausted(&refusing, now));
        }
        let accounts: Vec<Arc<Account>> = accounts::distinct(lacking).into_iter().cloned().collect();
        let outcomes = self.ask(&accounts, wants, address, calls).await;
        apply(&accounts, outcomes, wants, self.clock.now())
    }

    /// Fetches the next block while the last permit of the present one is being served.
    fn renew_beside(self: &Arc<Self>, wants: &[Want], side_work: &mut SideWork) {
        let now = self.clock.now();
        let spent: Vec<Want> = wants.iter().filter(|want| want.is_due(now)).cloned().collect();
        for account in accounts::distinct(&spent) {
            let (limits, wants, account) = (Arc::clone(self), spent.clone(), Arc::clone(account));
            side_work.spawn(async move {
                // Whatever comes of it, the next request sees it in its account.
                let _ = limits.acquire(&account, &wants, Reason::Spent).await;
            });
        }
    }

    /// By how much the clock is certainly wrong; zero where that is a second at most.
    pub(super) fn clock_skew(&self) -> Duration {
        self.clock.skew()
    }

    /// Gives back what keys hold that have fallen silent.
    fn give_back_beside(self: &Arc<Self>, side_work: &mut SideWork) {
        let now = self.clock.now();
        let (swept, forgotten) = self.accounts.some(now);
        for account in &forgotten {
            self.settle(account, now);
            self.remember(account, now);
        }
        for account in swept {
            let limits = Arc::clone(self);
            let back = account.give_back(now, false);
            if account.is_silent(now) {
                self.settle(&account, now);
            }
            if !back.is_empty() {
                side_work.spawn(async move { limits.send_back(&account, back).await });
            }
        }
    }

    /// Adds the figures of windows that are over to their months.
    fn roll_up_beside(self: &Arc<Self>, side_work: &mut SideWork) {
        let rolled = self.rolled();
        if !rolled.is_empty() {
            let limits = Arc::clone(self);
            side_work.spawn(async move { limits.send_rolled(rolled).await });
        }
    }

    /// The figures that wait to be written.
    fn rolled(&self) -> Vec<RollUp> {
        std::mem::take(&mut *self.rolled.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sent once: a sum that is written twice is worse than one that is missing.
    async fn send_rolled(&self, rolled: Vec<RollUp>) {
        rolled.iter().for_each(|_| self.meter.lease_write());
        let expires_at = self.clock.now().plus(KEPT_QUOTA);
        join_all(rolled.iter().map(|rolled| self.counters.roll_up(rolled, expires_at))).await;
        self.note_units();
    }

    /// Gives everything back: the environment ends.
    pub(super) async fn leave(&self) {
        let now = self.clock.now();
        let accounts = self.accounts.take_all();
        // Those of before make room for what is settled now.
        let mut tallies = self.tallies.take_all();
        accounts.iter().for_each(|account| self.settle(account, now));
        tallies.extend(self.tallies.take_all());
        let all = accounts.iter().map(|account| async move {
            join!(self.tell_rest(account, now), self.send_back(account, account.give_back(now, true)))
        });
        // What is not done by then is lost to its windows.
        let leave = async { join!(join_all(all), self.send_rolled(self.rolled()), self.send_tallies(tallies)) };
        let _ = timeout(LEAVE_LIMIT, leave).await;
    }
}

/// What came of asking counters: a refusal, or limits that this request passes without permits.
fn apply(accounts: &[Arc<Account>], outcomes: Vec<Outcome>, wants: &mut [Want], now: Timestamp) -> Result<(), Problem> {
    let exhausted = outcomes.iter().flat_map(Outcome::exhausted).map(|number| &wants[*number]);
    // Others that wait may not have what is here now.
    let exhausted: Vec<&Want> = exhausted.filter(|want| want.is_lacking(now)).collect();
    if !exhausted.is_empty() {
        return Err(answer::exhausted(&exhausted, now));
    }
    // Before anything that passes without permits.
    if let Some(cause) = outcomes.iter().find_map(Outcome::invalid) {
        return Err(answer::invalid(cause));
    }
    for (account, outcome) in accounts.iter().zip(outcomes) {
        let is_lacking = |want: &&mut Want| Arc::ptr_eq(&want.account, account) && want.is_lacking(now);
        let mut lacking = wants.iter_mut().filter(is_lacking);
        match outcome {
            Outcome::Granted | Outcome::Exhausted(_) | Outcome::Invalid(_) => {}
            Outcome::Throttled(cause) => return Err(answer::throttled(lacking.next().as_deref(), &cause)),
            Outcome::Rejected(cause) => return Err(answer::unavailable(&cause)),
            Outcome::Unavailable(cause) => {
                lacking.try_for_each(|want| want.owe(now)).map_err(|_| answer::unavailable(&cause))?;
            }
        }
    }
    Ok(())
}

/// Moves a mean towards the newest number.
fn follow(mean: &AtomicU64, newest: u64) {
    let old = mean.load(Ordering::Relaxed);
    let next = if old == 0 { newest } else { old - old / NEWEST_WEIGHT + newest / NEWEST_WEIGHT };
    mean.store(next, Ordering::Relaxed);
}
