//! Headers on their way to a backend: what never crosses, and what the gateway adds.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
};

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// How often a request may have passed here before it counts as a loop.
pub const VIA_MAX: usize = 5;

/// What the gateway calls itself in `via` (RFC 9110 §7.6.3).
pub const VIA: HeaderValue = HeaderValue::from_static("1.1 faregate");

/// Headers that belong to one connection (RFC 9110 §7.6.1) or would change its protocol.
const HOP_BY_HOP: [&str; 12] = [
    "connection",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

/// Names, folded, that tell a backend who called and how; only the gateway may set them (SECURITY.md 5).
const RESERVED_PREFIXES: [&str; 5] = ["x-faregate-", "x-forwarded-", "forwarded", "x-original-", "x-rewrite-"];

/// Whether a header belongs to one connection only.
#[must_use]
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(&name.as_str())
}

/// Whether a header says who the caller is.
#[must_use]
pub fn is_identity(name: &HeaderName) -> bool {
    fold(name.as_str()).starts_with("x-faregate-")
}

/// Whether no client may send a header under this name or one that some server reads as this name.
#[must_use]
pub fn is_reserved(name: &HeaderName) -> bool {
    is_reserved_when_folded(&fold(name.as_str()))
}

fn is_reserved_when_folded(folded: &str) -> bool {
    RESERVED_PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
}

/// Lower case with every other character as `-`: servers differ in what they read as the same name.
#[must_use]
pub fn fold(name: &str) -> Cow<'_, str> {
    let is_folded = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    if name.bytes().all(is_folded) {
        return Cow::Borrowed(name);
    }
    let fold = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' };
    Cow::Owned(name.chars().map(fold).collect())
}

/// The further names, folded, that a snapshot gives to identity headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityHeaders(BTreeSet<String>);

impl IdentityHeaders {
    /// Adds a name.
    pub fn insert(&mut self, name: &HeaderName) {
        self.0.insert(fold(name.as_str()).into_owned());
    }

    /// Whether some server reads a name as one of these.
    #[must_use]
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.contains_folded(&fold(name.as_str()))
    }

    fn contains_folded(&self, folded: &str) -> bool {
        self.0.contains(folded)
    }
}

/// Removes from a client's headers all that must not cross, nominated and reserved ones included.
///
/// `connection` may not nominate away what the request means: `host`, `authorization`, `cookie` and
/// `content-*` stay. `content-length` goes, since it is computed anew.
pub fn strip_client_headers(headers: &mut HeaderMap, identity: &IdentityHeaders) {
    let nominated: HashSet<HeaderName> = nominated(headers)
        .filter(|name| ![header::HOST, header::AUTHORIZATION, header::COOKIE].contains(name))
        .collect();
    let never_crosses = |name: &HeaderName| {
        let folded = fold(name.as_str());
        is_hop_by_hop(name)
            || *name == header::CONTENT_LENGTH
            || nominated.contains(name)
            || name.as_str().contains('_')
            || is_reserved_when_folded(&folded)
            || identity.contains_folded(&folded)
    };
    let removed: Vec<HeaderName> = headers.keys().filter(|name| never_crosses(name)).cloned().collect();
    for name in removed {
        headers.remove(name);
    }
}

/// Removes from a backend's headers all that belongs to its connection. `content-length` stays for who writes the answer.
pub fn strip_backend_headers(headers: &mut HeaderMap) {
    let own = headers.keys().filter(|name| is_hop_by_hop(name)).cloned();
    let removed: Vec<HeaderName> = nominated(headers).chain(own).collect();
    for name in removed {
        headers.remove(name);
    }
}

/// The names in `connection`, but `content-*`, which say what a message is.
fn nominated(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let names = members(headers, header::CONNECTION).filter_map(|name| HeaderName::from_bytes(name).ok());
    names.filter(|name| !name.as_str().starts_with("content-"))
}

/// The members of a list header (RFC 9110 §5.6.1) on all of its lines. They are bytes: one that is no ASCII must
/// not hide its neighbours, since hosts join the lines of several senders.
fn members(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
    values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// How often this gateway stands in the request's `via`.
#[must_use]
pub fn passes(headers: &HeaderMap) -> usize {
    let is_own = |hop: &[u8]| {
        let mut words = hop.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.nth(1).is_some_and(|by| by.eq_ignore_ascii_case(b"faregate"))
    };
    members(headers, header::VIA).filter(|hop| is_own(hop)).count()
}

/// Whether a client's request id may stay: `[A-Za-z0-9._:+/=@-]{1,128}`.
#[must_use]
pub fn is_request_id(value: &[u8]) -> bool {
    (1..=128).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._:+/=@-".contains(byte))
}

/// Whether a `traceparent` can be continued (W3C Trace Context §3.2.2): version 00, no all-zero ids.
#[must_use]
pub fn is_traceparent(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let hex = |field: &str, digits: usize| {
        field.len() == digits && field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let fields: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags] = fields[..] else { return false };
    let nonzero = |field: &str| field.bytes().any(|byte| byte != b'0');
    version == "00" && hex(trace, 32) && hex(parent, 16) && hex(flags, 2) && nonzero(trace) && nonzero(parent)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{IdentityHeaders, is_request_id, is_traceparent, passes, strip_backend_headers, strip_client_headers};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn no_spelling_of_an_identity_header_crosses() {
        let mut identity = IdentityHeaders::default();
        identity.insert(&HeaderName::from_static("x-user-id"));
        for name in [
            "x-faregate-consumer",
            "x_faregate_consumer",
            "x-faregate_consumer",
            "x-forwarded-for",
            "x-forwarded-anything",
            "x.forwarded.for",
            "forwarded",
            "x-original-url",
            "x-rewrite-url",
            "x-user-id",
            "x.user~id",
            "any_underscore",
            "transfer-encoding",
            "te",
            "upgrade",
            "http2-settings",
            "expect",
            "content-length",
        ] {
            let mut sent = headers(&[(name, "x"), ("x-kept", "1")]);
            strip_client_headers(&mut sent, &identity);
            assert_eq!(sent, headers(&[("x-kept", "1")]), "{name}");
        }
    }

    #[test]
    fn a_nomination_removes_but_not_what_the_request_means() {
        let mut sent = headers(&[
            ("connection", "close, X-Hop, authorization, cookie, host, content-type"),
            ("x-hop", "1"),
            ("authorization", "a"),
            ("cookie", "b"),
            ("host", "c"),
            ("content-type", "d"),
        ]);
        strip_client_headers(&mut sent, &IdentityHeaders::default());
        assert_eq!(sent.len(), 4);
        assert!(!sent.contains_key("x-hop"));
    }

    #[test]
    fn passes_are_counted_over_all_via_lines() {
        let via =
            headers(&[("via", "1.1 faregate, 1.1 proxy"), ("via", "2 Faregate (x)"), ("via", "1.1 not-faregate")]);
        assert_eq!(passes(&via), 2);
    }

    #[test]
    fn bytes_that_are_no_ascii_hide_nothing_beside_them() {
        let value = |bytes: &'static [u8]| HeaderValue::from_bytes(bytes).expect("a value");
        let mut sent = headers(&[("x-hop", "1")]);
        sent.insert("via", value(b"1.1 faregate, 1.1 caf\xe9, 1.1 Faregate (\xe9)"));
        sent.insert("connection", value(b"\xe9, X-Hop , "));
        assert_eq!(passes(&sent), 2);
        let mut answered = sent.clone();
        strip_client_headers(&mut sent, &IdentityHeaders::default());
        strip_backend_headers(&mut answered);
        for left in [sent, answered] {
            assert_eq!(left.keys().collect::<Vec<_>>(), ["via"]);
        }
    }

    #[test]
    fn ids_of_other_shapes_are_replaced() {
        let long = "a".repeat(129);
        for (id, kept) in
            [("a-1", true), ("Root=1-abc/x+y:z@h", true), ("", false), ("a b", false), ("a\"", false), (&long, false)]
        {
            assert_eq!(is_request_id(id.as_bytes()), kept, "{id}");
        }
        for (value, kept) in [
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
            ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false),
            ("junk", false),
        ] {
            assert_eq!(is_traceparent(value.as_bytes()), kept, "{value}");
        }
    }
}
