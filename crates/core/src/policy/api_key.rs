//! The credential *API key*: where it stands in a request.

use http::{HeaderName, header};
use serde::Deserialize;

use crate::{
    diagnostic::{Place, codes},
    forwarding,
};

/// Where an API key is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ApiKey {
    /// The header; empty: none.
    pub header: String,
    /// The scheme before the key in the header, as `Bearer`; empty: the value is the key.
    pub scheme: String,
    /// The query parameter; empty: none.
    pub query: String,
    /// Whether the backend never sees the key.
    pub hide_credentials: bool,
}

impl Default for ApiKey {
    fn default() -> Self {
        Self { header: "x-api-key".to_owned(), scheme: String::new(), query: String::new(), hide_credentials: true }
    }
}

/// [`ApiKey`], compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyPolicy {
    /// The header, if one is looked at.
    pub header: Option<HeaderName>,
    /// The scheme, or nothing.
    pub scheme: Box<str>,
    /// The query parameter, if one is looked at.
    pub query: Option<Box<str>>,
    /// Whether the backend never sees the key.
    pub hide_credentials: bool,
}

impl ApiKey {
    /// Reads the names.
    pub fn compile(&self, place: &mut Place<'_>) -> ApiKeyPolicy {
        if self.header.is_empty() && self.query.is_empty() {
            place.error(codes::MISSING_FIELD, "a header or a query parameter is needed");
        }
        let header = if self.header.is_empty() { None } else { self.header.parse().ok() };
        if !self.header.is_empty() && header.is_none() {
            place.at("header").error(codes::INVALID_VALUE, format!("`{}` is no header name", self.header));
        }
        let stripped = |name: &HeaderName| {
            name.as_str().contains('_') || forwarding::is_hop_by_hop(name) || forwarding::is_reserved(name)
        };
        let means_else = |name: &HeaderName| [header::HOST, header::COOKIE, header::CONTENT_LENGTH].contains(name);
        if header.as_ref().is_some_and(|name| stripped(name) || means_else(name)) {
            place.at("header").error(codes::INVALID_VALUE, format!("`{}` cannot carry an API key", self.header));
        }
        if !self.scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte)) {
            place.at("scheme").error(codes::INVALID_VALUE, "a scheme is one word of RFC 9110 §11.1");
        }
        ApiKeyPolicy {
            header,
            scheme: self.scheme.as_str().into(),
            query: (!self.query.is_empty()).then(|| self.query.as_str().into()),
            hide_credentials: self.hide_credentials,
        }
    }
}

impl ApiKeyPolicy {
    /// The key in a header's value: all of it, or what follows the scheme (RFC 9110 §11.4, in any case).
    ///
    /// `None` where the value has another scheme: then the credential is not present.
    #[must_use]
    pub fn key_in<'a>(&self, value: &'a [u8]) -> Option<&'a [u8]> {
        if self.scheme.is_empty() {
            return Some(value.trim_ascii());
        }
        let (scheme, rest) = value.trim_ascii().split_at_checked(self.scheme.len())?;
        let separated = rest.first() == Some(&b' ') || rest.is_empty();
        (separated && scheme.eq_ignore_ascii_case(self.scheme.as_bytes())).then(|| rest.trim_ascii())
    }

    /// The challenge of a 401 (RFC 9110 §11.6.1).
    #[must_use]
    pub fn challenge(&self) -> String {
        if self.scheme.is_empty() {
            let place = self.header.as_ref().map(HeaderName::as_str).or(self.query.as_deref()).unwrap_or_default();
            format!("ApiKey name=\"{}\"", place.replace(['"', '\\'], ""))
        } else {
            format!("{} realm=\"faregate\"", self.scheme)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ApiKey;
    use crate::diagnostic::Report;

    #[test]
    fn a_scheme_is_compared_in_any_case_and_another_one_is_no_key() {
        let bearer = ApiKey { header: "authorization".into(), scheme: "Bearer".into(), ..ApiKey::default() };
        let policy = bearer.compile(&mut Report::default().entry("route", "r"));
        for (value, key) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Bearer", Some("")),
            ("Bearerabc", None),
            ("Basic abc", None),
            ("Be", None),
        ] {
            assert_eq!(policy.key_in(value.as_bytes()), key.map(str::as_bytes), "{value}");
        }
    }

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
}
