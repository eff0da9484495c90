//! The gateway function: wires the engine to AWS, to backends and to Lambda.

use std::{error::Error, sync::Arc};

use faregate_aws::{
    AwsConfig, CloudWatchSink, DynamoConfigStore, DynamoCounters, DynamoKeyStore, Patience, SsmSecrets,
};
use faregate_core::cost::Machine;
use faregate_engine::{
    gateway::{Gateway, Ports},
    ports::{Clock, MetricSinks, Random, Telemetry},
};
use faregate_http::{OutboundClient, OutboundSettings};
#[cfg(feature = "otlp")]
use faregate_lambda::otlp::{OtlpTraces, names_loopback};
use faregate_lambda::{
    emf::EmfSink,
    host::{OsRandom, SystemClock},
    serve::serve,
    settings::{InvokeMode, Settings},
    telemetry::{JsonLines, init_tracing},
};

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
    let random: Arc<dyn Random> = Arc::new(OsRandom::default());
    let telemetry: Arc<dyn Telemetry> = Arc::new(JsonLines::new(Arc::clone(&clock)));
    #[cfg(feature = "otlp")]
    let telemetry = match &settings.otlp_endpoint {
        Some(endpoint) => {
            // A collector may run beside the function, as an extension; nothing else of loopback is reached by this client.
            let allow_loopback = outbound.allow_loopback || names_loopback(endpoint);
            let outbound = OutboundSettings { allow_loopback, ..outbound.clone() };
            let outbound = Arc::new(OutboundClient::new(outbound, Arc::clone(&clock))?);
            Arc::new(OtlpTraces::new(telemetry, outbound, Arc::clone(&random), endpoint, &settings.gateway)?)
        }
        None => telemetry,
    };
    let gateway = Gateway::new(Ports {
        snapshots: Arc::new(DynamoConfigStore::new(&aws, settings.config_table)),
        keys: Arc::new(DynamoKeyStore::new(&aws, settings.keys_table)),
        counters: Arc::new(DynamoCounters::new(&aws, settings.usage_table, Arc::clone(&clock))),
        secrets: Arc::new(SsmSecrets::new(&aws, Arc::clone(&clock), settings.allow_inline_secrets)),
        outbound: Arc::new(OutboundClient::new(outbound, Arc::clone(&clock))?),
        telemetry,
        sinks: MetricSinks {
            cloudwatch: Arc::new(CloudWatchSink::new(&aws, &settings.gateway)),
            emf: Arc::new(EmfSink::new(&settings.gateway)),
            default: settings.metrics_sink,
        },
        machine: Machine {
            memory_mb: settings.memory_mb,
            is_arm64: cfg!(target_arch = "aarch64"),
            streams: settings.invoke_mode == InvokeMode::Stream,
        },
        clock: Arc::clone(&clock),
        random,
    });
    serve(gateway, clock, settings.invoke_mode).await
}
