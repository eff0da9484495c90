//! W3C Trace Context: a trace is continued or started, never broken.

use faregate_core::forwarding::is_traceparent;
use http::{HeaderMap, HeaderValue};

use crate::{ports::Random, record::Span};

/// The trace flags that have a meaning, `sampled` and `random`; others are sent as 0 (W3C Trace Context Level 2 §3.2.2.5).
const FLAGS: u8 = 0b11;

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
            ((*trace).to_owned(), Some((*parent).to_owned()), u8::from_str_radix(flags, 16).unwrap_or_default() & FLAGS)
        }
        _ => (hex_id(random, 2), None, 1),
    };
    (trace, Span { id: hex_id(random, 1), parent_id, flags })
}

/// The root of X-Ray's trace, by which it can be looked up: of the invocation, else of what the client sent.
pub(super) fn xray_root(of_invocation: Option<&str>, headers: Option<&HeaderMap>) -> Option<String> {
    let sent = || headers?.get("x-amzn-trace-id")?.to_str().ok().and_then(root_of);
    of_invocation.and_then(root_of).or_else(sent).map(str::to_owned)
}

fn root_of(trace: &str) -> Option<&str> {
    trace.split(';').find_map(|part| part.trim().strip_prefix("Root="))
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

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::xray_root;

    #[test]
    fn the_invocations_own_root_wins_over_what_the_client_sent() {
        let sent = |value| {
            HeaderMap::from_iter([("x-amzn-trace-id".parse().expect("a name"), HeaderValue::from_static(value))])
        };
        let (none, of_client) = (HeaderMap::new(), sent("Self=1;Root=1-c; Sampled=0"));
        for (of_invocation, headers, expected) in [
            (Some("Root=1-i;Parent=2;Sampled=0"), Some(&of_client), Some("1-i")),
            (Some("Root=1-i"), None, Some("1-i")),
            (Some("Sampled=0"), Some(&of_client), Some("1-c")),
            (None, Some(&of_client), Some("1-c")),
            (None, Some(&sent("Self=1")), None),
            (None, Some(&none), None),
            (None, None, None),
        ] {
            assert_eq!(xray_root(of_invocation, headers).as_deref(), expected, "{of_invocation:?} {headers:?}");
        }
    }
}
