//! Metrics that wait to be sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use faregate_core::time::Timestamp;

use crate::ports::Series;

/// How many minutes wait to be sent at most; older ones are added to the oldest of these.
const MINUTES_MAX: usize = 30;
/// How many series these minutes have together at most, of 15 KB each if every histogram is full; more than one minute has.
const SERIES_MAX: usize = 500;
/// How many routes have metrics of their own, as long as the environment lives; those of others count as [`OTHER`].
const ROUTES_MAX: usize = 100;
const OTHER: &str = "other";

type Key = (Timestamp, Option<Arc<str>>);

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
        let before = self.series.len();
        change(self.entry(Series::of_minute(now, None)));
        if let Some(route) = route {
            let route = self.named(route);
            change(self.entry(Series::of_minute(now, Some(route))));
        }
        // Most requests add to what is there.
        if self.series.len() > before {
            self.bound();
        }
    }

    /// What waits of this metric, of the whole gateway.
    pub(super) fn sum(&self, name: &str) -> f64 {
        let whole = self.series.values().filter(|series| series.route.is_none());
        whole.filter_map(|series| series.sums.get(name)).sum()
    }

    /// All that waits, the oldest first; nothing waits any more.
    pub(super) fn take(&mut self) -> Vec<Series> {
        std::mem::take(&mut self.series).into_values().collect()
    }

    /// Adds what was taken and not sent.
    pub(super) fn keep(&mut self, series: Vec<Series>) {
        for kept in series {
            merge(self.entry(Series::of_minute(kept.minute, kept.route.clone())), &kept);
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

    /// What is there of a minute and route, or this.
    fn entry(&mut self, empty: Series) -> &mut Series {
        self.series.entry((empty.minute, empty.route.clone())).or_insert(empty)
    }

    /// Adds the oldest minutes together until there is little enough: nothing is lost but when it was.
    fn bound(&mut self) {
        let mut minutes: Vec<Timestamp> = self.series.keys().map(|(minute, _)| *minute).collect();
        minutes.dedup();
        for (older, [_, next]) in minutes.array_windows().enumerate() {
            if minutes.len() - older <= MINUTES_MAX && self.series.len() <= SERIES_MAX {
                return;
            }
            let later = self.series.split_off(&(*next, None));
            for ((_, route), old) in std::mem::replace(&mut self.series, later) {
                merge(self.entry(Series::of_minute(*next, route)), &old);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use faregate_core::time::Timestamp;

    use super::{MINUTES_MAX, Pending, ROUTES_MAX, SERIES_MAX};
    use crate::metrics::REQUESTS;

    /// An hour in which each of so many routes is asked once a minute; nothing is sent.
    fn an_hour_of(routes: usize) -> Pending {
        let mut pending = Pending::default();
        for minute in 0..60 {
            let now = Timestamp::from_seconds(1_800_000_000).plus(Duration::from_secs(60 * minute));
            for route in 0..routes {
                let name = format!("r{route}");
                pending.change(now, Some(&name), |series| *series.sums.entry(REQUESTS).or_default() += 1.0);
                assert!(pending.series.len() <= SERIES_MAX);
            }
        }
        pending
    }

    #[test]
    fn an_outage_keeps_half_an_hour_apart_and_less_of_many_routes_and_loses_no_request() {
        for (routes, kept_apart) in [(1, MINUTES_MAX), (10, MINUTES_MAX), (ROUTES_MAX, 4), (ROUTES_MAX + 50, 4)] {
            let mut pending = an_hour_of(routes);
            assert_eq!(pending.sum(REQUESTS), 60.0 * routes as f64);
            let series = pending.take();
            let minutes = series.iter().filter(|series| series.route.is_none()).count();
            assert_eq!(minutes, kept_apart, "{routes}");
            let of_routes = series.iter().filter(|series| series.route.is_some());
            assert_eq!(of_routes.map(|series| series.sums[REQUESTS]).sum::<f64>(), 60.0 * routes as f64, "{routes}");
            assert!(pending.take().is_empty());
            pending.keep(series);
            assert_eq!(pending.sum(REQUESTS), 60.0 * routes as f64, "sent again: {routes}");
        }
    }
}
