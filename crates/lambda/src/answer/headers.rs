//! Response headers in JSON.

use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value};

/// A value as text: Latin-1, since JSON has no bytes.
pub(super) fn text(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|byte| char::from(*byte)).collect()
}

/// One text per name, repeated values joined with `, ` (RFC 9110 §5.3); without `set-cookie`, which cannot be
/// joined, and without `content-length`, which is the platform's to give.
pub(super) fn joined(headers: &HeaderMap) -> Map<String, Value> {
    let mut joined = Map::new();
    for name in headers.keys().filter(|name| *name != header::SET_COOKIE && *name != header::CONTENT_LENGTH) {
        let values: Vec<String> = headers.get_all(name).iter().map(text).collect();
        joined.insert(name.as_str().to_owned(), Value::String(values.join(", ")));
    }
    joined
}

/// All values of every name but `content-length`.
pub(super) fn repeated(headers: &HeaderMap) -> Map<String, Value> {
    let mut repeated = Map::new();
    for name in headers.keys().filter(|name| *name != header::CONTENT_LENGTH) {
        let values = headers.get_all(name).iter().map(text).map(Value::String).collect();
        repeated.insert(name.as_str().to_owned(), Value::Array(values));
    }
    repeated
}

/// The values of `set-cookie`.
pub(super) fn cookies(headers: &HeaderMap) -> Vec<Value> {
    headers.get_all(header::SET_COOKIE).iter().map(text).map(Value::String).collect()
}
