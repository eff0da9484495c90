//! Records and metrics as JSON lines.

use std::{io::Write, str::FromStr, sync::Arc};

use faregate_core::cost::LOG_LINE_OVERHEAD;
use faregate_engine::{
    ports::{Clock, Metric, Telemetry},
    record::Record,
};
use serde::Serialize;
use tracing_subscriber::{filter::Targets, fmt::format::FmtSpan, layer::SubscriberExt, util::SubscriberInitExt};

/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 4096;
/// Longest text of one field, in characters; and where a line would still be too long.
const FIELD_CHARS_MAX: usize = 128;
const FIELD_CHARS_SHORT: usize = 32;

/// Sends `tracing` events that pass the filter to standard output, as JSON, and a line for each span that closes.
pub fn init_tracing(filter: &str) {
    let targets = Targets::from_str(filter).unwrap_or_else(|_| Targets::new().with_default(tracing::Level::WARN));
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_events(FmtSpan::CLOSE);
    // A second call finds a subscriber in place, which is fine.
    let _ = tracing_subscriber::registry().with(lines).with(targets).try_init();
}

/// Where lines go.
pub trait Lines: Send + Sync {
    /// Writes one line, which ends with a line feed.
    fn write(&self, line: &[u8]);
}

/// Standard output, where Lambda collects lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardOutput;

impl Lines for StandardOutput {
    fn write(&self, line: &[u8]) {
        // Nobody can be told that standard output is gone.
        let _ = std::io::stdout().lock().write_all(line);
    }
}

/// Writes one JSON line per record and per metric.
pub struct JsonLines {
    clock: Arc<dyn Clock>,
    lines: Arc<dyn Lines>,
}

impl JsonLines {
    /// Lines to standard output.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, lines: Arc::new(StandardOutput) }
    }

    /// The same lines, to somewhere else.
    #[must_use]
    pub fn to(self, lines: Arc<dyn Lines>) -> Self {
        Self { lines, ..self }
    }
}

/// Writes one JSON line, and says how many bytes that is, with what CloudWatch Logs adds.
pub(crate) fn write_line(line: &impl Serialize, lines: &dyn Lines) -> u64 {
    serde_json::to_vec(line).map_or(0, |line| write_bytes(line, lines))
}

fn write_bytes(mut line: Vec<u8>, lines: &dyn Lines) -> u64 {
    line.push(b'\n');
    lines.write(&line);
    line.len() as u64 + LOG_LINE_OVERHEAD
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
    fn record(&self, record: &Record) -> u64 {
        if record.logged { write_bytes(line(record), &*self.lines) } else { 0 }
    }

    fn metric(&self, metric: Metric, detail: &str) -> u64 {
        let detail = shortened(&detail);
        let timestamp = self.clock.now().rfc3339();
        let line = MetricLine { level: "WARN", timestamp, r#type: "metric", metric: metric.name(), detail };
        write_line(&line, &*self.lines)
    }
}

/// A text for a line that is no record, of 512 characters at most: escaped, that is 3 KB.
pub(crate) fn shortened(text: &impl std::fmt::Display) -> String {
    text.to_string().chars().take(4 * FIELD_CHARS_MAX).collect()
}

/// The line of a record, of 4 KB at most: what was asked to be shown beside the rest goes first.
fn line(record: &Record) -> Vec<u8> {
    let level = if record.status >= 500 { "ERROR" } else { "INFO" };
    let write = |record: &Record| {
        let timestamp = record.timestamp.rfc3339();
        serde_json::to_vec(&RecordLine { level, timestamp, r#type: "request", record }).unwrap_or_default()
    };
    let mut record = bounded(record.clone());
    let line = write(&record);
    if line.len() <= LINE_BYTES_MAX {
        return line;
    }
    record.headers.clear();
    record.query = None;
    let line = write(&record);
    if line.len() <= LINE_BYTES_MAX {
        return line;
    }
    // Escapes make six bytes of one character.
    for text in texts(&mut record) {
        truncate(text, FIELD_CHARS_SHORT);
    }
    write(&record)
}

/// A record whose texts, some of them the client's own, have a bounded length.
fn bounded(mut record: Record) -> Record {
    for text in texts(&mut record) {
        truncate(text, FIELD_CHARS_MAX);
    }
    if let Some(target) = record.target.take() {
        let mut text = target.to_string();
        truncate(&mut text, FIELD_CHARS_MAX);
        record.target = Some(text.into());
    }
    record
}

/// The texts of a record.
fn texts(record: &mut Record) -> impl Iterator<Item = &mut String> {
    let texts = [&mut record.method, &mut record.path, &mut record.host, &mut record.request_id];
    let optional = [
        &mut record.query,
        &mut record.address,
        &mut record.xray_trace_id,
        &mut record.cause,
        &mut record.consumer,
        &mut record.credential,
        &mut record.stream_error,
    ];
    texts.into_iter().chain(optional.into_iter().flatten()).chain(record.headers.values_mut())
}

fn truncate(text: &mut String, chars_max: usize) {
    if let Some((index, _)) = text.char_indices().nth(chars_max) {
        text.truncate(index);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use faregate_core::cost::LOG_LINE_OVERHEAD;
    use faregate_engine::{
        ports::{Metric, Telemetry},
        record::Record,
    };

    use super::{JsonLines, LINE_BYTES_MAX, Lines, line};
    use crate::host::SystemClock;

    #[derive(Default)]
    struct Written(Mutex<Vec<Vec<u8>>>);

    impl Lines for Written {
        fn write(&self, line: &[u8]) {
            self.0.lock().expect("a lock").push(line.to_vec());
        }
    }

    #[test]
    fn what_a_line_takes_is_what_was_written_of_it() {
        let written = Arc::new(Written::default());
        let telemetry =
            JsonLines::new(Arc::new(SystemClock::default())).to(Arc::<Written>::clone(&written) as Arc<dyn Lines>);
        let record = Record { path: "/".repeat(90), ..Record::default() };
        assert_eq!(telemetry.record(&record), 0, "not chosen");
        let taken = telemetry.record(&Record { logged: true, ..record })
            + telemetry.metric(Metric::KeyItemsInvalid, "the key of acme");
        let written = written.0.lock().expect("a lock");
        assert_eq!(written.len(), 2);
        assert_eq!(taken, written.iter().map(|line| line.len() as u64 + LOG_LINE_OVERHEAD).sum::<u64>());
    }

    #[test]
    fn a_metrics_line_stays_below_4_kilobytes_whatever_went_wrong() {
        let written = Arc::new(Written::default());
        let telemetry =
            JsonLines::new(Arc::new(SystemClock::default())).to(Arc::<Written>::clone(&written) as Arc<dyn Lines>);
        telemetry.metric(Metric::IssuerErrors, &"\u{1}".repeat(10_000));
        assert!(written.0.lock().expect("a lock")[0].len() < LINE_BYTES_MAX);
    }

    #[test]
    fn a_line_stays_below_4_kilobytes_whatever_the_request_had() {
        let long = "\u{1}é\"".repeat(3000);
        let record = Record {
            path: long.clone(),
            query: Some(long.clone()),
            headers: (0..16).map(|n| (format!("x-{n}"), long.clone())).collect(),
            target: Some("\u{1}".repeat(500).into()),
            credential: Some("\u{1}".repeat(500)),
            stream_error: Some("\u{1}".repeat(500)),
            host: long.clone(),
            method: long.clone(),
            request_id: "a".repeat(128),
            cause: Some(long.clone()),
            consumer: Some("c".repeat(256)),
            ..Record::default()
        };
        let line = String::from_utf8(line(&record)).expect("UTF-8");
        assert!(line.len() <= 4096, "{}", line.len());
        assert!(!line.contains('\n'));
        let parsed: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(parsed["request_id"].as_str().map(str::len), Some(35), "32 characters and an ellipsis");
    }
}
