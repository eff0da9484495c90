//! Records and metrics as JSON lines.

use std::{borrow::Cow, io::Write, str::FromStr, sync::Arc};

use faregate_core::cost::LOG_LINE_OVERHEAD;
use faregate_engine::{
    ports::{Clock, Metric, Telemetry},
    record::Record,
};
use serde::Serialize;
use tracing_subscriber::{filter::Targets, fmt::format::FmtSpan, layer::SubscriberExt, util::SubscriberInitExt};

/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 4096;
/// How many characters a text has at most where the line would be too long otherwise: one step after the other.
const FIELD_CHARS: usize = 512;
const FIELD_CHARS_SHORT: usize = 128;
const FIELD_CHARS_SHORTEST: usize = 32;

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
    text.to_string().chars().take(FIELD_CHARS).collect()
}

/// The line of a record, of 4 KB at most. A longer one loses what can be spared first, step by step.
fn line(record: &Record) -> Vec<u8> {
    let level = if record.status >= 500 { "ERROR" } else { "INFO" };
    let write = |record: &Record| {
        let timestamp = record.timestamp.rfc3339();
        serde_json::to_vec(&RecordLine { level, timestamp, r#type: "request", record }).unwrap_or_default()
    };
    let mut line = write(record);
    let mut record = Cow::Borrowed(record);
    for shorten in STEPS {
        if line.len() <= LINE_BYTES_MAX {
            break;
        }
        shorten(record.to_mut());
        line = write(&record);
    }
    line
}

/// What a line that is too long loses. Who called stays whole for as long as anything else can be spared; with the last step
/// every line fits, even if each character of a text is written as six.
const STEPS: [fn(&mut Record); 4] = [
    |record| asked(record).for_each(|text| truncate(text, FIELD_CHARS)),
    |record| asked(record).for_each(|text| truncate(text, FIELD_CHARS_SHORT)),
    |record| {
        record.headers.clear();
        record.query = None;
    },
    |record| {
        asked(record).for_each(|text| truncate(text, FIELD_CHARS_SHORTEST));
        known(record).for_each(|text| truncate(text, FIELD_CHARS_SHORTEST));
        if let Some(target) = record.target.take() {
            let mut text = target.to_string();
            truncate(&mut text, FIELD_CHARS_SHORTEST);
            record.target = Some(text.into());
        }
    },
];

/// The texts that the client, or whatever went wrong, made as long as they are.
fn asked(record: &mut Record) -> impl Iterator<Item = &mut String> {
    let texts = [&mut record.method, &mut record.path, &mut record.host];
    let optional = [&mut record.query, &mut record.xray_trace_id, &mut record.cause, &mut record.stream_error];
    texts.into_iter().chain(optional.into_iter().flatten()).chain(record.headers.values_mut())
}

/// The texts that say which request it was, and whose.
fn known(record: &mut Record) -> impl Iterator<Item = &mut String> {
    let optional = [&mut record.address, &mut record.consumer, &mut record.credential];
    std::iter::once(&mut record.request_id).chain(optional.into_iter().flatten())
}

fn truncate(text: &mut String, chars_max: usize) {
    if let Some((index, _)) = text.char_indices().nth(chars_max) {
        text.truncate(index);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use faregate_core::{cost::LOG_LINE_OVERHEAD, problem::Code};
    use faregate_engine::{
        ports::{Metric, Telemetry},
        record::Record,
    };

    use serde_json::{Value, json};

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

    fn parsed(record: &Record) -> Value {
        let line = String::from_utf8(line(record)).expect("UTF-8");
        assert!(line.len() <= LINE_BYTES_MAX, "{}", line.len());
        assert!(!line.contains('\n'));
        serde_json::from_str(&line).expect("JSON")
    }

    /// A caller's ARN, with paths as long as may be.
    fn arn() -> String {
        format!("iam:arn:aws:sts::123456789012:assumed-role/{}", "r".repeat(600))
    }

    #[test]
    fn a_text_is_whole_in_a_line_that_has_room_for_it() {
        let (path, query) = (format!("/{}", "p".repeat(1000)), format!("q={}", "x".repeat(600)));
        let record = Record {
            path: path.clone(),
            query: Some(query.clone()),
            consumer: Some("c".repeat(256)),
            credential: Some(arn()),
            target: Some("t".repeat(200).into()),
            ..Record::default()
        };
        let line = parsed(&record);
        for (name, expected) in [
            ("path", path),
            ("query", query),
            ("consumer", "c".repeat(256)),
            ("credential", arn()),
            ("target", "t".repeat(200)),
        ] {
            assert_eq!(line[name], expected, "{name}");
        }
    }

    #[test]
    fn what_is_too_long_goes_before_who_called() {
        let record = |agent: String, path: usize| Record {
            path: "/".repeat(path),
            query: Some("q=1".to_owned()),
            headers: [("user-agent".to_owned(), agent)].into(),
            consumer: Some("c".repeat(256)),
            credential: Some(arn()),
            ..Record::default()
        };
        let cut = |text: &str, chars: usize| format!("{}…", text.repeat(chars));
        // A part of it, less of it, and nothing of what was only asked to be shown.
        let some = parsed(&record("x".repeat(5000), 600));
        assert_eq!((&some["headers"]["user-agent"], &some["path"]), (&json!(cut("x", 512)), &json!(cut("/", 512))));
        let less = parsed(&record("\u{1}".repeat(5000), 600));
        assert_eq!(less["headers"]["user-agent"], cut("\u{1}", 128));
        let mut many = record("x".to_owned(), 600);
        many.headers = (0..16).map(|n| (format!("x-{n}"), "\u{1}".repeat(500))).collect();
        let nothing = parsed(&many);
        assert_eq!((&nothing["headers"], &nothing["query"]), (&Value::Null, &Value::Null));
        for line in [some, less, nothing] {
            assert_eq!((&line["consumer"], &line["credential"]), (&json!("c".repeat(256)), &json!(arn())));
        }
    }

    #[test]
    fn a_line_stays_below_4_kilobytes_whatever_the_request_had() {
        let long = "\u{1}é\"".repeat(3000);
        let worst = "\u{1}".repeat(2000);
        let id = |text: &str| Some(text.repeat(64).into());
        let record = Record {
            path: long.clone(),
            query: Some(long.clone()),
            headers: (0..16).map(|n| (format!("x-{n}"), long.clone())).collect(),
            route: id("r"),
            backend: id("b"),
            target: Some(worst.clone().into()),
            xray_trace_id: Some(worst.clone()),
            address: Some(worst.clone()),
            credential: Some(worst.clone()),
            consumer: Some(worst.clone()),
            stream_error: Some(worst.clone()),
            host: worst.clone(),
            method: worst.clone(),
            request_id: worst.clone(),
            cause: Some(worst),
            trace_id: "0".repeat(32),
            code: Some(Code::DependencyUnavailable),
            status: 503,
            duration: Duration::from_secs(900),
            cost_nanodollars: u64::MAX,
            lease_writes: u64::MAX,
            body_bytes: u64::MAX,
            config_version: u64::MAX,
            config_age: Duration::from_secs(u64::MAX >> 20),
            ..Record::default()
        };
        let line = parsed(&record);
        let request_id = line["request_id"].as_str().expect("a text");
        assert_eq!(request_id.chars().count(), 33, "32 characters and an ellipsis");
        assert_eq!(line["headers"], Value::Null);
    }
}
