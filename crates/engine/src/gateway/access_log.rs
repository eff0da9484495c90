//! Which requests leave a line, and what of them it shows.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use faregate_core::{policy::telemetry::AccessLogPolicy, time::Timestamp};
use http::request::Parts;

use crate::record::Record;

/// How many lines a second what the gateway itself answers with an error may leave.
const REFUSED_PER_SECOND: u64 = 10;
/// What stands for a value that is not shown.
const REDACTED: &str = "***";

/// Lines of this second: the second, and beside it how many there were.
#[derive(Debug, Default)]
pub(super) struct RefusedLines(AtomicU64);

impl RefusedLines {
    /// Whether one more fits into this second.
    fn allow(&self, now: Timestamp) -> bool {
        let second = now.as_seconds() << 8;
        let next = |state: u64| match state >> 8 == now.as_seconds() {
            true if state & 0xFF >= REFUSED_PER_SECOND => None,
            true => Some(state + 1),
            false => Some(second + 1),
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

/// Whether a request leaves a line; `random` is uniform over all numbers.
pub(super) fn is_logged(
    policy: &AccessLogPolicy,
    record: &Record,
    refused: &RefusedLines,
    now: Timestamp,
    random: u64,
) -> bool {
    if record.status < 400 && record.stream_error.is_none() {
        return policy.sample.chooses(random);
    }
    policy.errors.chooses(random) && (is_of_backend(record) || refused.allow(now))
}

/// Whether a backend had a part in an error. All else a client can provoke alone, whatever the status: a 503 by made-up
/// keys, a 508 by `via`.
fn is_of_backend(record: &Record) -> bool {
    record.backend.is_some() && (record.code.is_none() || record.status >= 500)
}

/// The query as a line may have it.
pub(super) fn query(policy: &AccessLogPolicy, parts: &Parts) -> Option<String> {
    let query = parts.uri.query().filter(|_| policy.query)?;
    let shown = query.split('&').map(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        // Compared as a form is decoded, an escaped name being the same name; and in any case, since nothing is lost by it.
        let decoded = url::form_urlencoded::parse(name.as_bytes()).next();
        let is_secret = decoded.is_some_and(|(name, _)| {
            policy.redacted_parameters.iter().any(|secret| secret.eq_ignore_ascii_case(&name))
        });
        if is_secret { format!("{name}={REDACTED}") } else { pair.to_owned() }
    });
    Some(shown.collect::<Vec<_>>().join("&"))
}

/// The headers that a line shows.
pub(super) fn headers(policy: &AccessLogPolicy, parts: &Parts) -> BTreeMap<String, String> {
    let shown = policy.headers.iter().filter_map(|name| {
        let values: Vec<String> = parts
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        let value = if policy.redacted.contains(name) { REDACTED.to_owned() } else { values.join(", ") };
        (!values.is_empty()).then(|| (name.to_string(), value))
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use faregate_core::{
        policy::telemetry::{AccessLogPolicy, Share},
        problem::Code,
        time::Timestamp,
    };

    use super::{RefusedLines, headers, is_logged, query};
    use crate::record::Record;

    #[test]
    fn refusals_leave_ten_lines_a_second_and_failures_of_backends_all() {
        let (policy, refused) = (AccessLogPolicy::default(), RefusedLines::default());
        let record = |status, code| Record { status, code, ..Record::default() };
        let of_backend = |record| Record { backend: Some("b".into()), ..record };
        let lines = |record: &Record, second| {
            let now = Timestamp::from_seconds(second);
            (0..50).filter(|_| is_logged(&policy, record, &refused, now, 0)).count()
        };
        assert_eq!(lines(&record(429, Some(Code::RateLimited)), 100), 10);
        assert_eq!(lines(&record(429, Some(Code::RateLimited)), 101), 10);
        assert_eq!(lines(&record(503, Some(Code::DependencyUnavailable)), 102), 10, "over the budget of misses");
        assert_eq!(lines(&record(508, Some(Code::LoopDetected)), 102), 0, "all share the ten");
        assert_eq!(lines(&record(508, Some(Code::LoopDetected)), 103), 10);
        assert_eq!(lines(&of_backend(record(400, Some(Code::RequestInvalid))), 104), 10, "a path that climbs out");
        assert_eq!(lines(&of_backend(record(502, Some(Code::BackendFailed))), 104), 50);
        assert_eq!(lines(&of_backend(record(404, None)), 104), 50, "the backend's own");
        assert_eq!(lines(&record(410, None), 105), 10, "what a route answers by itself");
        let none = AccessLogPolicy { sample: Share::try_from(0.0).expect("a share"), ..AccessLogPolicy::default() };
        assert!(!is_logged(&none, &record(200, None), &refused, Timestamp::from_seconds(1), 0));
    }

    #[test]
    fn credentials_are_never_shown() {
        let policy = AccessLogPolicy {
            query: true,
            headers: ["authorization", "user-agent"].map(http::HeaderName::from_static).into(),
            redacted: [http::header::AUTHORIZATION].into(),
            redacted_parameters: ["key".into()].into(),
            ..AccessLogPolicy::default()
        };
        let request = http::Request::get("https://h/?a=1&key=canary&k%65y=canary&KEY=canary&key")
            .header("authorization", "Bearer canary")
            .header("user-agent", "curl");
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        assert_eq!(query(&policy, &parts).as_deref(), Some("a=1&key=***&k%65y=***&KEY=***&key=***"));
        let shown = headers(&policy, &parts);
        assert_eq!((&*shown["authorization"], &*shown["user-agent"]), ("***", "curl"));
    }
}
