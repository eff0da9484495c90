//! Changing headers: `request_headers` and `response_headers` of a route.

use std::collections::{BTreeMap, HashSet};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;

use crate::{
    diagnostic::{Place, codes},
    forwarding,
};

/// Which headers to change. A name stands in one of the three only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct HeaderModifier {
    /// Replaces every value, or adds the header.
    pub set: BTreeMap<String, String>,
    /// Adds a value beside those that are there.
    pub add: BTreeMap<String, String>,
    /// Removes every value.
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub remove: Vec<String>,
}

/// [`HeaderModifier`], compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderPolicy {
    set: Box<[(HeaderName, HeaderValue)]>,
    add: Box<[(HeaderName, HeaderValue)]>,
    remove: Box<[HeaderName]>,
}

impl HeaderModifier {
    /// Reads names and values.
    pub fn compile(&self, place: &mut Place<'_>) -> HeaderPolicy {
        let mut seen = HashSet::new();
        let set = pairs(&self.set, &mut seen, &mut place.at("set"));
        let add = pairs(&self.add, &mut seen, &mut place.at("add"));
        let mut place = place.at("remove");
        let remove = self
            .remove
            .iter()
            .enumerate()
            .filter_map(|(index, text)| changeable(text, &mut seen, &mut place.at(index)))
            .collect();
        HeaderPolicy { set, add, remove }
    }
}

fn pairs(
    pairs: &BTreeMap<String, String>,
    seen: &mut HashSet<HeaderName>,
    place: &mut Place<'_>,
) -> Box<[(HeaderName, HeaderValue)]> {
    let mut compiled = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        let mut place = place.at(name);
        let name = changeable(name, seen, &mut place);
        let value = header_value(value, &mut place);
        compiled.extend(name.zip(value));
    }
    compiled.into()
}

/// A header value from a document: visible ASCII and spaces (SECURITY.md 10).
pub(crate) fn header_value(text: &str, place: &mut Place<'_>) -> Option<HeaderValue> {
    let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let value = HeaderValue::from_str(text).ok().filter(|_| printable);
    if value.is_none() {
        place.error(codes::INVALID_VALUE, "a header value has only visible ASCII characters and spaces");
    }
    value
}

/// A header name that users may change.
fn changeable(text: &str, seen: &mut HashSet<HeaderName>, place: &mut Place<'_>) -> Option<HeaderName> {
    let Ok(name) = text.parse::<HeaderName>() else {
        place.error(codes::INVALID_VALUE, format!("`{text}` is no header name"));
        return None;
    };
    let framing = [header::HOST, header::VIA, header::CONTENT_LENGTH];
    if framing.contains(&name) || forwarding::is_hop_by_hop(&name) || forwarding::is_identity(&name) {
        place.error(codes::INVALID_VALUE, format!("`{name}` is the gateway's own to set"));
        return None;
    }
    if !seen.insert(name.clone()) {
        place.error(codes::DUPLICATE, format!("`{name}` stands in set, add and remove more than once"));
        return None;
    }
    Some(name)
}

impl HeaderPolicy {
    /// Every header that is changed.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.set.iter().chain(&self.add).map(|(name, _)| name).chain(&self.remove)
    }

    /// Changes the headers.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use serde_json::{Value, json};

    use super::{HeaderModifier, HeaderPolicy};
    use crate::diagnostic::Report;

    fn compile(value: Value) -> (HeaderPolicy, Vec<String>) {
        let modifier: HeaderModifier = serde_json::from_value(value).expect("a modifier");
        let mut report = Report::default();
        let policy = modifier.compile(&mut report.entry("route", "r"));
        (policy, report.into_diagnostics().into_iter().map(|found| found.pointer).collect())
    }

    #[test]
    fn set_replaces_add_keeps_and_remove_removes() {
        let (policy, mistakes) = compile(json!({"set": {"X-A": "1"}, "add": {"x-b": "2"}, "remove": ["x-c"]}));
        assert!(mistakes.is_empty());
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-a", "old"), ("x-a", "older"), ("x-b", "1"), ("x-c", "gone")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        policy.apply(&mut headers);
        let values = |name: &str| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
        assert_eq!(values("x-a"), ["1"]);
        assert_eq!(values("x-b"), ["1", "2"]);
        assert!(values("x-c").is_empty());
    }

    #[test]
    fn names_of_the_gateway_and_repeated_names_are_mistakes() {
        let (_, mistakes) = compile(json!({
            "set": {"host": "x", "via": "x", "x-faregate-consumer": "x", "X_Faregate_Plan": "x", "transfer-encoding": "x", "a b": "x", "x-ok": "é"},
            "add": {"x-twice": "1"},
            "remove": ["X-Twice", "connection", "x-fine"]
        }));
        assert_eq!(
            mistakes,
            [
                "/set/X_Faregate_Plan",
                "/set/a b",
                "/set/host",
                "/set/transfer-encoding",
                "/set/via",
                "/set/x-faregate-consumer",
                "/set/x-ok",
                "/remove/0",
                "/remove/1"
            ]
        );
    }
}
