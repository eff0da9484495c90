//! Metrics by `PutMetricData` (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>).

use async_trait::async_trait;
use aws_sdk_cloudwatch::{
    Client,
    primitives::DateTime,
    types::{Dimension, MetricDatum, StandardUnit},
};
use faregate_engine::ports::{MetricSink, Series, SinkError, unit_of};

use crate::AwsConfig;

/// The namespace of every metric.
const NAMESPACE: &str = "Faregate";
/// How many metrics one call takes.
const METRICS_MAX: usize = 1000;

/// Metrics of one gateway.
#[derive(Clone, Debug)]
pub struct CloudWatchSink {
    client: Client,
    gateway: String,
}

impl CloudWatchSink {
    /// Metrics with the dimension `Gateway` of this value.
    #[must_use]
    pub fn new(config: &AwsConfig, gateway: impl Into<String>) -> Self {
        Self { client: Client::new(config.sdk()), gateway: gateway.into() }
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
}

#[async_trait]
impl MetricSink for CloudWatchSink {
    async fn put(&self, series: &[Series]) -> Result<u64, SinkError> {
        let data: Vec<MetricDatum> = series.iter().flat_map(|series| self.data(series)).collect();
        for chunk in data.chunks(METRICS_MAX) {
            let put = self.client.put_metric_data().namespace(NAMESPACE).set_metric_data(Some(chunk.to_vec()));
            put.send().await.map_err(|error| {
                SinkError(
                    aws_sdk_cloudwatch::error::DisplayErrorContext(&error).to_string().chars().take(300).collect(),
                )
            })?;
        }
        Ok(0)
    }
}
