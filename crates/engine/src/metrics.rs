//! Metrics, aggregated in memory and sent as side work: a minute of a busy environment is one call.

mod histogram;

pub use histogram::Histogram;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use faregate_core::{
    policy::telemetry::{Metrics as Policy, Sink},
    time::Timestamp,
};

use futures_util::future::BoxFuture;

use crate::{
    gateway::SideWork,
    meter::Meter,
    ports::{Clock, Metric, MetricSink, MetricSinks, Series, Telemetry},
    record::Record,
};

const MINUTE_MILLIS: u64 = 60_000;
/// How many minutes wait to be sent at most; older ones are added to the oldest of these.
const MINUTES_MAX: usize = 30;
/// How many routes have metrics of their own; those of others count as `other`.
const ROUTES_MAX: usize = 100;
/// How long the last metrics may take when the environment ends.
const LEAVE_LIMIT: Duration = Duration::from_millis(300);

type Key = (u64, Option<Arc<str>>);

/// The metrics of this environment.
pub(crate) struct Metrics {
    sinks: MetricSinks,
    clock: Arc<dyn Clock>,
    telemetry: Arc<dyn Telemetry>,
    pending: Mutex<BTreeMap<Key, Series>>,
    policy: Mutex<Policy>,
    flushed_at: AtomicU64,
    meter: Arc<Meter>,
}

impl Metrics {
    pub(crate) fn new(
        sinks: MetricSinks,
        clock: Arc<dyn Clock>,
        telemetry: Arc<dyn Telemetry>,
        meter: Arc<Meter>,
    ) -> Self {
        Self {
            flushed_at: AtomicU64::new(clock.now().as_millis()),
            sinks,
            clock,
            telemetry,
            meter,
            pending: Mutex::default(),
            policy: Mutex::default(),
        }
    }

    /// Goes by what the snapshot says from now on.
    pub(crate) fn follow(&self, policy: Policy) {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    fn policy(&self) -> Policy {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sink(&self, policy: Policy) -> Sink {
        policy.sink.unwrap_or(self.sinks.default)
    }

    fn pending(&self) -> MutexGuard<'_, BTreeMap<Key, Series>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request.
    pub(crate) fn record(&self, record: &Record) {
        let route = record.route.as_deref().filter(|_| self.policy().per_route);
        self.change_series(route, |series| {
            let mut add = |name, number: f64| *series.sums.entry(name).or_default() += number;
            add("Requests", 1.0);
            let is = |condition: bool| if condition { 1.0 } else { 0.0 };
            add("Errors4xx", is((400..500).contains(&record.status)));
            add("Errors5xx", is(record.status >= 500));
            add("Refused", is(record.code.is_some() && matches!(record.status, 401 | 403 | 429)));
            add("ColdStarts", is(record.cold_start));
            add("LeaseWrites", record.lease_writes as f64);
            add("EstimatedCost", record.cost_nanodollars as f64 / 1e9);
            let mut observe = |name, number: f64| series.values.entry(name).or_default().observe(number);
            observe("Latency", millis(record.duration));
            observe("Overhead", millis(record.overhead));
            if record.backend.is_some() {
                observe("BackendLatency", millis(record.backend_duration));
            }
            observe("ConfigAge", record.config_age.as_secs_f64());
            // Where clocks are right there is no such metric.
            if !record.clock_skew.is_zero() {
                observe("ClockSkew", record.clock_skew.as_secs_f64());
            }
        });
    }

    /// Counts what a record does not say.
    pub(crate) fn count(&self, metric: Metric) {
        // The age of a configuration and the skew of the clock are observed with each record.
        if !matches!(metric, Metric::ConfigAge | Metric::ClockSkew) {
            self.change_series(None, |series| *series.sums.entry(metric.name()).or_default() += 1.0);
        }
    }

    /// Changes the series of this minute, and that of the route.
    fn change_series(&self, route: Option<&str>, change: impl Fn(&mut Series)) {
        if self.sink(self.policy()) == Sink::Off {
            return;
        }
        let minute = self.clock.now().as_millis() / MINUTE_MILLIS;
        let mut pending = self.pending();
        change(series(&mut pending, (minute, None)));
        if let Some(route) = route {
            let routes = pending.range((minute, Some("".into()))..(minute + 1, None)).count();
            let key = (minute, Some(Arc::from(route)));
            let key =
                if routes < ROUTES_MAX || pending.contains_key(&key) { key } else { (minute, Some("other".into())) };
            change(series(&mut pending, key));
        }
        bound(&mut pending);
    }

    /// Sends what there is, beside a request, where that is due.
    pub(crate) fn flush_beside(self: &Arc<Self>, side_work: &mut SideWork) {
        let (now, policy) = (self.clock.now(), self.policy());
        let flushed_at = Timestamp::from_millis(self.flushed_at.load(Ordering::Relaxed));
        let is_due = flushed_at > now || now.since(flushed_at) >= Duration::from_secs(policy.flush_seconds.into());
        if self.sink(policy) == Sink::Off || !is_due {
            return;
        }
        // Of requests at once, one sends.
        let (old, new) = (flushed_at.as_millis(), now.as_millis());
        if self.flushed_at.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let metrics = Arc::clone(self);
            side_work.spawn(async move { metrics.flush(policy).await });
        }
    }

    /// Sends the last ones: the environment ends.
    pub(crate) async fn leave(&self) {
        // What is not sent by then is lost with the environment.
        if tokio::time::timeout(LEAVE_LIMIT, self.flush(self.policy())).await.is_err() {
            self.telemetry.metric(Metric::MetricsDelayed, "the environment ended first");
        }
    }

    async fn flush(&self, policy: Policy) {
        let sink: &dyn MetricSink = match self.sink(policy) {
            Sink::Cloudwatch => &*self.sinks.cloudwatch,
            Sink::Emf => &*self.sinks.emf,
            Sink::Off => return,
        };
        let taken = std::mem::take(&mut *self.pending());
        if taken.is_empty() {
            return;
        }
        let series: Vec<Series> = taken.values().cloned().collect();
        // Whatever ends this early, what was not taken comes back.
        let mut kept = Kept { metrics: self, taken };
        if self.sink(policy) == Sink::Cloudwatch {
            self.meter.metric_call();
        }
        match sink.put(&series).await {
            Ok(log_bytes) => {
                self.meter.log_bytes(log_bytes);
                kept.taken.clear();
            }
            Err(error) => self.telemetry.metric(Metric::MetricsDelayed, &format!("kept for later: {error}")),
        }
    }
}

/// Metrics on their way; dropped, they go back to those that wait.
struct Kept<'a> {
    metrics: &'a Metrics,
    taken: BTreeMap<Key, Series>,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        let mut pending = self.metrics.pending();
        for (key, kept) in std::mem::take(&mut self.taken) {
            merge(series(&mut pending, key), &kept);
        }
        bound(&mut pending);
    }
}

fn series(pending: &mut BTreeMap<Key, Series>, key: Key) -> &mut Series {
    pending.entry(key).or_insert_with_key(|(minute, route)| Series {
        minute: Timestamp::from_millis(minute * MINUTE_MILLIS),
        route: route.clone(),
        sums: BTreeMap::new(),
        values: BTreeMap::new(),
    })
}

fn merge(into: &mut Series, from: &Series) {
    for (name, sum) in &from.sums {
        *into.sums.entry(name).or_default() += sum;
    }
    for (name, values) in &from.values {
        into.values.entry(name).or_default().merge(values);
    }
}

/// Adds the oldest minutes together until there are few enough: nothing is lost but when it was.
fn bound(pending: &mut BTreeMap<Key, Series>) {
    loop {
        let mut minutes: Vec<u64> = pending.keys().map(|(minute, _)| *minute).collect();
        minutes.dedup();
        let [_, next, ..] = minutes[..] else { return };
        if minutes.len() <= MINUTES_MAX {
            return;
        }
        let later = pending.split_off(&(next, None));
        for ((_, route), old) in std::mem::replace(pending, later) {
            merge(series(pending, (next, route)), &old);
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Telemetry that also counts.
pub(crate) struct Counting {
    pub(crate) inner: Arc<dyn Telemetry>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Telemetry for Counting {
    fn record(&self, record: &Record) {
        self.metrics.record(record);
        self.inner.record(record);
    }

    fn metric(&self, metric: Metric, detail: &str) {
        self.metrics.count(metric);
        self.inner.metric(metric, detail);
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.inner.flush()
    }
}
