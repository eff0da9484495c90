//! W3C Trace Context: a trace is continued or started, never broken.

use faregate_core::forwarding::is_traceparent;
use http::{HeaderMap, HeaderValue};

use crate::{ports::Random, record::Span};

/// `words` × 16 lower-case hex digits, never all zero.
pub(super) fn hex_id(random: &dyn Random, words: usize) -> String {
    (0..words).map(|_| format!("{:016x}", random.next_u64().max(1))).collect()
}

/// A request's trace, and its place in it.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) id: String,
    pub(super) span: Span,
    flags: String,
}

impl Trace {
    /// The trace that the client began, if its `traceparent` is valid, else a new one.
    pub(super) fn of(headers: &HeaderMap, random: &dyn Random) -> Self {
        let sent = headers.get("traceparent").filter(|value| is_traceparent(value.as_bytes()));
        let sent: Option<Vec<&str>> =
            sent.and_then(|value| value.to_str().ok()).map(|value| value.split('-').collect());
        let (id, parent_id, flags) = match sent.as_deref() {
            Some([_, trace, parent, flags]) => ((*trace).to_owned(), Some((*parent).to_owned()), (*flags).to_owned()),
            _ => (hex_id(random, 2), None, "01".to_owned()),
        };
        let is_sampled = u8::from_str_radix(&flags, 16).is_ok_and(|flags| flags & 1 == 1);
        Self { id, span: Span { id: hex_id(random, 1), parent_id, is_sampled }, flags }
    }

    /// Replaces `traceparent` by one that names the gateway as the parent; `tracestate` only goes on with a trace that
    /// the client began.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        if self.span.parent_id.is_none() {
            headers.remove("tracestate");
        }
        if let Ok(value) = HeaderValue::from_str(&format!("00-{}-{}-{}", self.id, self.span.id, self.flags)) {
            headers.insert("traceparent", value);
        }
    }
}
