//! The publisher function: whatever calls it, it publishes what the Config table holds.
//!
//! The stream's records, the schedule and a deploy only say *when*; what is published is read from the
//! table. So a lost event costs five minutes and a repeated one nothing.

use std::{error::Error, sync::Arc, time::Duration};

use faregate_aws::{AwsConfig, CloudWatchSink, DynamoConfigStore, Patience};
use faregate_core::{check::CheckOptions, policy::telemetry::Sink, time::Timestamp};
use faregate_engine::{
    ports::{Clock, Metric, MetricSink, Series, Telemetry},
    publish::{Outcome, PublishOptions, publish_when_free},
};
use faregate_lambda::{
    emf::EmfSink,
    host::SystemClock,
    settings::Settings,
    telemetry::{JsonLines, init_tracing},
};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};

/// What of an invocation's time is kept for publishing after an apply was waited for.
const RESERVE: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let settings = Settings::from_env()?;
    init_tracing(&settings.log);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let aws = AwsConfig::for_function(Arc::clone(&clock), Patience::Background).await;
    // The document's own choice does not count here: what is refused may be that document.
    let sink: Option<Box<dyn MetricSink>> = match settings.metrics_sink {
        Sink::Cloudwatch => Some(Box::new(CloudWatchSink::new(&aws, &settings.gateway))),
        Sink::Emf => Some(Box::new(EmfSink::new(&settings.gateway))),
        Sink::Off => None,
    };
    let store = DynamoConfigStore::new(&aws, settings.config_table);
    let telemetry = JsonLines::new(Arc::clone(&clock));
    let check = CheckOptions { allow_inline_secrets: settings.allow_inline_secrets };
    let options = PublishOptions { check, lock_holder: None };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let left = Timestamp::from_millis(event.context.deadline).since(clock.now());
        let until = clock.now().plus(left.saturating_sub(RESERVE));
        let outcome = publish_when_free(&store, &*clock, options, until).await?;
        if let (Outcome::Refused { diagnostics }, Some(sink)) = (&outcome, &sink) {
            count(diagnostics.len(), &**sink, &*clock, &telemetry).await;
        }
        report(&outcome, &telemetry)
    }))
    .await
}

/// Counts a refused configuration, by its mistakes: the alarm on it must not depend on traffic.
async fn count(mistakes: usize, sink: &dyn MetricSink, clock: &dyn Clock, telemetry: &dyn Telemetry) {
    let mut series = Series::of_minute(clock.now(), None);
    series.sums.insert(Metric::PublishRejected.name(), mistakes as f64);
    if let Err(error) = sink.put(&[series]).await {
        telemetry.metric(Metric::MetricsDelayed, &format!("a refused configuration was not counted: {error}"));
    }
}

/// The function's answer; a refusal also names every mistake in a metric. A lock that is still held is an error, so that
/// the stream and the schedule call again.
fn report(outcome: &Outcome, telemetry: &dyn Telemetry) -> Result<Value, lambda_runtime::Error> {
    Ok(match outcome {
        Outcome::Published { head, .. } => json!({ "published": head.version }),
        Outcome::Unchanged { head, healed, .. } => json!({ "unchanged": head.version, "healed": healed }),
        Outcome::Locked(lock) => {
            return Err(format!("an apply holds the lock until {}", lock.expires_at.rfc3339()).into());
        }
        Outcome::Refused { diagnostics } => {
            for diagnostic in diagnostics {
                telemetry.metric(Metric::PublishRejected, &diagnostic.to_string());
            }
            json!({ "refused": diagnostics.len() })
        }
    })
}
