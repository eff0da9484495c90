//! The counter of a scope, shared by all environments: one item of the Usage table (ARCHITECTURE.md, limits).
//!
//! A limit has two slots, for windows of even and of odd numbers, or a bucket. What is written here as functions over a map is
//! what the store does in one conditional write; the fake store and the simulation run these functions themselves.

use std::collections::BTreeMap;

use super::{Draw, Rule, Window};
use crate::time::Timestamp;

/// One slot of one limit in a counter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotName {
    /// The limit's id, the window's unit and the slot's number: `monthly.M0`.
    name: String,
}

impl SlotName {
    /// The slot of a window.
    #[must_use]
    pub fn of(limit: &str, window: Window, index: u64) -> Self {
        Self { name: format!("{limit}.{}{}", window.unit(), index % 2) }
    }

    /// The limit and the window of a slot whose [`SlotName::index_attribute`] this is, and the slot.
    #[must_use]
    pub fn parse(attribute: &str) -> Option<(&str, Window, Self)> {
        let name = attribute.strip_suffix('i')?;
        let (limit, slot) = name.split_once('.')?;
        let unit = slot.strip_suffix(['0', '1'])?;
        Some((limit, Window::of_unit(unit)?, Self { name: name.to_owned() }))
    }

    /// The attribute with the window's number.
    #[must_use]
    pub fn index_attribute(&self) -> String {
        format!("{}i", self.name)
    }

    /// The attribute with the permits granted.
    #[must_use]
    pub fn granted_attribute(&self) -> String {
        format!("{}u", self.name)
    }

    /// The attribute with the permits settled.
    #[must_use]
    pub fn settled_attribute(&self) -> String {
        format!("{}s", self.name)
    }
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// The number of its window; only ever grows.
    pub index: u64,
    /// Permits granted in that window; may pass the limit, which then grants nothing.
    pub granted: u64,
    /// Permits that were really spent, as far as environments have said.
    pub settled: u64,
}

/// What a counter holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// By name; a slot that was never written is not there.
    pub slots: BTreeMap<SlotName, Slot>,
    /// By attribute: when each bucket is full, in microseconds since 1970.
    pub buckets: BTreeMap<String, u64>,
}

/// What is asked of one limit's part of a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Permits of a window.
    Take(Take),
    /// Permits of a bucket.
    Draw(Draw),
}

/// Permits to take from one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// From which slot.
    pub slot: SlotName,
    /// The number of the window.
    pub index: u64,
    /// The limit's number.
    pub limit: u64,
    /// How many permits.
    pub block: u64,
    /// Fewest permits that are of use: 1 at least. With fewer left nothing is taken.
    pub needed: u64,
    /// How many were spent in this window since the last time this was said.
    pub settled: u64,
    /// Whether the slot holds an older window, or none, and begins anew.
    pub resets: bool,
}

/// Permits to give back to one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// To which slot.
    pub slot: SlotName,
    /// The number of the window.
    pub index: u64,
    /// How many permits.
    pub permits: u64,
    /// How many were spent since the last time this was said.
    pub settled: u64,
}

/// Permits that were spent in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// The number of the window.
    pub index: u64,
    /// How many.
    pub permits: u64,
}

/// What is added to sums of a month: permits of a quota's window that is over, or requests that no write of a counter told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollUp {
    /// The item: that of a consumer and a month (`u#<consumer>#<yyyy-mm>`), or a counter.
    pub item: String,
    /// Each sum's attribute, for permits that were really spent `<counter's owner>|<limit>.<unit>`, and how much is added.
    pub sums: Vec<(String, u64)>,
}

impl RollUp {
    /// What a window of a counter adds to its consumer's month; `None` for counters of others than consumers, and for
    /// windows shorter than a day, which would cost a write each.
    #[must_use]
    pub fn of(counter: &str, rule: &Rule, spent: Spent) -> Option<Self> {
        let (owner, scope) = counter.split_once('|')?;
        let consumer = scope.strip_prefix("c#")?;
        if !rule.window.is_quota() || spent.permits == 0 {
            return None;
        }
        let month = rule.window.start(spent.index).rfc3339();
        let item = Self::item_of(consumer, month.get(..7)?);
        Some(Self { item, sums: vec![(format!("{owner}|{}.{}", rule.id, rule.window.unit()), spent.permits)] })
    }

    /// The item of a consumer and a month, which is written as `2026-11`.
    #[must_use]
    pub fn item_of(consumer: &str, month: &str) -> String {
        format!("u#{consumer}#{month}")
    }
}

/// Why a take can never be granted as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The slot holds an older window: try again with `resets`.
    OlderWindow,
    /// The slot holds a newer window: this environment's clock is behind.
    NewerWindow,
    /// Fewer permits of the window are left than are needed.
    Exhausted,
    /// The bucket has too little.
    Empty {
        /// When it is full, in microseconds since 1970.
        full_at: u64,
        /// When it has enough, if nobody else draws from it.
        until: Timestamp,
    },
}

impl Ask {
    /// Changes what is asked to what a counter as it is allows; what stands in the way, if that cannot be.
    pub fn meet(&mut self, counter: &Counter) -> Option<Obstacle> {
        match self {
            Self::Take(take) => match take.obstacle(counter) {
                None => {
                    take.resets = false;
                    None
                }
                Some(Obstacle::OlderWindow) => {
                    take.resets = true;
                    None
                }
                obstacle => obstacle,
            },
            Self::Draw(draw) => draw.meet(&counter.buckets),
        }
    }

    /// Whether it is about what a rule counts at this time: not about a window that ended while the counter was asked.
    #[must_use]
    pub fn is_present(&self, rule: &Rule, now: Timestamp) -> bool {
        match self {
            Self::Take(take) => take.index == rule.window.index(now),
            Self::Draw(_) => true,
        }
    }

    /// Whether it begins a slot or a bucket.
    #[must_use]
    pub fn begins(&self) -> bool {
        match self {
            Self::Take(take) => take.resets,
            Self::Draw(draw) => draw.is_full,
        }
    }

    fn holds(&self, counter: &Counter) -> bool {
        match self {
            Self::Take(take) => match take.obstacle(counter) {
                Some(Obstacle::OlderWindow) => take.resets,
                Some(_) => false,
                None => !take.resets,
            },
            Self::Draw(draw) => draw.holds(&counter.buckets),
        }
    }
}

impl Take {
    /// What stands in the way of this take, if anything.
    #[must_use]
    pub fn obstacle(&self, counter: &Counter) -> Option<Obstacle> {
        match counter.slots.get(&self.slot) {
            Some(slot) if slot.index > self.index => Some(Obstacle::NewerWindow),
            Some(slot) if slot.index == self.index => (!self.is_met(slot.granted)).then_some(Obstacle::Exhausted),
            // What is more than the limit will never be there.
            Some(_) | None if !self.is_met(0) => Some(Obstacle::Exhausted),
            Some(_) | None => Some(Obstacle::OlderWindow),
        }
    }

    /// Whether a slot that counts `granted` has as many permits as are needed.
    fn is_met(&self, granted: u64) -> bool {
        granted.saturating_add(self.needed) <= self.limit
    }

    /// How many permits a successful take has brought, where the slot now counts `granted`: the last block is a part
    /// of one, and what passes the limit grants nothing.
    #[must_use]
    pub fn grant(&self, granted: u64) -> u64 {
        let before = granted.saturating_sub(self.block);
        self.limit.saturating_sub(before).min(self.block)
    }
}

impl Counter {
    /// All of it or nothing: the slots' `granted` and the buckets' times afterwards, in the order asked, or `None` where
    /// the condition of one does not hold.
    pub fn take(&mut self, asked: &[Ask]) -> Option<Vec<u64>> {
        if !asked.iter().all(|ask| ask.holds(self)) {
            return None;
        }
        let write = |ask: &Ask| match ask {
            Ask::Take(take) => {
                let slot = self.slots.entry(take.slot.clone()).or_default();
                if take.resets {
                    *slot = Slot { index: take.index, granted: 0, settled: 0 };
                }
                slot.granted += take.block;
                slot.settled += take.settled;
                slot.granted
            }
            Ask::Draw(draw) => draw.write(&mut self.buckets),
        };
        Some(asked.iter().map(write).collect())
    }

    /// Takes permits back; `false`, and nothing is changed, where the window is over or never had as many.
    pub fn give_back(&mut self, back: &Return) -> bool {
        match self.slots.get_mut(&back.slot) {
            Some(slot) if slot.index == back.index && slot.granted >= back.permits => {
                slot.granted -= back.permits;
                slot.settled += back.settled;
                true
            }
            _ => false,
        }
    }
}
