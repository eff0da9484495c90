//! The gateway function with one fault: its way to backends panics for paths that end in `/panic`.
//!
//! All else is what `functions/gateway` wires, so that a test sees what the runtime does about a panic.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use faregate_aws::{
    AwsConfig, CloudWatchSink, DynamoConfigStore, DynamoCounters, DynamoKeyStore, Patience, SsmSecrets,
};
use faregate_core::cost::Machine;
use faregate_engine::{
    body::Body,
    gateway::{Gateway, Ports},
    ports::{Clock, MetricSinks, Outbound, OutboundError, OutboundRequest},
};
use faregate_http::{OutboundClient, OutboundSettings};
use faregate_lambda::{
    emf::EmfSink,
    host::{OsRandom, SystemClock},
    serve::serve,
    settings::Settings,
    telemetry::{JsonLines, init_tracing},
};
use http::Response;

/// A way to backends that is not always one.
struct Panicking(OutboundClient);

#[async_trait]
impl Outbound for Panicking {
    async fn send(&self, request: OutboundRequest) -> Result<Response<Body>, OutboundError> {
        assert!(!request.path_and_query.ends_with("/panic"), "on purpose");
        self.0.send(request).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let settings = Settings::from_env()?;
    init_tracing(&settings.log);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let aws = AwsConfig::for_function(Arc::clone(&clock), Patience::Request).await;
    let outbound = OutboundSettings {
        allow_loopback: settings.allow_loopback,
        runtime_api: settings.runtime_api,
        target_hosts: settings.target_hosts,
    };
    let gateway = Gateway::new(Ports {
        snapshots: Arc::new(DynamoConfigStore::new(&aws, settings.config_table)),
        keys: Arc::new(DynamoKeyStore::new(&aws, settings.keys_table)),
        counters: Arc::new(DynamoCounters::new(&aws, settings.usage_table, Arc::clone(&clock))),
        secrets: Arc::new(SsmSecrets::new(&aws, Arc::clone(&clock), settings.allow_inline_secrets)),
        outbound: Arc::new(Panicking(OutboundClient::new(outbound, Arc::clone(&clock))?)),
        telemetry: Arc::new(JsonLines::new(Arc::clone(&clock))),
        sinks: MetricSinks {
            cloudwatch: Arc::new(CloudWatchSink::new(&aws, &settings.gateway)),
            emf: Arc::new(EmfSink::new(&settings.gateway)),
            default: settings.metrics_sink,
        },
        machine: Machine { memory_mb: settings.memory_mb, is_arm64: false, streams: true },
        clock: Arc::clone(&clock),
        random: Arc::new(OsRandom::default()),
    });
    serve(gateway, clock, settings.invoke_mode).await
}
