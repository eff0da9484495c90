//! How often counters may be asked that clients choose, such as those of addresses: a flood of refused requests must not
//! become a flood of reads and writes (SECURITY.md 21).
//!
//! There is no clock in it: ten refusals pay for one call, after a hundred that are given in advance. Each call of a request
//! that is refused in the end costs, whatever came of it; those of a request that is admitted cost nothing here. Whoever
//! comes and callers who choose values pay for themselves, so that a flood of the ones keeps none of the others out.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use futures_util::future::join_all;
use lru::LruCache;

use super::{
    Limits,
    accounts::{Account, Crowd},
    acquire::{Outcome, Reason},
    wants::Want,
};
use crate::gateway::network::neighbourhood;

/// What a call costs, in refusals.
const CALL: i64 = 10;
/// What an environment has at first, and at most.
const ENVIRONMENT_MAX: i64 = 1000;
/// The same of one neighbourhood of addresses, so that it cannot use up what all have.
const NEIGHBOURHOOD_MAX: i64 = 300;
/// The part of each, as a divisor, that is kept for counters of which nothing is known in their window: those that had
/// nothing left are asked again from what is beyond.
const KEPT_PART: i64 = 2;
/// How many neighbourhoods are remembered.
const NEIGHBOURHOODS_MAX: usize = 4096;

/// What the refusals of each crowd have paid for that chooses counters.
#[derive(Default)]
pub(super) struct RefusalsByCrowd {
    values: Refusals,
    strangers: Refusals,
}

impl RefusalsByCrowd {
    /// The crowd's own.
    fn of(&self, crowd: Crowd) -> &Refusals {
        match crowd {
            Crowd::Callers | Crowd::Values => &self.values,
            Crowd::Strangers => &self.strangers,
        }
    }
}

/// What refusals have paid for.
struct Refusals(Mutex<Credits>);

/// Below 0 where a request made more calls than it could pay for before.
struct Credits {
    environment: i64,
    /// Those that have not all of theirs; a forgotten one has it again.
    neighbourhoods: LruCache<Option<IpAddr>, i64>,
}

/// The calls of one request to counters that its crowd chooses.
#[derive(Default)]
pub(super) struct Calls {
    /// How many it paid for in advance.
    paid: i64,
    /// How many it made.
    made: i64,
}

impl Default for Refusals {
    fn default() -> Self {
        // Unbounded only in name: a bounded one would reserve its whole table at the start.
        Self(Mutex::new(Credits { environment: ENVIRONMENT_MAX, neighbourhoods: LruCache::unbounded() }))
    }
}

impl Refusals {
    /// Counts a refusal.
    fn refused(&self, address: Option<IpAddr>) {
        self.lock().add(address, 1);
    }

    /// Takes the price of a call; `false`, and nothing is taken, where the environment or the neighbourhood has too little.
    fn pays(&self, address: Option<IpAddr>, is_known: bool) -> bool {
        let mut credits = self.lock();
        let least = |max: i64| CALL + if is_known { max / KEPT_PART } else { 0 };
        let has_own = credits.own(address) >= least(NEIGHBOURHOOD_MAX);
        let can_pay = has_own && credits.environment >= least(ENVIRONMENT_MAX);
        if can_pay {
            credits.add(address, -CALL);
        }
        can_pay
    }

    /// Charges a request for its calls, of which it paid for some.
    fn charge(&self, address: Option<IpAddr>, Calls { paid, made }: &Calls, is_refused: bool) {
        let price = if is_refused { made * CALL } else { 0 };
        self.lock().add(address, paid * CALL - price);
    }

    fn lock(&self) -> MutexGuard<'_, Credits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Credits {
    fn own(&self, address: Option<IpAddr>) -> i64 {
        self.neighbourhoods.peek(&neighbourhood(address)).copied().unwrap_or(NEIGHBOURHOOD_MAX)
    }

    fn add(&mut self, address: Option<IpAddr>, credit: i64) {
        self.environment = ENVIRONMENT_MAX.min(self.environment + credit);
        self.put(address, NEIGHBOURHOOD_MAX.min(self.own(address) + credit));
    }

    fn put(&mut self, address: Option<IpAddr>, own: i64) {
        if own == NEIGHBOURHOOD_MAX {
            self.neighbourhoods.pop(&neighbourhood(address));
            return;
        }
        self.neighbourhoods.put(neighbourhood(address), own);
        if self.neighbourhoods.len() > NEIGHBOURHOODS_MAX {
            self.neighbourhoods.pop_lru();
        }
    }
}

impl Limits {
    /// Fetches what a waiting request lacks, from all counters at once; from those that clients choose only as often as
    /// refusals have paid for. Beyond that none is asked, and it goes by what the counter said in this window, which is a
    /// refusal as any other; where that is nothing, the request may be tried again, since nobody is told that nothing is left
    /// by a counter that was not asked.
    pub(super) async fn ask(
        &self,
        accounts: &[Arc<Account>],
        wants: &[Want],
        address: Option<IpAddr>,
        calls: &mut Calls,
    ) -> Vec<Outcome> {
        let chosen: Vec<&Arc<Account>> = accounts.iter().filter(|account| account.is_chosen()).collect();
        let now = self.clock.now();
        for account in &chosen {
            let own = wants.iter().enumerate().filter(|(_, want)| Arc::ptr_eq(&want.account, account));
            let used_up: Vec<usize> = own.filter(|(_, want)| want.is_used_up(now)).map(|(number, _)| number).collect();
            if !self.refusals.of(account.crowd).pays(address, !used_up.is_empty()) {
                return vec![match used_up.is_empty() {
                    true => Outcome::Rejected("too many requests were refused to ask for this one".to_owned()),
                    false => Outcome::Exhausted(used_up),
                }];
            }
            calls.paid += 1;
        }
        let made = || accounts.iter().map(|account| account.calls.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let before = made();
        let outcomes = join_all(accounts.iter().map(|account| self.acquire(account, wants, Reason::Lacking))).await;
        for (((account, outcome), before), after) in accounts.iter().zip(&outcomes).zip(before).zip(made()) {
            // A store that is away bills nothing, and is asked again as soon as it is back.
            if account.is_chosen() && !matches!(outcome, Outcome::Unavailable(_)) {
                calls.made += i64::from(after.wrapping_sub(before));
            }
        }
        outcomes
    }

    /// Charges a request for its calls, and counts its refusal, where it has counters that clients choose.
    pub(super) fn charge(&self, wants: &[Want], address: Option<IpAddr>, calls: &Calls, is_refused: bool) {
        // All of a request are of one crowd: its caller is proven or not.
        let Some(chosen) = wants.iter().find(|want| want.account.is_chosen()) else { return };
        let refusals = self.refusals.of(chosen.account.crowd);
        refusals.charge(address, calls, is_refused);
        if is_refused {
            refusals.refused(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::{
        prelude::{any, prop, prop_assert, proptest},
        sample::select,
    };

    use super::{CALL, Calls, ENVIRONMENT_MAX, NEIGHBOURHOOD_MAX, Refusals};

    fn address(network: u8, last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, network, last]))
    }

    #[test]
    fn a_neighbourhood_runs_out_before_the_others_and_ten_refusals_pay_for_a_call() {
        let refusals = Refusals::default();
        let asked = (0..=u8::MAX).filter(|last| refusals.pays(address(1, *last), false)).count();
        assert_eq!(asked as i64, NEIGHBOURHOOD_MAX / CALL);
        assert!(refusals.pays(address(2, 1), false));
        for _ in 0..CALL {
            assert!(!refusals.pays(address(1, 1), false));
            refusals.refused(address(1, 2));
        }
        assert_eq!([refusals.pays(address(1, 1), false), refusals.pays(address(1, 1), false)], [true, false]);
    }

    #[test]
    fn what_was_used_up_is_asked_again_only_from_half_of_it() {
        let refusals = Refusals::default();
        let known = (0..=u8::MAX).filter(|network| refusals.pays(address(*network, 1), true)).count();
        assert_eq!(known as i64, ENVIRONMENT_MAX / 2 / CALL);
        let unknown = (0..=u8::MAX).filter(|network| refusals.pays(address(*network, 2), false)).count();
        assert_eq!(unknown as i64, ENVIRONMENT_MAX / 2 / CALL);
        let refusals = Refusals::default();
        assert_eq!((0..=u8::MAX).filter(|last| refusals.pays(address(1, *last), true)).count(), 15);
        assert_eq!((0..=u8::MAX).filter(|last| refusals.pays(address(1, *last), false)).count(), 15);
    }

    #[test]
    fn a_call_that_brought_permits_costs_nothing() {
        let refusals = Refusals::default();
        for _ in 0..1000 {
            assert!(refusals.pays(address(1, 1), false));
            refusals.charge(address(1, 1), &Calls { paid: 1, made: 3 }, false);
        }
    }

    #[test]
    fn what_a_request_could_not_pay_is_paid_for_before_anything_else() {
        let refusals = Refusals::default();
        while refusals.pays(address(1, 1), false) {}
        refusals.charge(address(1, 1), &Calls { paid: 0, made: 2 }, true);
        for _ in 0..2 * CALL + CALL {
            assert!(!refusals.pays(address(1, 1), false));
            refusals.refused(address(1, 1));
        }
        assert!(refusals.pays(address(1, 1), false));
    }

    proptest! {
        #[test]
        fn calls_in_vain_cost_no_more_than_what_is_given_in_advance_and_a_tenth_of_the_refusals(
            steps in prop::collection::vec((0..6_u8, any::<bool>(), select(vec![None, Some(0), Some(1), Some(3)])), 0..4000),
        ) {
            let refusals = Refusals::default();
            let (mut charged, mut refused) = (0, 0);
            for (network, is_known, in_vain) in steps {
                match in_vain {
                    None => {
                        refusals.refused(address(network, 1));
                        refused += 1;
                    }
                    Some(in_vain) => {
                        if refusals.pays(address(network, 1), is_known) {
                            refusals.charge(address(network, 1), &Calls { paid: 1, made: in_vain }, true);
                            charged += in_vain * CALL;
                        }
                    }
                }
                // The last request of all may have made two more calls than it could pay for.
                prop_assert!(charged <= ENVIRONMENT_MAX + refused + 2 * CALL, "{} for {}", charged, refused);
            }
        }
    }
}
