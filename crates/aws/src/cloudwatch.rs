//! Metrics by `PutMetricData` (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>).

use async_trait::async_trait;
use aws_sdk_cloudwatch::{
    Client,
    config::{Builder, retry::RetryConfig},
    error::{DisplayErrorContext, SdkError},
    operation::put_metric_data::PutMetricDataError,
    primitives::DateTime,
    types::{Dimension, MetricDatum, StandardUnit},
};
use faregate_engine::ports::{MetricSink, Series, SinkError, unit_of};

use crate::{
    AwsConfig,
    deferred::{Deferred, deferred},
};

/// The namespace of every metric.
const NAMESPACE: &str = "Faregate";
/// How many metrics one call takes.
const METRICS_MAX: usize = 1000;
/// How many bytes one call has at most, before they are compressed: AWS takes 1 MB.
const BYTES_MAX: usize = 900_000;
/// The status of a call that is larger all the same.
const TOO_LARGE: u16 = 413;
/// What a metric has beside its texts and values, and what each of its values has with its count, at most (CBOR).
const METRIC_BYTES: usize = 256;
const VALUE_BYTES: usize = 18;

/// Metrics of one gateway.
#[derive(Debug)]
pub struct CloudWatchSink {
    client: Deferred<Client>,
    gateway: String,
}

impl CloudWatchSink {
    /// Metrics with the dimension `Gateway` of this value.
    #[must_use]
    pub fn new(config: &AwsConfig, gateway: impl Into<String>) -> Self {
        Self::of(Builder::from(config.sdk()), gateway.into())
    }

    /// Each call is sent once: what AWS took before its answer was lost would count twice. Who sends metrics keeps what was
    /// not taken.
    fn of(config: Builder, gateway: String) -> Self {
        let config = config.retry_config(RetryConfig::disabled());
        Self { client: deferred(move || Client::from_conf(config.build())), gateway }
    }

    fn data(&self, series: &Series) -> Vec<MetricDatum> {
        let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
        let mut dimensions = vec![dimension("Gateway", &self.gateway)];
        dimensions.extend(series.route.as_deref().map(|route| dimension("Route", route)));
        let at = DateTime::from_millis(i64::try_from(series.minute.as_millis()).unwrap_or(i64::MAX));
        let datum = |name: &str| {
            MetricDatum::builder()
                .metric_name(name)
                .timestamp(at)
                .unit(StandardUnit::from(unit_of(name)))
                .set_dimensions(Some(dimensions.clone()))
        };
        let sums = series.sums.iter().map(|(name, sum)| datum(name).value(*sum).build());
        let values = series.values.iter().map(|(name, histogram)| {
            let (values, counts): (Vec<f64>, Vec<f64>) =
                histogram.values().into_iter().map(|(value, count)| (value, count as f64)).unzip();
            datum(name).set_values(Some(values)).set_counts(Some(counts)).build()
        });
        sums.chain(values).collect()
    }

    /// How many metrics a series has, and how many bytes they are at most.
    fn size(&self, series: &Series) -> (usize, usize) {
        let metrics = series.sums.len() + series.values.len();
        let texts = self.gateway.len() + series.route.as_ref().map_or(0, |route| route.len());
        let values: usize = series.values.values().map(|histogram| histogram.values().len()).sum();
        (metrics, metrics * (METRIC_BYTES + texts) + values * VALUE_BYTES)
    }
}

#[async_trait]
impl MetricSink for CloudWatchSink {
    fn fits(&self, series: &[Series]) -> usize {
        let (mut metrics, mut bytes) = (0, 0);
        let fitting = series.iter().take_while(|series| {
            let (more_metrics, more_bytes) = self.size(series);
            metrics += more_metrics;
            bytes += more_bytes;
            metrics <= METRICS_MAX && bytes <= BYTES_MAX
        });
        fitting.count()
    }

    async fn put(&self, series: &[Series]) -> Result<u64, SinkError> {
        let data: Vec<MetricDatum> = series.iter().flat_map(|series| self.data(series)).collect();
        let put = self.client.put_metric_data().namespace(NAMESPACE).set_metric_data(Some(data));
        put.send().await.map_err(|error| sink_error(&error))?;
        Ok(0)
    }
}

/// What AWS says is wrong with the metrics themselves will be wrong the next time, too. All else passes: throttling, an outage,
/// and a role that is mended.
fn sink_error(error: &SdkError<PutMetricDataError>) -> SinkError {
    let cause = DisplayErrorContext(error).to_string().chars().take(300).collect();
    let is_too_large = error.raw_response().is_some_and(|response| response.status().as_u16() == TOO_LARGE);
    let is_wrong = error.as_service_error().is_some_and(|error| {
        error.is_invalid_parameter_value_exception()
            || error.is_invalid_parameter_combination_exception()
            || error.is_missing_required_parameter_exception()
    });
    if is_wrong || is_too_large { SinkError::Refused(cause) } else { SinkError::Unavailable(cause) }
}

#[cfg(test)]
mod tests;
