//! A window that ends while its counter is asked.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use faregate_core::{
    limit::{Ask, Counter, Return, RollUp, SlotName, Window},
    time::Timestamp,
};
use faregate_engine::{
    fakes::{FakeClock, FakeCounters},
    ports::{Counters, StoreError, Taken, Terms},
};
use serde_json::json;

use super::{
    limits::{daily, document},
    support::{Answer, Harness, KEY, NOW, request},
};

/// Counters whose next answer comes after midnight.
struct Midnight {
    counters: Arc<FakeCounters>,
    clock: Arc<FakeClock>,
    is_near: AtomicBool,
}

impl Midnight {
    fn pass(&self) {
        if self.is_near.swap(false, Ordering::Relaxed) {
            self.clock.set(Window::Day.end(Window::Day.index(NOW)));
        }
    }
}

#[async_trait]
impl Counters for Midnight {
    async fn take(&self, counter: &str, asked: &[Ask], terms: Terms) -> Result<Taken, StoreError> {
        let taken = self.counters.take(counter, asked, terms).await;
        self.pass();
        taken
    }

    async fn give_back(&self, counter: &str, back: &Return) -> Result<bool, StoreError> {
        self.counters.give_back(counter, back).await
    }

    async fn roll_up(&self, roll_up: &RollUp, expires_at: Timestamp) -> Result<(), StoreError> {
        self.counters.roll_up(roll_up, expires_at).await
    }

    async fn read(&self, counter: &str, slots: &[SlotName]) -> Result<Counter, StoreError> {
        let read = self.counters.read(counter, slots).await;
        self.pass();
        read
    }

    fn skew_millis(&self) -> i64 {
        0
    }
}

#[tokio::test]
async fn a_day_that_ends_while_its_full_counter_is_asked_refuses_nobody() {
    for was_denied in [false, true] {
        let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(1))).await;
        harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
        let counters = Midnight {
            counters: Arc::clone(&harness.counters),
            clock: Arc::clone(&harness.clock),
            is_near: AtomicBool::new(false),
        };
        let counters = Arc::new(counters);
        let second = harness.with_counters(Arc::<Midnight>::clone(&counters));
        let call = async |gateway| -> Answer {
            harness.through(gateway, request("GET", "https://h/", &[("x-api-key", KEY)])).await
        };
        assert_eq!(call(&harness.gateway).await.status, 200);
        if was_denied {
            assert_eq!(call(&second).await.status, 429);
            // It does not believe the counter for so long, and reads before it writes.
            harness.clock.advance(std::time::Duration::from_secs(1));
            harness.counters.faults.forget_operations();
        }
        counters.is_near.store(true, Ordering::Relaxed);
        assert_eq!(call(&second).await.status, 200, "denied before: {was_denied}");
        assert_eq!(harness.counters.faults.count("read"), usize::from(was_denied));
        assert_eq!(call(&second).await.header("retry-after"), Some("86400"));
    }
}
