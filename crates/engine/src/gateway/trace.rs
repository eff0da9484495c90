//! W3C Trace Context: a trace is continued or started, never broken.

use faregate_core::forwarding::is_traceparent;
use http::{HeaderMap, HeaderValue};

use crate::{ports::Random, record::Span};

/// `words` × 16 lower-case hex digits, never all zero.
pub(super) fn hex_id(random: &dyn Random, words: usize) -> String {
    (0..words).map(|_| format!("{:016x}", random.next_u64().max(1))).collect()
}

/// The trace that the client began, if its `traceparent` is valid, else a new one; and the request's place in it.
pub(super) fn trace_of(headers: &HeaderMap, random: &dyn Random) -> (String, Span) {
    let sent = headers.get("traceparent").filter(|value| is_traceparent(value.as_bytes()));
    let sent: Option<Vec<&str>> = sent.and_then(|value| value.to_str().ok()).map(|value| value.split('-').collect());
    let (trace, parent_id, flags) = match sent.as_deref() {
        Some([_, trace, parent, flags]) => {
            ((*trace).to_owned(), Some((*parent).to_owned()), u8::from_str_radix(flags, 16).unwrap_or_default())
        }
        _ => (hex_id(random, 2), None, 1),
    };
    (trace, Span { id: hex_id(random, 1), parent_id, flags })
}

/// Replaces `traceparent` by one that names the gateway as the parent; `tracestate` only goes on with a trace that the
/// client began.
pub(super) fn continue_trace(headers: &mut HeaderMap, trace: &str, span: &Span) {
    if span.parent_id.is_none() {
        headers.remove("tracestate");
    }
    if let Ok(value) = HeaderValue::from_str(&format!("00-{trace}-{}-{:02x}", span.id, span.flags)) {
        headers.insert("traceparent", value);
    }
}
