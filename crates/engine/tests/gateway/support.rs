//! A gateway over fakes, and requests for it.

pub(crate) mod provider;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use faregate_core::{
    api_key::KeyHash, cost::Machine, document::Kind, policy::telemetry::Sink, problem::Problem, time::Timestamp,
};
use faregate_engine::{
    body::full,
    fakes::{
        FakeClock, FakeConfigStore, FakeCounters, FakeKeyStore, FakeMetricSink, FakeOutbound, FakeRandom, FakeSecrets,
        FakeTelemetry,
    },
    gateway::{Gateway, Handled, Incoming, Peer, Ports, RecordedBody, SideWork, Undecodable},
    ports::{Counters, MetricSinks, Outbound, StoredEntry},
    publish::{Outcome, PublishOptions, publish},
    record::Record,
};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub(crate) const KEY: &str = "a key of some other shape";

/// A gateway with everything around it in reach.
pub(crate) struct Harness {
    pub(crate) config: Arc<FakeConfigStore>,
    pub(crate) keys: Arc<FakeKeyStore>,
    pub(crate) counters: Arc<FakeCounters>,
    pub(crate) secrets: Arc<FakeSecrets>,
    pub(crate) outbound: Arc<FakeOutbound>,
    pub(crate) telemetry: Arc<FakeTelemetry>,
    pub(crate) sink: Arc<FakeMetricSink>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) gateway: Gateway,
    ports: Ports,
}

/// An answer that has ended.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    async fn whole(response: Response<RecordedBody>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().expect("a problem").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }
}

impl Harness {
    /// Publishes these entries; every backend answers 200 `hello`.
    pub(crate) async fn new(entries: Value) -> Self {
        let outbound = FakeOutbound::answering(|_| Ok(Response::new(full("hello"))));
        Self::with_outbound(entries, outbound).await
    }

    pub(crate) async fn with_outbound(entries: Value, outbound: FakeOutbound) -> Self {
        let harness = Self::unpublished(outbound);
        harness.publish(entries).await;
        harness
    }

    pub(crate) fn unpublished(outbound: FakeOutbound) -> Self {
        let config = Arc::new(FakeConfigStore::default());
        let keys = Arc::new(FakeKeyStore::default());
        let counters = Arc::new(FakeCounters::default());
        let secrets = Arc::new(FakeSecrets::default());
        let outbound = Arc::new(outbound);
        let telemetry = Arc::new(FakeTelemetry::default());
        let clock = Arc::new(FakeClock::new(NOW));
        let sink = Arc::new(FakeMetricSink::default());
        let ports = Ports {
            snapshots: Arc::<FakeConfigStore>::clone(&config),
            keys: Arc::<FakeKeyStore>::clone(&keys),
            counters: Arc::<FakeCounters>::clone(&counters),
            secrets: Arc::<FakeSecrets>::clone(&secrets),
            outbound: Arc::<FakeOutbound>::clone(&outbound),
            telemetry: Arc::<FakeTelemetry>::clone(&telemetry),
            sinks: MetricSinks {
                cloudwatch: Arc::<FakeMetricSink>::clone(&sink),
                emf: Arc::new(FakeMetricSink::default()),
                default: Sink::Cloudwatch,
            },
            machine: Machine { memory_mb: 256, is_arm64: true, streams: true },
            clock: Arc::<FakeClock>::clone(&clock),
            random: Arc::new(FakeRandom::new(7)),
        };
        let gateway = Gateway::new(ports.clone());
        Self { config, keys, counters, secrets, outbound, telemetry, sink, clock, gateway, ports }
    }

    pub(crate) async fn publish(&self, entries: Value) -> Outcome {
        for entry in entries_of(entries) {
            self.config.insert(entry);
        }
        let outcome = publish(&*self.config, &*self.clock, PublishOptions::default()).await.expect("published");
        assert!(!matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
        outcome
    }

    pub(crate) fn key(&self, key: &str, attributes: Value) {
        let Value::Object(attributes) = attributes else { panic!("an object") };
        self.keys.insert(&KeyHash::of(key.as_bytes()), attributes);
    }

    /// Sends a request, takes the whole answer and lets the side work end.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Answer {
        self.take(Ok(request), Peer::default()).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send(get(target)).await
    }

    pub(crate) async fn take(&self, request: Result<Request<Bytes>, Problem>, peer: Peer) -> Answer {
        let request = request.map_err(Undecodable::from);
        Self::finish(self.gateway.handle(Incoming { request, peer, remaining: None }).await).await
    }

    /// Sends a request in an invocation of which so much time is left.
    pub(crate) async fn take_within(&self, remaining: Duration, request: Request<Bytes>) -> Answer {
        let incoming = Incoming { request: Ok(request), peer: Peer::default(), remaining: Some(remaining) };
        Answer::whole(self.gateway.handle(incoming).await.response).await
    }

    /// Another environment of the same gateway.
    pub(crate) fn second(&self) -> Gateway {
        Gateway::new(self.ports.clone())
    }

    /// Another environment, with other counters.
    pub(crate) fn with_counters(&self, counters: Arc<dyn Counters>) -> Gateway {
        Gateway::new(Ports { counters, ..self.ports.clone() })
    }

    /// Another environment, with another way out.
    pub(crate) fn with_way_out(&self, outbound: Arc<dyn Outbound>) -> Gateway {
        Gateway::new(Ports { outbound, ..self.ports.clone() })
    }

    /// Sends a request through one environment.
    pub(crate) async fn through(&self, gateway: &Gateway, request: Request<Bytes>) -> Answer {
        self.through_from(gateway, request, Peer::default()).await
    }

    /// The same from somewhere.
    pub(crate) async fn through_from(&self, gateway: &Gateway, request: Request<Bytes>, peer: Peer) -> Answer {
        let incoming = Incoming { request: Ok(request), peer, remaining: None };
        Self::finish(gateway.handle(incoming).await).await
    }

    async fn finish(handled: Handled) -> Answer {
        let answer = Answer::whole(handled.response).await;
        handled.side_work.join(SideWork::LIMIT).await;
        answer
    }

    /// What is answered where the host could not decode the event.
    pub(crate) async fn undecodable(&self, undecodable: Undecodable) -> Answer {
        let incoming = Incoming { request: Err(undecodable), peer: Peer::default(), remaining: None };
        Self::finish(self.gateway.handle(incoming).await).await
    }

    pub(crate) fn last_record(&self) -> Record {
        self.telemetry.records().pop().expect("a record")
    }
}

pub(crate) fn get(target: &str) -> Request<Bytes> {
    request("GET", target, &[])
}

pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Bytes::new()).expect("a request")
}

/// `{settings, backends, routes}` as stored items.
fn entries_of(file: Value) -> Vec<StoredEntry> {
    let object = |value: &Value| value.as_object().cloned().expect("an object");
    let mut entries = Vec::new();
    for kind in Kind::ALL {
        match &file[kind.section()] {
            Value::Null => {}
            Value::Array(items) => {
                for item in items {
                    let mut fields: Map<String, Value> = object(item);
                    let Some(Value::String(id)) = fields.remove("id") else { panic!("an id") };
                    entries.push(StoredEntry { kind: kind.as_str().into(), id, fields: Ok(fields) });
                }
            }
            settings => entries.push(StoredEntry {
                kind: kind.as_str().into(),
                id: "gateway".into(),
                fields: Ok(object(settings)),
            }),
        }
    }
    entries
}

/// A backend `b` and one route `r` to it with these fields.
pub(crate) fn forwarding(fields: Value) -> Value {
    let mut route = json!({"id": "r", "authenticate": "anonymous", "forward": {"backend": "b"}});
    let (Value::Object(route_fields), Value::Object(fields)) = (&mut route, fields) else { panic!("objects") };
    route_fields.extend(fields);
    json!({"backends": [{"id": "b", "targets": [{"url": "http://backend.internal:8080/base"}]}], "routes": [route]})
}
