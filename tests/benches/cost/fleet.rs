//! A fleet of environments in virtual time, over stores that count.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use faregate_core::{api_key::KeyHash, document::Kind, policy::telemetry::Sink, time::Timestamp};
use faregate_engine::{
    body::{Body, full},
    fakes::{FakeClock, FakeCounters, FakeKeyStore, FakeMetricSink, FakeRandom, FakeSecrets},
    gateway::{Gateway, Incoming, Peer, Ports, SideWork},
    ports::{Clock, Metric, MetricSinks, Outbound, OutboundError, OutboundRequest, Random, StoredEntry, Telemetry},
    publish::{PublishOptions, publish},
    record::Record,
};
use faregate_lambda::{emf::EmfSink, telemetry::JsonLines};
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};

use crate::{BACKEND, MACHINE, Workload, lines::CountedLines, snapshots::CountedSnapshots};

pub(crate) const START: Timestamp = Timestamp::from_seconds(1_795_478_400);
/// What a backend answers with.
pub(crate) const ANSWER_BYTES: usize = 1024;
/// How long an environment lives, and how long its start is billed for.
pub(crate) const LIFETIME: Duration = Duration::from_secs(2 * 3600);
pub(crate) const INIT: Duration = Duration::from_millis(100);

/// What a fleet used, without the start of its environments.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) requests: u64,
    /// For how long.
    pub(crate) watched: Duration,
    /// At most at once.
    pub(crate) environments: u64,
    /// As Lambda bills them.
    pub(crate) milliseconds: u64,
    /// Calls that write to counters, each of one write unit.
    pub(crate) writes: u64,
    /// Halves of read units: what an eventually consistent read of 4 KB takes.
    pub(crate) half_reads: u64,
    pub(crate) metric_calls: u64,
    pub(crate) log_lines: u64,
    pub(crate) log_bytes: u64,
    /// Half reads of one environment's start.
    pub(crate) start_half_reads: u64,
    /// What the gateway's own estimates add up to.
    pub(crate) estimated_nanodollars: u64,
}

/// The demo's work: a key, a plan with a rate limit and a quota, a backend; or the same without limits.
pub(crate) fn document(backend: &str, sink: &str, has_limits: bool) -> Value {
    let limits = if has_limits { json!(["plan"]) } else { json!([]) };
    json!({
        "settings": {"metrics": {"sink": sink}},
        "backends": [{"id": "orders", "targets": [{"url": backend}]}],
        "plans": [{"id": "gold", "limits": [
            {"id": "minutely", "limit": 10_000_000, "per": "minute"},
            {"id": "monthly", "limit": 100_000_000_000_u64, "per": "month"},
        ]}],
        "routes": [{
            "id": "orders", "match": [{"path": {"prefix": "/orders"}}], "authenticate": "api_key", "limits": limits,
            "forward": {"backend": "orders"},
        }],
    })
}

pub(crate) fn key(number: usize) -> String {
    format!("the key of consumer {number}")
}

pub(crate) fn key_item(number: usize, has_limits: bool) -> Map<String, Value> {
    let mut item = json!({"consumer": format!("consumer-{number}")});
    if has_limits {
        item["plan"] = json!("gold");
    }
    item.as_object().cloned().unwrap_or_default()
}

/// Environments, and what they share.
pub(crate) struct Fleet {
    workload: Workload,
    sink: Sink,
    overhead: Duration,
    config: Arc<CountedSnapshots>,
    keys: Arc<FakeKeyStore>,
    counters: Arc<FakeCounters>,
    metrics: Arc<FakeMetricSink>,
    lines: Arc<CountedLines>,
    used: Arc<Used>,
    /// The one that was free last comes last.
    environments: Vec<Environment>,
}

/// What records say.
#[derive(Debug, Default)]
struct Used {
    requests: AtomicU64,
    milliseconds: AtomicU64,
    nanodollars: AtomicU64,
}

struct Environment {
    gateway: Gateway,
    clock: Arc<FakeClock>,
}

impl Fleet {
    /// A fleet without environments.
    pub(crate) fn new(workload: Workload, sink: Sink, overhead: Duration) -> Self {
        let keys = Arc::new(FakeKeyStore::default());
        (0..workload.consumers)
            .for_each(|n| keys.insert(&KeyHash::of(key(n).as_bytes()), key_item(n, workload.has_limits)));
        Self {
            workload,
            sink,
            overhead,
            config: Arc::default(),
            keys,
            counters: Arc::default(),
            metrics: Arc::default(),
            lines: Arc::default(),
            used: Arc::default(),
            environments: Vec::new(),
        }
    }

    /// Serves the workload; what came before the last environment had started is not counted.
    pub(crate) async fn run(mut self) -> Counted {
        self.publish().await;
        let start_half_reads = self.start_half_reads().await;
        let random = FakeRandom::new(42);
        let gap = Duration::from_secs_f64(1.0 / self.workload.rate);
        let requests = (self.workload.watched.as_secs_f64() * self.workload.rate) as u64;
        // A sixth of the time is for the fleet to get into its stride.
        let (mut elapsed, mut since, mut before) = (Duration::ZERO, START, Counted::default());
        for number in 0..requests {
            // Added up in nanoseconds, since the wall clock has milliseconds.
            let now = START.plus(elapsed);
            if number == requests / 6 {
                (since, before) = (now, self.counted());
            }
            self.request(now, key(random.next_u64() as usize % self.workload.consumers)).await;
            // Poisson arrivals.
            let part = (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
            elapsed += gap.mul_f64(-(1.0 - part).ln());
        }
        let after = self.counted();
        Counted { start_half_reads, watched: START.plus(elapsed).since(since), ..after.since(&before) }
    }

    async fn publish(&self) {
        let sink = if self.sink == Sink::Emf { "emf" } else { "cloudwatch" };
        let document = document("http://backend.example", sink, self.workload.has_limits);
        for kind in Kind::ALL {
            let entries = match &document[kind.section()] {
                Value::Array(entries) => entries.clone(),
                Value::Null => continue,
                settings => vec![settings.clone()],
            };
            for entry in entries {
                let mut fields = entry.as_object().cloned().unwrap_or_default();
                let id =
                    fields.remove("id").and_then(|id| id.as_str().map(str::to_owned)).unwrap_or("gateway".to_owned());
                self.config.inner.insert(StoredEntry { kind: kind.as_str().into(), id, fields: Ok(fields) });
            }
        }
        publish(&*self.config.inner, &FakeClock::new(START), PublishOptions::default()).await.expect("a snapshot");
    }

    async fn start_half_reads(&self) -> u64 {
        let before = self.config.half_reads();
        self.environment(0, START).gateway.warm_up(INIT).await;
        self.config.half_reads() - before
    }

    fn environment(&self, number: u64, now: Timestamp) -> Environment {
        let clock = Arc::new(FakeClock::new(now));
        let as_clock: Arc<dyn Clock> = Arc::<FakeClock>::clone(&clock);
        let lines: Arc<dyn faregate_lambda::telemetry::Lines> = Arc::<CountedLines>::clone(&self.lines);
        let telemetry = Watched {
            lines: JsonLines::new(Arc::clone(&as_clock)).to(Arc::clone(&lines)),
            used: Arc::clone(&self.used),
        };
        let gateway = Gateway::new(Ports {
            snapshots: Arc::<CountedSnapshots>::clone(&self.config),
            keys: Arc::<FakeKeyStore>::clone(&self.keys),
            counters: Arc::<FakeCounters>::clone(&self.counters),
            secrets: Arc::new(FakeSecrets::default()),
            outbound: Arc::new(SlowBackend { clock: Arc::clone(&clock), overhead: self.overhead }),
            telemetry: Arc::new(telemetry),
            sinks: MetricSinks {
                cloudwatch: Arc::<FakeMetricSink>::clone(&self.metrics),
                emf: Arc::new(EmfSink::new("faregate").to(lines)),
                default: self.sink,
            },
            machine: MACHINE,
            clock: as_clock,
            random: Arc::new(FakeRandom::new(number)),
        });
        Environment { gateway, clock }
    }

    /// As Lambda does: the environment that was free last gets it, and where none is free a new one starts.
    async fn request(&mut self, now: Timestamp, key: String) {
        let free = self.environments.iter().enumerate().filter(|(_, environment)| environment.clock.now() <= now);
        let latest = free.max_by_key(|(_, environment)| environment.clock.now()).map(|(number, _)| number);
        let number = latest.unwrap_or(self.environments.len());
        if latest.is_none() {
            let environment = self.environment(number as u64, now);
            environment.gateway.warm_up(INIT).await;
            self.environments.push(environment);
        }
        let Environment { gateway, clock } = &self.environments[number];
        // Frozen until now.
        clock.freeze_for(now.since(clock.now()));
        let request = Request::get("/orders/7").header("host", "api.example.com").header("x-api-key", key);
        let request = Ok(request.body(Bytes::new()).expect("a request"));
        let peer = Peer { address: Some([198, 51, 100, 7].into()), ..Peer::default() };
        let handled = gateway.handle(Incoming { request, peer, remaining: None }).await;
        let answer = handled.response;
        assert_eq!(answer.status(), 200, "every request is admitted");
        answer.into_body().collect().await.expect("a whole body");
        handled.side_work.join(SideWork::LIMIT).await;
    }

    fn counted(&self) -> Counted {
        let operations = |faults: &faregate_engine::fakes::Faults| -> BTreeMap<&'static str, u64> {
            let mut counts = BTreeMap::new();
            faults.operations().into_iter().for_each(|name| *counts.entry(name).or_default() += 1);
            counts
        };
        let (keys, counters) = (operations(&self.keys.faults), operations(&self.counters.faults));
        let reads = counters.get("read").copied().unwrap_or_default();
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Counted {
            requests: of(&self.used.requests),
            watched: Duration::ZERO,
            environments: self.environments.len() as u64,
            milliseconds: of(&self.used.milliseconds),
            writes: counters.values().sum::<u64>() - reads,
            half_reads: self.config.half_reads() + keys.values().sum::<u64>() + reads,
            metric_calls: operations(&self.metrics.faults).values().sum(),
            log_lines: self.lines.lines(),
            log_bytes: self.lines.bytes(),
            start_half_reads: 0,
            estimated_nanodollars: of(&self.used.nanodollars),
        }
    }
}

impl Counted {
    /// What came after `before`.
    fn since(self, before: &Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            milliseconds: self.milliseconds - before.milliseconds,
            writes: self.writes - before.writes,
            half_reads: self.half_reads - before.half_reads,
            metric_calls: self.metric_calls - before.metric_calls,
            log_lines: self.log_lines - before.log_lines,
            log_bytes: self.log_bytes - before.log_bytes,
            estimated_nanodollars: self.estimated_nanodollars - before.estimated_nanodollars,
            ..self
        }
    }
}

/// A backend that takes its time, and a gateway that takes its own.
struct SlowBackend {
    clock: Arc<FakeClock>,
    overhead: Duration,
}

#[async_trait]
impl Outbound for SlowBackend {
    async fn send(&self, _: OutboundRequest) -> Result<Response<Body>, OutboundError> {
        self.clock.advance(self.overhead + BACKEND);
        Ok(Response::new(full(vec![b'x'; ANSWER_BYTES])))
    }
}

/// The lines that are written, and sums of what records say.
struct Watched {
    lines: JsonLines,
    used: Arc<Used>,
}

impl Telemetry for Watched {
    fn record(&self, record: &Record) -> u64 {
        let add = |number: &AtomicU64, more: u64| {
            number.fetch_add(more, Ordering::Relaxed);
        };
        add(&self.used.requests, 1);
        add(&self.used.milliseconds, record.duration.as_micros().div_ceil(1000) as u64);
        add(&self.used.nanodollars, record.cost_nanodollars);
        self.lines.record(record)
    }

    fn metric(&self, metric: Metric, detail: &str) -> u64 {
        self.lines.metric(metric, detail)
    }
}
