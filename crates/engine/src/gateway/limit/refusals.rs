//! How often counters may be asked that clients choose, such as those of addresses: a flood of refused requests must not
//! become a flood of reads and writes (SECURITY.md 21).
//!
//! There is no clock in it: ten refusals pay for one call, after a hundred that are given in advance. What a call brings a
//! permit for was not asked in vain, and costs nothing here.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use futures_util::future::join_all;
use lru::LruCache;

use super::{
    Limits,
    accounts::Account,
    acquire::{Outcome, Reason},
    wants::Want,
};
use crate::gateway::network::neighbourhood;

/// What a call costs, in refusals.
const CALL: u32 = 10;
/// What an environment has at first, and at most.
const ENVIRONMENT_MAX: u32 = 1000;
/// The same of one neighbourhood of addresses, so that it cannot use up what all have.
const NEIGHBOURHOOD_MAX: u32 = 300;
/// The part of each, as a divisor, that is kept for counters of which nothing is known in their window: those that had
/// nothing left are asked again from what is beyond.
const KEPT_PART: u32 = 2;
/// How many neighbourhoods are remembered.
const NEIGHBOURHOODS_MAX: usize = 4096;

/// What refusals have paid for.
pub(super) struct Refusals(Mutex<Credits>);

struct Credits {
    environment: u32,
    /// Those that have not all of theirs; a forgotten one has it again.
    neighbourhoods: LruCache<Option<IpAddr>, u32>,
}

impl Default for Refusals {
    fn default() -> Self {
        // Unbounded only in name: a bounded one would reserve its whole table at the start.
        Self(Mutex::new(Credits { environment: ENVIRONMENT_MAX, neighbourhoods: LruCache::unbounded() }))
    }
}

impl Refusals {
    /// Counts a refusal.
    pub(super) fn refused(&self, address: Option<IpAddr>) {
        self.lock().add(address, 1);
    }

    /// Takes the price of a call; `false`, and nothing is taken, where the environment or the neighbourhood has too little.
    fn pays(&self, address: Option<IpAddr>, is_known: bool) -> bool {
        let mut credits = self.lock();
        let least = |max: u32| CALL + if is_known { max / KEPT_PART } else { 0 };
        let has_own = credits.own(address) >= least(NEIGHBOURHOOD_MAX);
        let can_pay = has_own && credits.environment >= least(ENVIRONMENT_MAX);
        if can_pay {
            credits.take(address, CALL);
        }
        can_pay
    }

    /// Settles so many calls that were paid for: as many as these were made in vain.
    fn settle(&self, address: Option<IpAddr>, paid: u32, made: u32) {
        let (paid, price) = (paid.saturating_mul(CALL), made.saturating_mul(CALL));
        let mut credits = self.lock();
        credits.take(address, price.saturating_sub(paid));
        credits.add(address, paid.saturating_sub(price));
    }

    fn lock(&self) -> MutexGuard<'_, Credits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Credits {
    fn own(&self, address: Option<IpAddr>) -> u32 {
        self.neighbourhoods.peek(&neighbourhood(address)).copied().unwrap_or(NEIGHBOURHOOD_MAX)
    }

    fn add(&mut self, address: Option<IpAddr>, credit: u32) {
        self.environment = ENVIRONMENT_MAX.min(self.environment + credit);
        self.put(address, NEIGHBOURHOOD_MAX.min(self.own(address) + credit));
    }

    fn take(&mut self, address: Option<IpAddr>, credit: u32) {
        self.environment = self.environment.saturating_sub(credit);
        self.put(address, self.own(address).saturating_sub(credit));
    }

    fn put(&mut self, address: Option<IpAddr>, own: u32) {
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
    /// refusals have paid for. Beyond that none is asked, and it goes by what the counter said in this window; where that is
    /// nothing, the request may be tried again, since nobody is refused for a number that was not asked for.
    pub(super) async fn ask(&self, accounts: &[Arc<Account>], wants: &[Want], address: Option<IpAddr>) -> Vec<Outcome> {
        let chosen: Vec<&Arc<Account>> = accounts.iter().filter(|account| account.is_chosen).collect();
        let now = self.clock.now();
        for (paid, account) in (0..).zip(&chosen) {
            let own = wants.iter().enumerate().filter(|(_, want)| Arc::ptr_eq(&want.account, account));
            let used_up: Vec<usize> = own.filter(|(_, want)| want.is_used_up(now)).map(|(number, _)| number).collect();
            if !self.refusals.pays(address, !used_up.is_empty()) {
                self.refusals.settle(address, paid, 0);
                return vec![match used_up.is_empty() {
                    true => Outcome::Rejected("too many requests were refused to ask for this one".to_owned()),
                    false => Outcome::Exhausted(used_up),
                }];
            }
        }
        let calls = || chosen.iter().map(|account| account.calls.load(Ordering::Relaxed)).sum::<u32>();
        let before = calls();
        let outcomes = join_all(accounts.iter().map(|account| self.acquire(account, wants, Reason::Lacking))).await;
        // What others granted was asked for in vain, too.
        let in_vain = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Exhausted(_)));
        let made = if in_vain { calls().wrapping_sub(before) } else { 0 };
        self.refusals.settle(address, u32::try_from(chosen.len()).unwrap_or(u32::MAX), made);
        outcomes
    }

    /// Counts the refusal of a request that has counters which clients choose.
    pub(super) fn refused(&self, wants: &[Want], address: Option<IpAddr>) {
        if wants.iter().any(|want| want.account.is_chosen) {
            self.refusals.refused(address);
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

    use super::{CALL, ENVIRONMENT_MAX, NEIGHBOURHOOD_MAX, Refusals};

    fn address(network: u8, last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, network, last]))
    }

    #[test]
    fn a_neighbourhood_runs_out_before_the_others_and_ten_refusals_pay_for_a_call() {
        let refusals = Refusals::default();
        let asked = (0..=u8::MAX).filter(|last| refusals.pays(address(1, *last), false)).count();
        assert_eq!(asked as u32, NEIGHBOURHOOD_MAX / CALL);
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
        assert_eq!(known as u32, ENVIRONMENT_MAX / 2 / CALL);
        let unknown = (0..=u8::MAX).filter(|network| refusals.pays(address(*network, 2), false)).count();
        assert_eq!(unknown as u32, ENVIRONMENT_MAX / 2 / CALL);
        let refusals = Refusals::default();
        assert_eq!((0..=u8::MAX).filter(|last| refusals.pays(address(1, *last), true)).count(), 15);
        assert_eq!((0..=u8::MAX).filter(|last| refusals.pays(address(1, *last), false)).count(), 15);
    }

    #[test]
    fn a_call_that_brought_permits_costs_nothing() {
        let refusals = Refusals::default();
        for _ in 0..1000 {
            assert!(refusals.pays(address(1, 1), false));
            refusals.settle(address(1, 1), 1, 0);
        }
    }

    proptest! {
        #[test]
        fn calls_in_vain_cost_no_more_than_what_is_given_in_advance_and_a_tenth_of_the_refusals(
            steps in prop::collection::vec((0..6_u8, any::<bool>(), select(vec![None, Some(true), Some(false)])), 0..4000),
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
                            refusals.settle(address(network, 1), 1, u32::from(in_vain));
                            charged += if in_vain { CALL } else { 0 };
                        }
                    }
                }
                prop_assert!(charged <= ENVIRONMENT_MAX + refused, "{} for {}", charged, refused);
            }
        }
    }
}
