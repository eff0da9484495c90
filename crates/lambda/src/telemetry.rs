//! Records and metrics as JSON lines on standard output, where Lambda collects them.

use std::{io::Write, str::FromStr, sync::Arc};

use faregate_engine::{
    ports::{Clock, Metric, Telemetry},
    record::Record,
};
use serde::Serialize;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// Longest text of one field in characters, so that a line stays below 4 KB.
const FIELD_CHARS_MAX: usize = 128;

/// Sends `tracing` events that pass the filter to standard output, as JSON.
pub fn init_tracing(filter: &str) {
    let targets = Targets::from_str(filter).unwrap_or_else(|_| Targets::new().with_default(tracing::Level::WARN));
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false);
    // A second call finds a subscriber in place, which is fine.
    let _ = tracing_subscriber::registry().with(lines).with(targets).try_init();
}

/// Writes one JSON line per record and per metric.
pub struct JsonLines {
    clock: Arc<dyn Clock>,
}

impl JsonLines {
    /// Lines to standard output.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }

    fn write(&self, line: &impl Serialize) {
        let Ok(mut line) = serde_json::to_vec(line) else { return };
        line.push(b'\n');
        // Nobody can be told that standard output is gone.
        let _ = std::io::stdout().lock().write_all(&line);
    }
}

#[derive(Serialize)]
struct RecordLine<'a> {
    level: &'static str,
    timestamp: String,
    r#type: &'static str,
    #[serde(flatten)]
    record: &'a Record,
}

#[derive(Serialize)]
struct MetricLine<'a> {
    level: &'static str,
    timestamp: String,
    r#type: &'static str,
    metric: &'a str,
    detail: String,
}

impl Telemetry for JsonLines {
    fn record(&self, record: &Record) {
        let record = bounded(record.clone());
        let level = if record.status >= 500 { "ERROR" } else { "INFO" };
        self.write(&RecordLine { level, timestamp: record.timestamp.rfc3339(), r#type: "request", record: &record });
    }

    fn metric(&self, metric: Metric, detail: &str) {
        let detail = detail.chars().take(4 * FIELD_CHARS_MAX).collect();
        let timestamp = self.clock.now().rfc3339();
        self.write(&MetricLine { level: "WARN", timestamp, r#type: "metric", metric: metric.name(), detail });
    }
}

/// A record whose texts, some of them the client's own, have a bounded length.
fn bounded(mut record: Record) -> Record {
    let texts = [&mut record.method, &mut record.path, &mut record.host, &mut record.request_id];
    for text in texts {
        truncate(text);
    }
    let optional = [&mut record.cause, &mut record.consumer, &mut record.credential, &mut record.target];
    for text in optional.into_iter().flatten() {
        truncate(text);
    }
    record
}

fn truncate(text: &mut String) {
    if let Some((index, _)) = text.char_indices().nth(FIELD_CHARS_MAX) {
        text.truncate(index);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use faregate_engine::record::Record;

    use super::{RecordLine, bounded};

    #[test]
    fn a_line_stays_below_4_kilobytes_whatever_the_request_had() {
        let long = "\u{1}é\"".repeat(3000);
        let record = bounded(Record {
            path: long.clone(),
            host: long.clone(),
            method: long.clone(),
            request_id: "a".repeat(128),
            cause: Some(long.clone()),
            consumer: Some("c".repeat(256)),
            ..Record::default()
        });
        let line = RecordLine { level: "INFO", timestamp: String::new(), r#type: "request", record: &record };
        let line = serde_json::to_string(&line).expect("JSON");
        assert!(line.len() < 4096, "{}", line.len());
        assert!(!line.contains('\n'));
    }
}
