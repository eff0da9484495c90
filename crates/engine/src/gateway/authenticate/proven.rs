//! What was proved, as header values.

use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode, utf8_percent_encode};
use serde_json::Value;

/// What is percent-encoded in an identity header: all but visible ASCII, and the percent sign itself.
const NOT_VISIBLE: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Longest header that carries claims, metadata or scopes, in bytes; a longer one is not sent, since a header that no
/// backend would take fails the whole request there.
const HEADER_BYTES_MAX: usize = 8 * 1024;

/// Whether a value is no longer than backends take.
pub(in crate::gateway) fn is_sent(value: &HeaderValue) -> bool {
    value.len() <= HEADER_BYTES_MAX
}

/// A text as a header's value, percent-encoded where it is not visible ASCII (SECURITY.md 10).
pub(in crate::gateway) fn visible(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&utf8_percent_encode(text, NOT_VISIBLE).to_string()).ok()
}

/// A header's value as it is where it is visible ASCII and blanks; else percent-encoded, byte by byte.
pub(super) fn sendable(value: &HeaderValue) -> Option<HeaderValue> {
    match value.as_bytes() {
        bytes if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) => Some(value.clone()),
        bytes => HeaderValue::from_str(&percent_encode(bytes, NOT_VISIBLE).to_string()).ok(),
    }
}

/// `{ header: name }` filled with what `find` has by that name: texts as they are, everything else as its JSON.
pub(super) fn headers<'a>(
    wanted: &[(HeaderName, Box<str>)],
    find: impl Fn(&str) -> Option<&'a Value>,
) -> Vec<(HeaderName, HeaderValue)> {
    let filled = |(header, name): &(HeaderName, Box<str>)| {
        let value = match find(name)? {
            Value::Null => return None,
            Value::String(text) => visible(text),
            other => visible(&other.to_string()),
        };
        Some((header.clone(), value.filter(is_sent)?))
    };
    wanted.iter().filter_map(filled).collect()
}
