//! How many unknown API keys may be looked up: a flood of made-up ones must not become a flood of reads (SECURITY.md 21).

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use faregate_core::time::Timestamp;
use lru::LruCache;

use super::network::network;

/// Look-ups of unknown keys that one address may cause at once, and then each second.
const ADDRESS: Rate = Rate { burst: 20.0, per_second: 1.0 };
/// The same of all addresses together.
const ENVIRONMENT: Rate = Rate { burst: 100.0, per_second: 2.0 };
/// How many addresses are remembered.
const ADDRESSES_MAX: usize = 4096;

#[derive(Clone, Copy)]
struct Rate {
    burst: f64,
    per_second: f64,
}

/// A token bucket.
#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Bucket {
    fn full(rate: Rate, now: Timestamp) -> Self {
        Self { tokens: rate.burst, at: now }
    }

    fn with(self, tokens: f64) -> Self {
        Self { tokens: self.tokens + tokens, ..self }
    }

    fn refilled(self, rate: Rate, now: Timestamp) -> Self {
        let gained = now.since(self.at).as_secs_f64() * rate.per_second;
        Self { tokens: (self.tokens + gained).min(rate.burst), at: now }
    }
}

/// Look-ups that are left to this environment, and to each address.
pub(super) struct MissBudget(Mutex<Buckets>);

struct Buckets {
    environment: Option<Bucket>,
    addresses: LruCache<String, Bucket>,
}

impl MissBudget {
    pub(super) fn new() -> Self {
        // Unbounded only in name: a bounded one would reserve its whole table at the start.
        Self(Mutex::new(Buckets { environment: None, addresses: LruCache::unbounded() }))
    }

    /// Takes the price of looking up another key; whether the address, and the environment, could pay it.
    pub(super) fn pays(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let mut buckets = self.lock();
        let (own, all, name) = buckets.now(network(address), now);
        let can_pay = own.tokens >= 1.0 && all.tokens >= 1.0;
        if can_pay {
            buckets.put(name, own.with(-1.0), all.with(-1.0));
        }
        can_pay
    }

    /// Gives the price back: the key was not looked up in vain.
    pub(super) fn refund(&self, address: Option<IpAddr>, now: Timestamp) {
        let mut buckets = self.lock();
        let (own, all, name) = buckets.now(network(address), now);
        buckets.put(name, own.with(1.0), all.with(1.0));
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    fn put(&mut self, name: String, own: Bucket, all: Bucket) {
        self.environment = Some(all);
        self.addresses.put(name, own);
        if self.addresses.len() > ADDRESSES_MAX {
            self.addresses.pop_lru();
        }
    }

    /// The buckets of an address and of the environment as they are now.
    fn now(&self, name: String, now: Timestamp) -> (Bucket, Bucket, String) {
        let refilled = |bucket: Option<Bucket>, rate| match bucket {
            Some(bucket) => bucket.refilled(rate, now),
            None => Bucket::full(rate, now),
        };
        (refilled(self.addresses.peek(&name).copied(), ADDRESS), refilled(self.environment, ENVIRONMENT), name)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use faregate_core::time::Timestamp;

    use super::MissBudget;

    #[test]
    fn an_address_runs_out_before_the_others() {
        let budget = MissBudget::new();
        let now = Timestamp::from_seconds(1000);
        let address = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        assert_eq!((0..30).filter(|_| budget.pays(address(1), now)).count(), 20);
        assert!(budget.pays(address(2), now));
        let later = now.plus(Duration::from_secs(1));
        assert_eq!([budget.pays(address(1), later), budget.pays(address(1), later)], [true, false]);
    }

    #[test]
    fn many_addresses_run_out_together() {
        let budget = MissBudget::new();
        let now = Timestamp::from_seconds(1000);
        let missed = (0..20_000_u32).filter(|number| budget.pays(Some(IpAddr::from(number.to_be_bytes())), now));
        assert_eq!(missed.count(), 100);
        // A clock that is set back brings nothing.
        assert!(!budget.pays(None, Timestamp::from_seconds(1)));
        // A key that was found costs nothing.
        budget.refund(None, now);
        assert_eq!([budget.pays(None, now), budget.pays(None, now)], [true, false]);
    }
}
