//! The credential *API key*: where it stands in a request, and what of it is passed on.

use std::collections::BTreeMap;

use http::HeaderName;
use serde::Deserialize;

use super::credential::{HeaderPlace, ProvenHeaders, proven_headers};
use crate::diagnostic::{Place, codes};

/// Where an API key is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ApiKey {
    /// The header; empty: none.
    pub header: String,
    /// The scheme before the key in the header, as `Bearer`; empty: the value is the key.
    pub scheme: String,
    /// The query parameter, visible ASCII without `"` and `\`; empty: none.
    pub query: String,
    /// Whether the backend never sees the key.
    pub hide_credentials: bool,
    /// What the backend gets of the key's item, by the header that carries it: `scopes`, `groups`, or the name of a
    /// member of its `metadata`. What the item does not have sets no header.
    pub forward_metadata: BTreeMap<String, String>,
}

impl Default for ApiKey {
    fn default() -> Self {
        Self {
            header: "x-api-key".to_owned(),
            scheme: String::new(),
            query: String::new(),
            hide_credentials: true,
            forward_metadata: BTreeMap::new(),
        }
    }
}

/// [`ApiKey`], compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyPolicy {
    /// The header, if one is looked at.
    pub place: Option<HeaderPlace>,
    /// The query parameter, if one is looked at.
    pub query: Option<Box<str>>,
    /// Whether the backend never sees the key.
    pub hide_credentials: bool,
    /// Headers and what of the item they carry.
    pub forward_metadata: ProvenHeaders,
}

impl ApiKey {
    /// Reads the names.
    pub fn compile(&self, place: &mut Place<'_>) -> ApiKeyPolicy {
        if self.header.is_empty() && self.query.is_empty() {
            place.error(codes::MISSING_FIELD, "a header or a query parameter is needed");
        }
        // It stands in the challenge of a 401, within quotes.
        if !self.query.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte)) {
            let message = "a query parameter's name is visible ASCII without `\"` and `\\`";
            place.at("query").error(codes::INVALID_VALUE, message);
        }
        let in_header =
            if self.header.is_empty() { None } else { HeaderPlace::compile(&self.header, &self.scheme, place) };
        ApiKeyPolicy {
            place: in_header,
            query: (!self.query.is_empty()).then(|| self.query.as_str().into()),
            hide_credentials: self.hide_credentials,
            forward_metadata: proven_headers(&self.forward_metadata, &mut place.at("forward_metadata")),
        }
    }
}

impl ApiKeyPolicy {
    /// Whether there is a place where this is looked at as a key.
    #[must_use]
    pub fn takes(&self, key: &[u8]) -> bool {
        self.query.is_some() || self.place.as_ref().is_some_and(|place| place.takes(key))
    }

    /// The challenge of a 401 (RFC 9110 §11.6.1).
    #[must_use]
    pub fn challenge(&self) -> String {
        match &self.place {
            Some(place) if !place.scheme.is_empty() => format!("{} realm=\"faregate\"", place.scheme),
            place => {
                let header = place.as_ref().map(|place| HeaderName::as_str(&place.name));
                let name = header.or(self.query.as_deref()).unwrap_or_default();
                format!("ApiKey name=\"{name}\"")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ApiKey;
    use crate::diagnostic::Report;

    #[test]
    fn a_key_must_be_looked_for_somewhere() {
        let mut report = Report::default();
        ApiKey { header: String::new(), ..ApiKey::default() }.compile(&mut report.entry("route", "r"));
        ApiKey { header: "host".into(), ..ApiKey::default() }.compile(&mut report.entry("route", "r"));
        ApiKey { header: "a b".into(), scheme: "a b".into(), ..ApiKey::default() }
            .compile(&mut report.entry("route", "r"));
        assert_eq!(report.len(), 4);
        // Headers that are removed before anybody looks at them cannot carry a key.
        for name in ["x_api_key", "x-forwarded-key", "x-faregate-key", "te"] {
            ApiKey { header: name.into(), ..ApiKey::default() }.compile(&mut report.entry("route", "r"));
        }
        assert_eq!(report.len(), 8);
    }

    #[test]
    fn a_query_parameter_has_a_name_that_a_challenge_can_say() {
        for (name, is_sound) in [
            ("key", true),
            ("api-key[0]:~!", true),
            ("a b", false),
            ("a\tb", false),
            ("a\nb", false),
            ("a\u{7f}", false),
            ("schlüssel", false),
            ("a\"b", false),
            ("a\\b", false),
        ] {
            let mut report = Report::default();
            let key = ApiKey { header: String::new(), query: name.into(), ..ApiKey::default() };
            let policy = key.compile(&mut report.entry("route", "r"));
            let found: Vec<_> =
                report.into_diagnostics().into_iter().map(|found| (found.pointer, found.code)).collect();
            let expected = if is_sound { vec![] } else { vec![("/query".to_owned(), "invalid_value".to_owned())] };
            assert_eq!(found, expected, "{name:?}");
            assert!(!is_sound || policy.challenge() == format!("ApiKey name=\"{name}\""));
        }
    }
}
