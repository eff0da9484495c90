//! W3C Trace Context: a trace is continued or started, never broken.

use faregate_core::forwarding::is_traceparent;
use http::{HeaderMap, HeaderValue};

use crate::ports::Random;

/// `words` × 16 lower-case hex digits, never all zero.
pub(super) fn hex_id(random: &dyn Random, words: usize) -> String {
    (0..words).map(|_| format!("{:016x}", random.next_u64().max(1))).collect()
}

/// Replaces `traceparent` by one that names the gateway as the parent; yields the trace id.
///
/// The trace id and the flags of a valid one stay; `tracestate` only goes on with them.
pub(super) fn continue_trace(headers: &mut HeaderMap, random: &dyn Random) -> String {
    let sent = headers.get("traceparent").filter(|value| is_traceparent(value.as_bytes()));
    let sent = sent.and_then(|value| value.to_str().ok()).map(str::to_owned);
    if sent.is_none() {
        headers.remove("tracestate");
    }
    let sent: Option<Vec<&str>> = sent.as_deref().map(|value| value.split('-').collect());
    let (trace, flags) = match sent.as_deref() {
        Some([_, trace, _, flags]) => ((*trace).to_owned(), (*flags).to_owned()),
        _ => (hex_id(random, 2), "01".to_owned()),
    };
    if let Ok(value) = HeaderValue::from_str(&format!("00-{trace}-{}-{flags}", hex_id(random, 1))) {
        headers.insert("traceparent", value);
    }
    trace
}
