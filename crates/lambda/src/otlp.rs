//! Traces by OTLP over HTTP (<https://opentelemetry.io/docs/specs/otlp/>), for builds with the feature `otlp`.
//!
//! Each request that is sampled is a span of kind `server` with the phases that took time below it. Whoever began the trace
//! says whether it is sampled; traces that begin here all are. Spans leave at the end of their invocation, each once: what the
//! collector does not take in time is lost.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use faregate_engine::{
    ports::{Metric, Outbound, OutboundLimits, OutboundRequest, Random, Telemetry},
    record::Record,
};
use futures_util::future::BoxFuture;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId, Value,
    trace::{SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks},
};

use crate::telemetry::shortened;

/// How many spans wait to be sent at most.
const SPANS_MAX: usize = 512;
/// How long the collector may take to connect, and to answer.
const CONNECT_LIMIT: Duration = Duration::from_millis(200);
const ANSWER_LIMIT: Duration = Duration::from_millis(400);
/// How long its answer may be.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Whether a collector's URL names this machine itself. A name that merely resolves to loopback does not.
#[must_use]
pub fn names_loopback(endpoint: &str) -> bool {
    let Some(authority) = endpoint.parse::<Uri>().ok().and_then(|uri| uri.into_parts().authority) else { return false };
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Telemetry that also sends spans.
pub struct OtlpTraces {
    inner: Arc<dyn Telemetry>,
    random: Arc<dyn Random>,
    exporter: tokio::sync::Mutex<SpanExporter>,
    spans: Mutex<Vec<SpanData>>,
}

impl OtlpTraces {
    /// Sends to the collector at this base URL (`OTEL_EXPORTER_OTLP_ENDPOINT`), as the service of this name.
    ///
    /// # Errors
    ///
    /// If the URL is none.
    pub fn new(
        inner: Arc<dyn Telemetry>,
        outbound: Arc<dyn Outbound>,
        random: Arc<dyn Random>,
        endpoint: &str,
        service: &str,
    ) -> Result<Self, ExporterBuildError> {
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client(outbound))
            .with_retry_policy(RetryPolicy::disabled())
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()?;
        exporter.set_resource(&Resource::builder().with_service_name(service.to_owned()).build());
        Ok(Self { inner, random, exporter: tokio::sync::Mutex::new(exporter), spans: Mutex::default() })
    }

    fn spans(&self) -> std::sync::MutexGuard<'_, Vec<SpanData>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The spans of a request; none where it has no trace or is not sampled.
    fn spans_of(&self, record: &Record) -> Vec<SpanData> {
        let ids = (TraceId::from_hex(&record.trace_id), SpanId::from_hex(&record.span.id));
        let ((Ok(trace), Ok(request)), true) = (ids, record.span.is_sampled()) else { return Vec::new() };
        let parent = record.span.parent_id.as_deref().and_then(|id| SpanId::from_hex(id).ok());
        let began = SystemTime::UNIX_EPOCH + Duration::from_millis(record.timestamp.as_millis());
        let root = Part {
            name: record
                .route
                .clone()
                .map_or_else(|| record.method.clone(), |route| format!("{} {route}", record.method)),
            kind: SpanKind::Server,
            parent: parent.unwrap_or(SpanId::INVALID),
            has_remote_parent: parent.is_some(),
            attributes: attributes(record),
            status: if record.status >= 500 { Status::error(cause(record)) } else { Status::Unset },
        };
        let phases = record.phases.iter().map(|phase| {
            let part = Part {
                name: phase.name.to_owned(),
                kind: if phase.name == "forward" { SpanKind::Client } else { SpanKind::Internal },
                parent: request,
                has_remote_parent: false,
                attributes: Vec::new(),
                status: Status::Unset,
            };
            let id = SpanId::from_bytes(self.random.next_u64().max(1).to_be_bytes());
            let begins = began + phase.after;
            part.span(trace, id, (begins, begins + phase.duration))
        });
        let phases: Vec<SpanData> = phases.collect();
        std::iter::once(root.span(trace, request, (began, began + record.duration))).chain(phases).collect()
    }
}

/// What differs from span to span.
struct Part {
    name: String,
    kind: SpanKind,
    parent: SpanId,
    has_remote_parent: bool,
    attributes: Vec<KeyValue>,
    status: Status,
}

impl Part {
    fn span(self, trace: TraceId, id: SpanId, (start_time, end_time): (SystemTime, SystemTime)) -> SpanData {
        SpanData {
            span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::default()),
            parent_span_id: self.parent,
            parent_span_is_remote: self.has_remote_parent,
            span_kind: self.kind,
            name: self.name.into(),
            start_time,
            end_time,
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: self.status,
            instrumentation_scope: InstrumentationScope::builder("faregate").build(),
        }
    }
}

/// By OpenTelemetry's semantic conventions for HTTP servers, and a few of our own.
fn attributes(record: &Record) -> Vec<KeyValue> {
    let text = |text: &Option<String>| text.clone().map(Value::from);
    let id = |id: &Option<Arc<str>>| id.clone().map(|id| Value::String(id.into()));
    let known = [
        ("http.request.method", Some(record.method.clone().into())),
        ("url.path", Some(record.path.clone().into())),
        ("server.address", Some(record.host.clone().into())),
        ("client.address", text(&record.address)),
        ("http.response.status_code", Some(i64::from(record.status).into())),
        ("http.route", id(&record.route)),
        ("error.type", record.code.map(|code| code.as_str().into())),
        ("faregate.request_id", Some(record.request_id.clone().into())),
        ("faregate.consumer", text(&record.consumer)),
        ("faregate.backend", id(&record.backend)),
        ("faregate.config_version", i64::try_from(record.config_version).ok().map(Value::from)),
        ("faas.coldstart", Some(record.cold_start.into())),
    ];
    known.into_iter().filter_map(|(name, value)| Some(KeyValue::new(name, value?))).collect()
}

fn cause(record: &Record) -> String {
    record.cause.clone().unwrap_or_default()
}

impl Telemetry for OtlpTraces {
    fn record(&self, record: &Record) -> u64 {
        let new = self.spans_of(record);
        let mut spans = self.spans();
        if spans.len() + new.len() <= SPANS_MAX {
            spans.extend(new);
        }
        drop(spans);
        self.inner.record(record)
    }

    fn metric(&self, metric: Metric, detail: &str) -> u64 {
        self.inner.metric(metric, detail)
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let spans = std::mem::take(&mut *self.spans());
            if spans.is_empty() {
                return;
            }
            // The exporter takes one batch at a time.
            if let Err(error) = self.exporter.lock().await.export(spans).await {
                tracing::warn!(error = shortened(&error), "spans are lost");
            }
        })
    }
}

/// The way to the collector.
struct Client(Arc<dyn Outbound>);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let (Some(scheme), Some(authority)) = (parts.uri.scheme(), parts.uri.authority()) else {
            return Err(format!("{} is no absolute URL", parts.uri).into());
        };
        let answer = self.0.send(OutboundRequest {
            method: parts.method,
            origin: format!("{scheme}://{authority}").parse()?,
            path_and_query: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            headers: parts.headers,
            body,
            limits: OutboundLimits {
                connect: Some(CONNECT_LIMIT),
                response: Some(ANSWER_LIMIT),
                invocation: Some(ANSWER_LIMIT),
                ..OutboundLimits::default()
            },
        });
        let (parts, body) = answer.await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

#[cfg(test)]
mod tests {
    use super::names_loopback;

    #[test]
    fn only_a_url_that_says_so_names_this_machine() {
        for url in ["http://localhost:4318", "http://LOCALHOST:4318/x", "http://127.0.0.1:4318", "http://[::1]:4318"] {
            assert!(names_loopback(url), "{url}");
        }
        let others = [
            "https://otel.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.nip.io",
            "http://10.0.0.1",
            "/v1",
            "",
        ];
        for url in others {
            assert!(!names_loopback(url), "{url}");
        }
    }
}
