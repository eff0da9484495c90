//! Metrics, aggregated in memory and sent as side work: a minute of a busy environment is one call, or
//! some with many routes.

mod histogram;
mod pending;

pub use histogram::Histogram;

use std::{
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

use self::pending::Pending;
use crate::{
    gateway::SideWork,
    meter::Meter,
    ports::{Clock, Metric, MetricSink, MetricSinks, Series, SinkError, Telemetry},
    record::Record,
};

/// How many requests are worth a call, which costs as much as the fee of fifty. Fewer wait for [`INTERVALS_MAX`] intervals, unless
/// one of them failed, or intervals are shorter than a minute: then somebody wants to see metrics soon.
const REQUESTS_WORTH_A_CALL: f64 = 1000.0;
const INTERVALS_MAX: u32 = 3;
const PATIENT_INTERVAL: Duration = Duration::from_secs(60);
/// How long the last metrics may take when the environment ends.
const LEAVE_LIMIT: Duration = Duration::from_millis(300);

/// The metric that each request counts in, and the one of those that failed.
const REQUESTS: &str = "Requests";
const FAILED: &str = "Errors5xx";

/// The metrics of this environment.
pub(crate) struct Metrics {
    sinks: MetricSinks,
    clock: Arc<dyn Clock>,
    telemetry: Arc<dyn Telemetry>,
    pending: Mutex<Pending>,
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

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request.
    pub(crate) fn record(&self, record: &Record) {
        let route = record.route.as_deref().filter(|_| self.policy().per_route);
        self.change_series(route, |series| {
            let mut add = |name, number: f64| *series.sums.entry(name).or_default() += number;
            add(REQUESTS, 1.0);
            let is = |condition: bool| if condition { 1.0 } else { 0.0 };
            add("Errors4xx", is((400..500).contains(&record.status)));
            add(FAILED, is(record.status >= 500));
            add("Refused", is(record.code.is_some() && matches!(record.status, 401 | 403 | 429)));
            add("ColdStarts", is(record.cold_start));
            add("LeaseWrites", record.lease_writes as f64);
            add("EstimatedCost", record.cost_nanodollars as f64 / 1e9);
            let mut observe = |name, number: f64| series.values.entry(name).or_default().observe(number);
            observe("Latency", millis(record.duration));
            observe("Overhead", millis(record.overhead));
            if record.asked_a_backend() {
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

    /// Counts it, and writes why.
    fn tell(&self, metric: Metric, detail: &str) {
        self.count(metric);
        self.meter.log_bytes(self.telemetry.metric(metric, detail));
    }

    /// Changes the series of this minute, and that of the route.
    fn change_series(&self, route: Option<&str>, change: impl Fn(&mut Series)) {
        if self.sink(self.policy()) == Sink::Off {
            return;
        }
        let now = self.clock.now();
        self.pending().change(now, route, change);
    }

    /// Sends what there is, beside a request, where that is due.
    pub(crate) fn flush_beside(self: &Arc<Self>, side_work: &mut SideWork) {
        let (now, policy) = (self.clock.now(), self.policy());
        let flushed_at = Timestamp::from_millis(self.flushed_at.load(Ordering::Relaxed));
        // A clock that was put back must not make them wait.
        let since = if flushed_at > now { Duration::MAX } else { now.since(flushed_at) };
        if self.sink(policy) == Sink::Off || !self.is_due(since, policy) {
            return;
        }
        // Of requests at once, one sends.
        let (old, new) = (flushed_at.as_millis(), now.as_millis());
        if self.flushed_at.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let metrics = Arc::clone(self);
            side_work.spawn(async move {
                let mut attempt =
                    Attempt { metrics: &metrics, failed: Some("given up with the invocation".to_owned()) };
                attempt.failed = metrics.flush(policy).await.err().map(|error| error.to_string());
            });
        }
    }

    /// Whether what waits is sent now, this long after the last time.
    fn is_due(&self, since: Duration, policy: Policy) -> bool {
        let interval = Duration::from_secs(policy.flush_seconds.into());
        let waits_for_more = || {
            let pending = self.pending();
            interval >= PATIENT_INTERVAL && pending.sum(REQUESTS) < REQUESTS_WORTH_A_CALL && pending.sum(FAILED) < 1.0
        };
        since >= interval * INTERVALS_MAX || (since >= interval && !waits_for_more())
    }

    /// Sends the last ones: the environment ends.
    pub(crate) async fn leave(&self) {
        // What is not sent by then is lost with the environment.
        let cause = match tokio::time::timeout(LEAVE_LIMIT, self.flush(self.policy())).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the environment ended first".to_owned(),
        };
        self.telemetry.metric(Metric::MetricsDelayed, &format!("lost with the environment: {cause}"));
    }

    /// Sends all that waits, with as many calls as that takes; what a call does not take waits again, unless it never will be
    /// taken.
    async fn flush(&self, policy: Policy) -> Result<(), SinkError> {
        let sink: &dyn MetricSink = match self.sink(policy) {
            Sink::Cloudwatch => &*self.sinks.cloudwatch,
            Sink::Emf => &*self.sinks.emf,
            Sink::Off => return Ok(()),
        };
        // Whatever ends this early, what was not taken comes back, and nothing that was.
        let mut kept = Kept { metrics: self, taken: self.pending().take() };
        while !kept.taken.is_empty() {
            let fitting = sink.fits(&kept.taken).clamp(1, kept.taken.len());
            if self.sink(policy) == Sink::Cloudwatch {
                self.meter.metric_call();
            }
            match sink.put(&kept.taken[..fitting]).await {
                Ok(log_bytes) => self.meter.log_bytes(log_bytes),
                // Kept, they would stand before all that come after them.
                Err(SinkError::Refused(cause)) => {
                    self.tell(Metric::MetricsDelayed, &format!("lost, since they were refused for good: {cause}"));
                }
                Err(error) => return Err(error),
            }
            kept.taken.drain(..fitting);
        }
        Ok(())
    }
}

/// An attempt to send metrics beside a request. However it ends, even by being given up, a failure is told.
struct Attempt<'a> {
    metrics: &'a Metrics,
    failed: Option<String>,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(cause) = &self.failed {
            self.metrics.tell(Metric::MetricsDelayed, &format!("kept for later: {cause}"));
        }
    }
}

/// Metrics on their way, the oldest first; dropped, they go back to those that wait.
struct Kept<'a> {
    metrics: &'a Metrics,
    taken: Vec<Series>,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.metrics.pending().keep(std::mem::take(&mut self.taken));
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Telemetry that also counts, and charges the lines to the next record.
pub(crate) struct Counting {
    pub(crate) inner: Arc<dyn Telemetry>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Telemetry for Counting {
    fn record(&self, record: &Record) -> u64 {
        self.metrics.record(record);
        self.metrics.meter.log_bytes(self.inner.record(record));
        0
    }

    fn metric(&self, metric: Metric, detail: &str) -> u64 {
        self.metrics.tell(metric, detail);
        0
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.inner.flush()
    }
}
