//! Metrics that wait to be sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use faregate_core::time::Timestamp;

use super::REQUESTS;
use crate::ports::Series;

const MINUTE_MILLIS: u64 = 60_000;
/// How many minutes wait to be sent at most; older ones are added to the oldest of these.
const MINUTES_MAX: usize = 30;
/// How many routes have metrics of their own, as long as the environment lives; those of others count as [`OTHER`].
const ROUTES_MAX: usize = 100;
const OTHER: &str = "other";

type Key = (u64, Option<Arc<str>>);

/// At most [`MINUTES_MAX`] minutes, each of the whole gateway and of at most [`ROUTES_MAX`] routes and [`OTHER`].
#[derive(Debug, Default)]
pub(super) struct Pending {
    series: BTreeMap<Key, Series>,
    /// The routes that have metrics of their own: the first ones that were asked for.
    routes: BTreeSet<Arc<str>>,
}

impl Pending {
    /// Changes what is counted of a minute, of the whole gateway and of the route.
    pub(super) fn change(&mut self, now: Timestamp, route: Option<&str>, change: impl Fn(&mut Series)) {
        let minute = now.as_millis() / MINUTE_MILLIS;
        change(self.entry((minute, None)));
        if let Some(route) = route {
            let route = self.named(route);
            change(self.entry((minute, Some(route))));
        }
        self.bound();
    }

    /// How many requests wait.
    pub(super) fn requests(&self) -> f64 {
        let whole = self.series.values().filter(|series| series.route.is_none());
        whole.filter_map(|series| series.sums.get(REQUESTS)).sum()
    }

    /// All that waits, the oldest first; nothing waits any more.
    pub(super) fn take(&mut self) -> Vec<Series> {
        std::mem::take(&mut self.series).into_values().collect()
    }

    /// Adds what was taken and not sent.
    pub(super) fn keep(&mut self, series: Vec<Series>) {
        for kept in series {
            let minute = kept.minute.as_millis() / MINUTE_MILLIS;
            merge(self.entry((minute, kept.route.clone())), &kept);
        }
        self.bound();
    }

    /// The name by which a route counts.
    fn named(&mut self, route: &str) -> Arc<str> {
        if let Some(known) = self.routes.get(route) {
            return Arc::clone(known);
        }
        if self.routes.len() >= ROUTES_MAX {
            return OTHER.into();
        }
        let name = Arc::<str>::from(route);
        self.routes.insert(Arc::clone(&name));
        name
    }

    fn entry(&mut self, key: Key) -> &mut Series {
        self.series.entry(key).or_insert_with_key(|(minute, route)| Series {
            minute: Timestamp::from_millis(minute * MINUTE_MILLIS),
            route: route.clone(),
            sums: BTreeMap::new(),
            values: BTreeMap::new(),
        })
    }

    /// Adds the oldest minutes together until there are few enough: nothing is lost but when it was.
    fn bound(&mut self) {
        loop {
            let mut minutes: Vec<u64> = self.series.keys().map(|(minute, _)| *minute).collect();
            minutes.dedup();
            let [_, next, ..] = minutes[..] else { return };
            if minutes.len() <= MINUTES_MAX {
                return;
            }
            let later = self.series.split_off(&(next, None));
            for ((_, route), old) in std::mem::replace(&mut self.series, later) {
                merge(self.entry((next, route)), &old);
            }
        }
    }
}

fn merge(into: &mut Series, from: &Series) {
    for (name, sum) in &from.sums {
        *into.sums.entry(name).or_default() += sum;
    }
    for (name, values) in &from.values {
        into.values.entry(name).or_default().merge(values);
    }
}
