//! Traces by OTLP: what reaches a collector, over a real socket, in protocol buffers.

mod binary;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use faregate_core::cost::Machine;
use faregate_core::policy::telemetry::Sink;
use faregate_engine::{
    body::full,
    fakes::{
        FakeClock, FakeConfigStore, FakeCounters, FakeKeyStore, FakeMetricSink, FakeOutbound, FakeRandom, FakeSecrets,
        FakeTelemetry,
    },
    gateway::{Gateway, Incoming, Peer, Ports, SideWork},
    ports::{Clock, MetricSinks, StoredEntry, Telemetry},
    publish::{PublishOptions, publish},
};
use faregate_http::{OutboundClient, OutboundSettings};
use faregate_lambda::otlp::OtlpTraces;
use faregate_tests::Backend;
use http::{Request, Response};
use http_body_util::BodyExt;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{Span, span::SpanKind},
};
use prost::Message;
use serde_json::{Value, json};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A gateway with one anonymous route, whose spans go to this collector.
struct Traced {
    gateway: Gateway,
    outbound: Arc<FakeOutbound>,
}

impl Traced {
    async fn with(collector: &str) -> Self {
        let clock = Arc::new(FakeClock::default());
        let as_clock: Arc<dyn Clock> = Arc::<FakeClock>::clone(&clock);
        let config = Arc::new(FakeConfigStore::default());
        for (kind, id, fields) in [
            ("backend", "b", json!({"targets": [{"url": "http://backend.internal"}]})),
            ("route", "orders", json!({"authenticate": "anonymous", "forward": {"backend": "b"}})),
        ] {
            let Value::Object(fields) = fields else { panic!("an object") };
            config.insert(StoredEntry { kind: kind.into(), id: id.into(), fields: Ok(fields) });
        }
        publish(&*config, &*clock, PublishOptions::default()).await.expect("a snapshot");
        let ticking = Arc::clone(&clock);
        let outbound = Arc::new(FakeOutbound::answering(move |_| {
            ticking.advance(Duration::from_millis(20));
            Ok(Response::new(full("hello")))
        }));
        let settings = OutboundSettings { allow_loopback: true, ..OutboundSettings::default() };
        let way = Arc::new(OutboundClient::new(settings, Arc::clone(&as_clock)).expect("a client"));
        let random = Arc::new(FakeRandom::new(7));
        let inner: Arc<dyn Telemetry> = Arc::new(FakeTelemetry::default());
        let traces = OtlpTraces::new(inner, way, Arc::<FakeRandom>::clone(&random), collector, "faregate");
        let sink = Arc::new(FakeMetricSink::default());
        let gateway = Gateway::new(Ports {
            snapshots: config,
            keys: Arc::new(FakeKeyStore::default()),
            counters: Arc::new(FakeCounters::default()),
            secrets: Arc::new(FakeSecrets::default()),
            outbound: Arc::<FakeOutbound>::clone(&outbound),
            telemetry: Arc::new(traces.expect("traces")),
            sinks: MetricSinks { cloudwatch: Arc::<FakeMetricSink>::clone(&sink), emf: sink, default: Sink::Off },
            machine: Machine { memory_mb: 256, is_arm64: true, streams: true },
            clock: as_clock,
            random,
        });
        Self { gateway, outbound }
    }

    async fn get(&self, path: &str, traceparent: Option<&str>) -> u16 {
        let mut request = Request::get(path).header("host", "api.example.com");
        if let Some(traceparent) = traceparent {
            request = request.header("traceparent", traceparent);
        }
        let request = Ok(request.body(Bytes::new()).expect("a request"));
        let handled = self.gateway.handle(Incoming { request, peer: Peer::default(), remaining: None }).await;
        let (parts, body) = handled.response.into_parts();
        body.collect().await.expect("a whole body");
        handled.side_work.join(SideWork::LIMIT).await;
        self.gateway.flush().await;
        parts.status.as_u16()
    }
}

/// The spans that a collector got, by name, and the names of the services they are of.
fn spans(collector: &Backend) -> (BTreeMap<String, Span>, Vec<String>) {
    let (mut spans, mut services) = (BTreeMap::new(), Vec::new());
    for seen in collector.seen() {
        assert_eq!((&*seen.method, &*seen.path), ("POST", "/v1/traces"));
        assert_eq!(seen.values("content-type"), ["application/x-protobuf"]);
        let request = ExportTraceServiceRequest::decode(seen.body.clone()).expect("spans");
        for of_resource in request.resource_spans {
            let attributes = of_resource.resource.expect("a resource").attributes;
            services.extend(
                attributes.iter().filter(|pair| pair.key == "service.name").map(|pair| format!("{:?}", pair.value)),
            );
            let all = of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans);
            spans.extend(all.map(|span| (span.name.clone(), span)));
        }
    }
    (spans, services)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_request_is_a_span_of_the_clients_trace_with_its_phases_below_it() {
    let collector = Backend::echo("collector").await.expect("a collector");
    let traced = Traced::with(&collector.url()).await;
    assert_eq!(traced.get("/orders/7?secret=1", Some(&format!("00-{TRACE}-{PARENT}-01"))).await, 200);
    let (spans, services) = spans(&collector);
    assert!(services.iter().all(|service| service.contains("faregate")) && services.len() == 1, "{services:?}");
    let (root, forward) = (&spans["GET orders"], &spans["forward"]);
    assert_eq!((hex(&root.trace_id), hex(&root.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(root.kind(), SpanKind::Server);
    assert_eq!((hex(&forward.trace_id), &forward.parent_span_id), (TRACE.to_owned(), &root.span_id));
    assert_eq!(forward.kind(), SpanKind::Client);
    assert_eq!(forward.end_time_unix_nano - forward.start_time_unix_nano, 20_000_000);
    assert!(spans.contains_key("authenticate") && spans.contains_key("limit"), "{:?}", spans.keys());
    // The backend's own spans belong below the request.
    let sent = traced.outbound.requests()[0].headers["traceparent"].clone();
    assert_eq!(sent, format!("00-{TRACE}-{}-01", hex(&root.span_id)));
    let attributes = format!("{:?}", root.attributes);
    assert!(attributes.contains("/orders/7") && !attributes.contains("secret"), "{attributes}");
}

#[tokio::test]
async fn a_trace_that_is_not_sampled_sends_nothing_and_one_that_begins_here_is() {
    let collector = Backend::echo("collector").await.expect("a collector");
    let traced = Traced::with(&collector.url()).await;
    assert_eq!(traced.get("/", Some(&format!("00-{TRACE}-{PARENT}-00"))).await, 200);
    assert_eq!(collector.seen().len(), 0);
    assert_eq!(traced.get("/", None).await, 200);
    let (spans, _) = spans(&collector);
    assert!(spans["GET orders"].parent_span_id.is_empty());
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_no_request() {
    let traced = Traced::with("http://127.0.0.1:9").await;
    for _ in 0..3 {
        assert_eq!(traced.get("/", None).await, 200);
    }
}
