//! What this environment holds of each counter, in bounded space.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use faregate_core::{
    limit::{Lease, Mode, Return, Rule, Spent},
    time::Timestamp,
};
use lru::LruCache;

use super::{tallies::UsageSum, untold::Memory, wants::Want};

/// How many counters of each crowd are held.
const ACCOUNTS_MAX: usize = 1024;
/// The part of a limit, as a divisor, that is admitted without permits while its counter cannot be reached.
const UNPAID_PART: u64 = 10;
/// How often some accounts are looked at in their turn, and how many of each crowd.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
const SWEPT_MAX: usize = 8;
/// For how long no request must have come before an account is forgotten that holds nothing: with it go its pace, by which
/// blocks are sized, and the knowledge that its slot has begun.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// Who pushes whom out: nobody the account of another crowd (SECURITY.md 21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crowd {
    /// Proven callers, each with one counter.
    Callers,
    /// Values that proven callers choose, as many as they like.
    Values,
    /// Whoever comes, from as many addresses as there are.
    Strangers,
}

impl Crowd {
    /// Whether clients can make as many counters as they like.
    pub(super) fn is_chosen(self) -> bool {
        self != Self::Callers
    }
}

/// The accounts of this environment.
pub(super) struct Accounts {
    callers: Table,
    values: Table,
    strangers: Table,
    swept_at: AtomicU64,
}

impl Default for Accounts {
    fn default() -> Self {
        Self::holding(ACCOUNTS_MAX)
    }
}

struct Table {
    accounts: Mutex<LruCache<Box<str>, Arc<Account>>>,
    max: usize,
    /// How many accounts, from the one that was not used for longest on, the sweep has gone past.
    swept: AtomicUsize,
}

impl Table {
    fn holding(max: usize) -> Self {
        // Unbounded only in name: a bounded one would reserve its whole table at the start.
        Self { accounts: Mutex::new(LruCache::unbounded()), max, swept: AtomicUsize::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Box<str>, Arc<Account>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account of a counter, and one that had to go for it.
    fn get(&self, counter: &str, crowd: Crowd) -> (Arc<Account>, Option<Arc<Account>>) {
        let mut accounts = self.lock();
        if let Some(account) = accounts.get(counter) {
            return (Arc::clone(account), None);
        }
        let account = Arc::new(Account {
            counter: counter.into(),
            crowd,
            owed: AtomicI64::new(0),
            unreported: AtomicI64::new(0),
            holdings: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
            outages: AtomicU64::new(0),
            calls: AtomicU32::new(0),
            longest_millis: AtomicU64::new(0),
        });
        accounts.put(counter.into(), Arc::clone(&account));
        let evicted = if accounts.len() > self.max { accounts.pop_lru() } else { None };
        (account, evicted.map(|(_, account)| account))
    }

    /// The next accounts of a round through all, and those among them that hold nothing, which are forgotten. None counts
    /// as used for that.
    fn sweep(&self, now: Timestamp) -> (Vec<Arc<Account>>, Vec<Arc<Account>>) {
        let mut accounts = self.lock();
        let begun = self.swept.load(Ordering::Relaxed) % accounts.len().max(1);
        let number = SWEPT_MAX.min(accounts.len());
        let round = accounts.iter().rev().cycle().skip(begun).take(number);
        let next: Vec<_> = round.map(|(_, account)| Arc::clone(account)).collect();
        // A request that is under way is still to be charged; the table and this round hold each account, too.
        let is_idle = |account: &Arc<Account>| Arc::strong_count(account) <= 2 && account.is_empty(now);
        let (forgotten, kept): (Vec<_>, Vec<_>) = next.into_iter().partition(is_idle);
        for account in &forgotten {
            accounts.pop(&*account.counter);
        }
        self.swept.store(begun + kept.len(), Ordering::Relaxed);
        (kept, forgotten)
    }
}

impl Accounts {
    /// So many counters of each crowd.
    fn holding(max: usize) -> Self {
        let [callers, values, strangers] = [(); 3].map(|()| Table::holding(max));
        Self { callers, values, strangers, swept_at: AtomicU64::new(0) }
    }

    /// The account of a counter, and one that had to go for it: what that holds is to be given back.
    pub(super) fn get(&self, counter: &str, crowd: Crowd) -> (Arc<Account>, Option<Arc<Account>>) {
        let table = match crowd {
            Crowd::Callers => &self.callers,
            Crowd::Values => &self.values,
            Crowd::Strangers => &self.strangers,
        };
        table.get(counter, crowd)
    }

    fn tables(&self) -> [&Table; 3] {
        [&self.callers, &self.values, &self.strangers]
    }

    /// Some accounts, now and then and by and by all; and those among them that hold nothing, which are forgotten.
    pub(super) fn some(&self, now: Timestamp) -> (Vec<Arc<Account>>, Vec<Arc<Account>>) {
        let (mut swept, mut forgotten) = (Vec::new(), Vec::new());
        let swept_at = Timestamp::from_millis(self.swept_at.load(Ordering::Relaxed));
        if swept_at <= now && now.since(swept_at) < SWEEP_INTERVAL {
            return (swept, forgotten);
        }
        self.swept_at.store(now.as_millis(), Ordering::Relaxed);
        for table in self.tables() {
            let (kept, empty) = table.sweep(now);
            swept.extend(kept);
            forgotten.extend(empty);
        }
        (swept, forgotten)
    }

    /// All accounts, none of which is here any more.
    pub(super) fn take_all(&self) -> Vec<Arc<Account>> {
        let mut all = Vec::new();
        for table in self.tables() {
            let mut accounts = table.lock();
            while let Some((_, account)) = accounts.pop_lru() {
                all.push(account);
            }
        }
        all
    }
}

/// What this environment holds of one counter.
pub(super) struct Account {
    pub(super) counter: Box<str>,
    /// Where clients can make as many of these as they like, what they cost is told nowhere.
    pub(super) crowd: Crowd,
    /// What requests cost since the counter was told, in nano-dollars; below 0 where more was told than came, because a
    /// request is told with what it is expected to cost before it has an end.
    owed: AtomicI64,
    /// How many they were; the same.
    unreported: AtomicI64,
    holdings: Mutex<Holdings>,
    /// One fetch at a time: others wait for what it brings.
    pub(super) fetching: tokio::sync::Mutex<()>,
    /// How many fetches found no counter: whoever waited for one need not wait for another.
    pub(super) outages: AtomicU64,
    /// How often its counter was asked.
    pub(super) calls: AtomicU32,
    /// The longest window, in milliseconds, of all limits that may share the counter.
    longest_millis: AtomicU64,
}

/// Leases by [`Rule::key`].
pub(super) type Holdings = BTreeMap<Arc<str>, Holding>;

/// What is held of a limit.
pub(super) fn holding<'a>(holdings: &'a mut Holdings, rule: &Rule) -> &'a mut Holding {
    holdings.entry(Arc::clone(rule.key())).or_default()
}

/// What is held of one limit.
#[derive(Default)]
pub(super) struct Holding {
    pub(super) lease: Lease,
    /// The rule as a request last had it: its number may change with a snapshot.
    pub(super) rule: Option<Arc<Rule>>,
    /// Permits that requests wait for, as long as they do.
    pub(super) awaited: u64,
    /// Permits that were spent without being held: the counter could not be reached.
    unpaid: Spent,
    /// The window whose slot had begun when an account before this one had to go.
    begun: Option<u64>,
}

impl Holding {
    /// Whether so many permits may be spent without being held: of a tenth of the limit in each window.
    pub(super) fn may_owe(&self, rule: &Rule, now: Timestamp, permits: u64) -> bool {
        self.owed(rule, now) + permits <= rule.limit / UNPAID_PART
    }

    fn owed(&self, rule: &Rule, now: Timestamp) -> u64 {
        if self.unpaid.index == rule.window.index(now) { self.unpaid.permits } else { 0 }
    }

    fn owe(&mut self, rule: &Rule, now: Timestamp, permits: u64) {
        let index = rule.window.index(now);
        if self.unpaid.index != index {
            self.unpaid = Spent { index, permits: 0 };
        }
        self.unpaid.permits += permits;
        self.lease.spend_unpaid(rule, now, permits);
    }

    /// Whether it is known that the counter's slot of this window has begun.
    pub(super) fn has_begun(&self, rule: &Rule, now: Timestamp) -> bool {
        self.begun == Some(rule.window.index(now)) || self.lease.has_begun(rule, now)
    }

    /// What is to be kept in mind of it where it has to go.
    pub(super) fn memory(&self, is_chosen: bool, now: Timestamp) -> Option<Memory> {
        let rule = self.rule.as_ref()?;
        // The counters of callers are told what was counted alone, and what of theirs has begun is not asked.
        let counted = self.lease.counted(rule, now).filter(|_| is_chosen);
        let has_begun = is_chosen && self.has_begun(rule, now);
        let unpaid = self.owed(rule, now);
        let is_worth_it = counted.is_some() || has_begun || unpaid > 0;
        is_worth_it.then(|| Memory { index: rule.window.index(now), counted, unpaid, has_begun })
    }

    /// Takes back what was kept in mind of this window.
    pub(super) fn recall(&mut self, rule: &Rule, memory: Memory, now: Timestamp) {
        let Memory { index, counted, unpaid, has_begun } = memory;
        if let Some(counted) = counted {
            self.lease.recall(rule, now, counted);
        }
        self.unpaid = Spent { index, permits: unpaid };
        self.begun = has_begun.then_some(index);
    }

    /// Whether forgetting it loses nothing. What was spent of a scope that clients choose, nobody is told but by the way.
    fn is_empty(&self, is_chosen: bool, now: Timestamp) -> bool {
        let Some(rule) = &self.rule else { return true };
        let is_empty = if is_chosen { !self.lease.is_of_use(rule, now) } else { self.lease.is_empty(rule, now) };
        let is_quiet = self.lease.is_quiet(now, FORGOTTEN_AFTER);
        is_empty && is_quiet && self.owed(rule, now) == 0 && self.awaited == 0
    }
}

impl Account {
    pub(super) fn lock(&self) -> MutexGuard<'_, Holdings> {
        self.holdings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether clients can make as many of these as they like.
    pub(super) fn is_chosen(&self) -> bool {
        self.crowd.is_chosen()
    }

    /// Notes that one of the limits that may share the counter has a window of this length.
    pub(super) fn lasts(&self, window: Duration) {
        let millis = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        self.longest_millis.fetch_max(millis, Ordering::Relaxed);
    }

    /// The longest window of all limits that may share the counter.
    pub(super) fn longest(&self) -> Duration {
        Duration::from_millis(self.longest_millis.load(Ordering::Relaxed))
    }

    /// The consumer whose requests it counts, and nobody else's.
    pub(super) fn consumer(&self) -> Option<&str> {
        self.counter.split_once('|').and_then(|(_, scope)| scope.strip_prefix("c#"))
    }

    /// Whether no request came for so long that none may come any more.
    pub(super) fn is_silent(&self, now: Timestamp) -> bool {
        self.lock().values().all(|holding| holding.lease.is_silent(now))
    }

    /// Whether forgetting it loses nothing.
    fn is_empty(&self, now: Timestamp) -> bool {
        self.lock().values().all(|holding| holding.is_empty(self.is_chosen(), now))
    }

    /// Notes a request or what it cost, or that what was to be told was not.
    pub(super) fn owe(&self, UsageSum { requests, nanodollars }: UsageSum) {
        let owe =
            |number: &AtomicI64, more| number.fetch_add(i64::try_from(more).unwrap_or(i64::MAX), Ordering::Relaxed);
        owe(&self.unreported, requests);
        owe(&self.owed, nanodollars);
    }

    /// What its counter is to be told, with the request in flight and what it is expected to cost: the environment may end
    /// before the next write.
    pub(super) fn bill(&self, expected: UsageSum) -> UsageSum {
        let bill = |number: &AtomicI64, expected| {
            let expected = i64::try_from(expected).unwrap_or(i64::MAX);
            let told = number.load(Ordering::Relaxed).saturating_add(expected).max(0);
            number.fetch_sub(told, Ordering::Relaxed);
            told.unsigned_abs()
        };
        UsageSum {
            requests: bill(&self.unreported, expected.requests),
            nanodollars: bill(&self.owed, expected.nanodollars),
        }
    }

    /// Whether a caller's counter is still to be told what was counted alone.
    pub(super) fn has_rest(&self, now: Timestamp) -> bool {
        let is_untold =
            |Holding { lease, rule, .. }: &Holding| rule.as_ref().is_some_and(|rule| lease.has_untold(rule, now));
        !self.is_chosen() && self.lock().values().any(is_untold)
    }

    /// The rules of limits that are counted alone.
    pub(super) fn rules(&self) -> Vec<Arc<Rule>> {
        let rules = self.lock().values().filter_map(|holding| holding.rule.clone()).collect::<Vec<_>>();
        rules.into_iter().filter(|rule| rule.mode == Mode::Approximate).collect()
    }

    /// By limit, what was spent in windows and will never be told to their slots; once.
    pub(super) fn left_over(&self, now: Timestamp) -> Vec<(Arc<Rule>, Vec<Spent>)> {
        let left_over = |Holding { lease, rule, .. }: &mut Holding| {
            let rule = rule.clone()?;
            let over = lease.left_over(&rule, now);
            (!over.is_empty()).then_some((rule, over))
        };
        self.lock().values_mut().filter_map(left_over).collect()
    }

    /// Deducts what is not needed any more, and yields it to be sent: everything, where the environment is leaving.
    pub(super) fn give_back(&self, now: Timestamp, is_leaving: bool) -> Vec<Return> {
        let give_back = |Holding { lease, rule, .. }: &mut Holding| {
            rule.as_ref().map(|rule| lease.give_back(rule, now, is_leaving)).unwrap_or_default()
        };
        let back = self.lock().values_mut().flat_map(give_back).collect::<Vec<_>>();
        // What was spent alone is worth a write only where it is a caller's usage.
        back.into_iter().filter(|back| back.permits > 0 || !self.is_chosen()).collect()
    }
}

/// Requests' permits that are being fetched: whoever asks a counter meanwhile asks for these, too.
pub(super) struct Awaiting(Vec<Want>);

impl Awaiting {
    /// As long as it lives.
    pub(super) fn begin(wants: &[Want]) -> Self {
        wants.iter().for_each(|want| want.with(|holding| holding.awaited += want.permits));
        Self(wants.to_vec())
    }
}

impl Drop for Awaiting {
    fn drop(&mut self) {
        self.0.iter().for_each(|want| want.with(|holding| holding.awaited -= want.permits));
    }
}

/// The accounts of these wants, each once and always in the same order, so that two requests never wait for each other.
pub(super) fn distinct<'a>(wants: impl IntoIterator<Item = &'a Want>) -> Vec<&'a Arc<Account>> {
    let mut accounts: Vec<&Arc<Account>> = wants.into_iter().map(|want| &want.account).collect();
    accounts.sort_by_key(|account| Arc::as_ptr(account));
    accounts.dedup_by_key(|account| Arc::as_ptr(account));
    accounts
}

/// Spends from every limit, or from none if one has too little and may not do without permits.
pub(super) fn deduct(wants: &[Want], now: Timestamp) -> bool {
    let accounts = distinct(wants);
    let mut locked: Vec<(*const Account, MutexGuard<'_, Holdings>)> =
        accounts.iter().map(|account| (Arc::as_ptr(account), account.lock())).collect();
    let mut of = |want: &Want, act: &dyn Fn(&mut Holding) -> bool| {
        let holdings = locked.iter_mut().find(|(account, _)| *account == Arc::as_ptr(&want.account));
        holdings.and_then(|(_, holdings)| holdings.get_mut(want.rule.key())).is_some_and(act)
    };
    let has_enough = |want: &Want| {
        of(want, &|holding| {
            let has = holding.lease.credit(&want.rule, now) >= want.permits;
            has || want.is_owing && holding.may_owe(&want.rule, now, want.permits)
        })
    };
    if !wants.iter().all(has_enough) {
        return false;
    }
    wants.iter().all(|want| {
        of(want, &|holding| {
            if !holding.lease.spend(&want.rule, now, want.permits) {
                holding.owe(&want.rule, now, want.permits);
            }
            true
        })
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc, time::Duration};

    use faregate_core::{
        limit::{Mode, Rule, Spent, Window},
        time::Timestamp,
    };
    use proptest::{
        prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest},
        sample::select,
    };

    use super::{Accounts, Crowd, FORGOTTEN_AFTER, Holding, SWEPT_MAX};

    const MAX: usize = 4;
    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    /// A debt in the present window: to forget it would lose something.
    fn holding() -> Holding {
        let rule = Rule::new("x", 100, Window::Day, Mode::Exact);
        let unpaid = Spent { index: rule.window.index(NOW), permits: 1 };
        Holding { rule: Some(Arc::new(rule)), unpaid, ..Holding::default() }
    }

    #[test]
    fn a_sweep_goes_through_all_and_changes_nothing_of_who_has_to_go() {
        let accounts = Accounts::holding(2 * SWEPT_MAX);
        for number in 0..2 * SWEPT_MAX {
            let (account, _) = accounts.get(&number.to_string(), Crowd::Callers);
            account.lock().insert("x".into(), holding());
        }
        for (seconds, first) in [(0, 0), (1, SWEPT_MAX), (2, 0)] {
            let swept = accounts.some(NOW.plus(Duration::from_secs(seconds)));
            let expected: Vec<String> = (first..first + SWEPT_MAX).map(|number| number.to_string()).collect();
            assert_eq!(swept.0.iter().map(|account| &*account.counter).collect::<Vec<_>>(), expected);
        }
        for number in 0..SWEPT_MAX {
            let (_, evicted) = accounts.get(&format!("new {number}"), Crowd::Callers);
            assert_eq!(evicted.map(|account| account.counter.to_string()), Some(number.to_string()));
        }
    }

    #[test]
    fn what_was_spent_is_kept_for_callers_and_forgotten_of_what_clients_choose() {
        for (crowd, is_kept) in [(Crowd::Callers, true), (Crowd::Strangers, false)] {
            let accounts = Accounts::holding(MAX);
            let (account, _) = accounts.get("c", crowd);
            let rule = Arc::new(Rule::new("x", 100, Window::Day, Mode::Exact));
            let mut held = Holding { rule: Some(Arc::clone(&rule)), ..Holding::default() };
            held.lease.request(NOW);
            held.lease.spend_unpaid(&rule, NOW, 1);
            account.lock().insert("x".into(), held);
            let then = |after| NOW.plus(FORGOTTEN_AFTER - after);
            // As long as a request has it, it stays; and so it does until none came for a while.
            assert_eq!(accounts.some(then(Duration::ZERO)).0.len(), 1);
            drop(account);
            assert_eq!(accounts.some(then(Duration::from_secs(1))).0.len(), 1, "{crowd:?}");
            assert_eq!(accounts.some(then(Duration::ZERO)).0.len(), usize::from(is_kept));
            assert_eq!(accounts.take_all().len(), usize::from(is_kept), "{crowd:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        /// QUOTAS.md, 11, in a table of four.
        #[test]
        fn each_table_stays_within_its_bound_and_hands_out_whoever_has_to_go(
            steps in prop::collection::vec(
                (select(vec![Crowd::Callers, Crowd::Values, Crowd::Strangers]), 0..9_u8, any::<bool>(), 0..8_u8),
                1..48,
            ),
        ) {
            let accounts = Accounts::holding(MAX);
            let mut holding_something = BTreeSet::new();
            let mut now = NOW;
            for (crowd, number, holds, kind) in steps {
                if kind == 0 {
                    now = now.plus(Duration::from_secs(1));
                    accounts.some(now);
                } else {
                    let counter = format!("{crowd:?} {number}");
                    let before = accounts.tables().map(|table| table.lock().len());
                    let (account, evicted) = accounts.get(&counter, crowd);
                    prop_assert_eq!(&*account.counter, &*counter);
                    if let Some(evicted) = evicted {
                        prop_assert!(evicted.counter.starts_with(&format!("{crowd:?} ")), "of another crowd");
                        prop_assert!(before.contains(&MAX), "nobody had to go");
                        holding_something.remove(&evicted.counter);
                    }
                    if holds {
                        account.lock().insert("x".into(), holding());
                        holding_something.insert(account.counter.clone());
                    }
                }
                let held: Vec<_> = accounts.tables().map(|table| table.lock().iter().map(|(counter, _)| counter.clone()).collect::<Vec<_>>()).into();
                prop_assert!(held.iter().all(|table| table.len() <= MAX), "{:?}", held);
                let held: BTreeSet<_> = held.into_iter().flatten().collect();
                prop_assert!(holding_something.is_subset(&held), "forgotten: {:?} of {:?}", holding_something, held);
            }
            let taken: BTreeSet<_> = accounts.take_all().into_iter().map(|account| account.counter.clone()).collect();
            prop_assert!(holding_something.is_subset(&taken));
            prop_assert!(accounts.tables().iter().all(|table| table.lock().is_empty()));
        }
    }
}
