//! Asking a counter for permits, and giving them back.

use std::{sync::atomic::Ordering, time::Duration};

use faregate_core::{
    limit::{Obstacle, Return, Rule, Take},
    time::Timestamp,
};
use tokio::time::sleep;

use super::{
    Limits,
    accounts::{Account, name_of},
    wants::Want,
};
use crate::ports::{StoreError, Taken};

/// How often a take is sent, each time for another reason.
const TRIES_MAX: usize = 3;
/// How long to wait after a counter was throttled, at most.
const THROTTLED_WAIT_MAX: Duration = Duration::from_millis(40);
/// How long after its longest window a counter is kept.
const KEPT: Duration = Duration::from_secs(2 * 86_400);

/// What came of asking a counter.
pub(super) enum Outcome {
    /// Permits are in the account now.
    Granted,
    /// Of a limit that is needed nothing is left.
    Exhausted,
    /// The counter takes no more writes: the limit refuses.
    Throttled(String),
    /// What happened is not known, so nothing did; or the store says no.
    Unavailable(String),
}

impl Limits {
    /// Fetches what these wants lack in one account, in one write.
    pub(super) async fn acquire(&self, account: &Account, wants: &[Want]) -> Outcome {
        let now = self.clock.now();
        let wants: Vec<&Want> = wants.iter().filter(|want| std::ptr::eq(&*want.account, account)).collect();
        if let Some(outcome) = self.probe(account, &wants, now).await {
            return outcome;
        }
        let mut takes = self.takes(account, &wants, now);
        let mut throttled = "the counter is busy".to_owned();
        for _ in 0..TRIES_MAX {
            let sent: Vec<Take> = takes.iter().map(|(_, take)| take.clone()).collect();
            match self.counters.take(&account.counter, &sent, expires_at(&takes)).await {
                Ok(Taken::Granted(granted)) => {
                    let now = self.clock.now();
                    let mut holdings = account.lock();
                    for ((rule, take), granted) in takes.iter().zip(granted) {
                        holdings.entry(name_of(rule)).or_default().lease.taken(take, granted, now);
                    }
                    return Outcome::Granted;
                }
                Ok(Taken::Refused(counter)) => {
                    let mut holdings = account.lock();
                    let mut is_exhausted = false;
                    for (rule, take) in &mut takes {
                        match take.obstacle(&counter) {
                            None => take.resets = false,
                            Some(Obstacle::OlderWindow) => take.resets = true,
                            Some(obstacle) => {
                                let random = self.random_part();
                                let lease = &mut holdings.entry(name_of(rule)).or_default().lease;
                                lease.refused(rule, take, obstacle, now, random);
                                is_exhausted = true;
                            }
                        }
                    }
                    if is_exhausted {
                        return Outcome::Exhausted;
                    }
                }
                Err(StoreError::Throttled(cause)) => {
                    sleep(THROTTLED_WAIT_MAX.mul_f64(self.random_part())).await;
                    throttled = cause;
                }
                Err(error) => return Outcome::Unavailable(error.to_string()),
            }
        }
        Outcome::Throttled(throttled)
    }

    /// Asks without writing where the counter said before that nothing is left.
    async fn probe(&self, account: &Account, wants: &[&Want], now: Timestamp) -> Option<Outcome> {
        let was_denied = |want: &&&Want| {
            let holdings = account.lock();
            let lease = holdings.get(&name_of(&want.rule)).map(|holding| &holding.lease);
            lease.is_some_and(|lease| lease.was_denied(want.rule.window.index(now)))
        };
        let doubted: Vec<&&Want> = wants.iter().filter(was_denied).collect();
        if doubted.is_empty() {
            return None;
        }
        let takes: Vec<(Rule, Take)> = self.takes(account, wants, now);
        let slots: Vec<_> = takes.iter().map(|(_, take)| take.slot.clone()).collect();
        let counter = match self.counters.read(&account.counter, &slots).await {
            Ok(counter) => counter,
            Err(StoreError::Throttled(cause)) => return Some(Outcome::Throttled(cause)),
            Err(error) => return Some(Outcome::Unavailable(error.to_string())),
        };
        let mut holdings = account.lock();
        let mut is_exhausted = false;
        for (rule, take) in &takes {
            if take.obstacle(&counter) == Some(Obstacle::Exhausted) {
                let lease = &mut holdings.entry(name_of(rule)).or_default().lease;
                lease.refused(rule, take, Obstacle::Exhausted, now, self.random_part());
                is_exhausted = true;
            }
        }
        is_exhausted.then_some(Outcome::Exhausted)
    }

    /// One take for each limit that lacks something.
    fn takes(&self, account: &Account, wants: &[&Want], now: Timestamp) -> Vec<(Rule, Take)> {
        let service = Duration::from_micros(self.service_micros.load(Ordering::Relaxed));
        let mut holdings = account.lock();
        let take = |want: &&Want| {
            let lease = &mut holdings.entry(name_of(&want.rule)).or_default().lease;
            let credit = lease.credit(want.rule.window.index(now));
            // What has enough rides along only when it runs low, too.
            if credit >= want.permits && !lease.is_low(want.rule.window.index(now)) {
                return None;
            }
            let needed = want.permits.saturating_sub(credit).max(1);
            let take = lease.take(&want.rule, needed, now, service, self.random_part());
            Some((want.rule.clone(), take))
        };
        wants.iter().filter_map(take).collect()
    }

    /// Sends returns, each once: whether one arrived is nobody's business any more.
    pub(super) async fn send_back(&self, account: &Account, back: Vec<Return>) {
        for back in back {
            let _ = self.counters.give_back(&account.counter, &back).await;
        }
    }

    /// A number from 0 to 1.
    fn random_part(&self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn expires_at(takes: &[(Rule, Take)]) -> Timestamp {
    let ends = takes.iter().map(|(rule, take)| rule.window.end(take.index));
    ends.max().unwrap_or_default().plus(KEPT)
}
