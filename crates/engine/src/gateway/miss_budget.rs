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

    /// Whether the address, and the environment, may have another key looked up.
    pub(super) fn allows(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let (own, all, _) = self.lock().now(network(address), now);
        own.tokens >= 1.0 && all.tokens >= 1.0
    }

    /// Counts a key that was looked up in vain.
    pub(super) fn missed(&self, address: Option<IpAddr>, now: Timestamp) {
        let mut buckets = self.lock();
        let (own, all, name) = buckets.now(network(address), now);
        buckets.environment = Some(Bucket { tokens: all.tokens - 1.0, ..all });
        buckets.addresses.put(name, Bucket { tokens: own.tokens - 1.0, ..own });
        if buckets.addresses.len() > ADDRESSES_MAX {
            buckets.addresses.pop_lru();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
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

    /// Looks a key up in vain, if that is allowed.
    fn miss(budget: &MissBudget, address: Option<IpAddr>, now: Timestamp) -> bool {
        let may = budget.allows(address, now);
        if may {
            budget.missed(address, now);
        }
        may
    }

    #[test]
    fn an_address_runs_out_before_the_others() {
        let budget = MissBudget::new();
        let now = Timestamp::from_seconds(1000);
        let address = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        assert_eq!((0..30).filter(|_| miss(&budget, address(1), now)).count(), 20);
        assert!(miss(&budget, address(2), now));
        let later = now.plus(Duration::from_secs(1));
        assert_eq!([miss(&budget, address(1), later), miss(&budget, address(1), later)], [true, false]);
    }

    #[test]
    fn many_addresses_run_out_together() {
        let budget = MissBudget::new();
        let now = Timestamp::from_seconds(1000);
        let missed = (0..20_000_u32).filter(|number| miss(&budget, Some(IpAddr::from(number.to_be_bytes())), now));
        assert_eq!(missed.count(), 100);
        // A clock that is set back brings nothing.
        assert!(!budget.allows(None, Timestamp::from_seconds(1)));
    }
}
