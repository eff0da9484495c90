//! Metrics as log lines in CloudWatch's embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use std::sync::Arc;

use async_trait::async_trait;
use faregate_engine::ports::{MetricSink, Series, SinkError, unit_of};
use serde_json::{Map, Value, json};

use crate::telemetry::{Lines, StandardOutput, write_line};

/// How many values one metric of a line has.
const VALUES_MAX: usize = 100;

/// Metrics of one gateway as lines.
#[derive(Clone)]
pub struct EmfSink {
    gateway: String,
    lines: Arc<dyn Lines>,
}

impl EmfSink {
    /// Metrics with the dimension `Gateway` of this value, on standard output.
    #[must_use]
    pub fn new(gateway: impl Into<String>) -> Self {
        Self { gateway: gateway.into(), lines: Arc::new(StandardOutput) }
    }

    /// The same lines, to somewhere else.
    #[must_use]
    pub fn to(self, lines: Arc<dyn Lines>) -> Self {
        Self { lines, ..self }
    }

    /// The lines of a series: more than one where a metric has too many values for one.
    fn lines(&self, series: &Series) -> Vec<Value> {
        let mut lines: Vec<Map<String, Value>> = Vec::new();
        let mut put = |line: usize, name: &str, value: Value| {
            if lines.len() <= line {
                lines.resize_with(line + 1, Map::new);
            }
            lines[line].insert(name.to_owned(), value);
        };
        for (name, sum) in &series.sums {
            put(0, name, json!(sum));
        }
        for (name, histogram) in &series.values {
            for (line, chunk) in histogram.values().chunks(VALUES_MAX).enumerate() {
                let (values, counts): (Vec<f64>, Vec<u64>) = chunk.iter().copied().unzip();
                put(line, name, json!({ "Values": values, "Counts": counts }));
            }
        }
        lines.into_iter().map(|metrics| self.line(series, metrics)).collect()
    }

    fn line(&self, series: &Series, metrics: Map<String, Value>) -> Value {
        let names: Vec<Value> = metrics.keys().map(|name| json!({ "Name": name, "Unit": unit_of(name) })).collect();
        let dimensions = if series.route.is_some() { json!(["Gateway", "Route"]) } else { json!(["Gateway"]) };
        let directive = json!({ "Namespace": "Faregate", "Dimensions": [dimensions], "Metrics": names });
        let mut line = metrics;
        line.insert(
            "_aws".to_owned(),
            json!({ "Timestamp": series.minute.as_millis(), "CloudWatchMetrics": [directive] }),
        );
        line.insert("Gateway".to_owned(), json!(self.gateway));
        if let Some(route) = &series.route {
            line.insert("Route".to_owned(), json!(**route));
        }
        Value::Object(line)
    }
}

#[async_trait]
impl MetricSink for EmfSink {
    async fn put(&self, series: &[Series]) -> Result<u64, SinkError> {
        let lines = series.iter().flat_map(|series| self.lines(series));
        Ok(lines.map(|line| write_line(&line, &*self.lines)).sum())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use faregate_core::time::Timestamp;
    use faregate_engine::{metrics::Histogram, ports::Series};

    use super::EmfSink;

    #[test]
    fn a_metric_with_many_values_takes_two_lines_and_its_sum_stands_once() {
        let mut histogram = Histogram::default();
        (0..3000).for_each(|n| histogram.observe(1.01_f64.powi(n)));
        let series = Series {
            minute: Timestamp::from_seconds(60),
            route: Some("orders".into()),
            sums: BTreeMap::from([("Requests", 7.0)]),
            values: BTreeMap::from([("Latency", histogram.clone())]),
        };
        let lines = EmfSink::new("prod").lines(&series);
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["Requests"], &lines[1]["Requests"]), (&7.0.into(), &serde_json::Value::Null));
        assert_eq!((&lines[0]["Gateway"], &lines[1]["Route"]), (&"prod".into(), &"orders".into()));
        let counts = lines.iter().flat_map(|line| line["Latency"]["Counts"].as_array().expect("counts"));
        assert_eq!(counts.map(|count| count.as_u64().expect("a count")).sum::<u64>(), histogram.count());
        let directive = &lines[0]["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], serde_json::json!([["Gateway", "Route"]]));
        assert_eq!(directive["Metrics"][0], serde_json::json!({"Name": "Latency", "Unit": "Milliseconds"}));
    }
}
