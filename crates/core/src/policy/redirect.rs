//! The action *redirect*: an absolute `location` on the matched or a literal host.

use http::{StatusCode, Uri, uri::Authority};
use serde::Deserialize;

use super::path_rewrite::{PathRewrite, PathRewritePolicy};
use crate::{
    diagnostic::{Place, codes},
    matcher::{Captures, PathPattern},
    path::{InvalidPath, encode_query},
};

/// Where to send the client. Absent parts are the request's own; the query is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Redirect {
    /// `http` or `https`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^https?$")))]
    pub scheme: Option<String>,
    /// The host, without a port.
    pub host: Option<String>,
    /// The port; absent: the scheme's default, which is not written.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub port: Option<u16>,
    /// What becomes of the path.
    pub path: PathRewrite,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

impl Default for Redirect {
    fn default() -> Self {
        Self { scheme: None, host: None, port: None, path: PathRewrite::default(), status: 302 }
    }
}

/// [`Redirect`], compiled.
#[derive(Clone, Debug)]
pub struct RedirectPolicy {
    /// The status of the answer.
    pub status: StatusCode,
    scheme: Option<Box<str>>,
    host: Option<Box<str>>,
    port: Option<u16>,
    path: PathRewritePolicy,
}

/// Why there is nowhere to send somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// The rewritten path is not one to send anybody to.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// The host is the request's own, and it has none.
    #[error("the request has no host")]
    NoHost,
}

impl Redirect {
    /// Reads the parts.
    pub fn compile(&self, patterns: &[PathPattern], place: &mut Place<'_>) -> RedirectPolicy {
        if !matches!(self.status, 301 | 302 | 303 | 307 | 308) {
            place.at("status").error(codes::INVALID_VALUE, "a redirect has status 301, 302, 303, 307 or 308");
        }
        if self.scheme.as_deref().is_some_and(|scheme| scheme != "http" && scheme != "https") {
            place.at("scheme").error(codes::INVALID_VALUE, "the scheme is `http` or `https`");
        }
        if self.host.as_deref().is_some_and(|host| !is_plain_host(host)) {
            place.at("host").error(codes::INVALID_VALUE, "the host is a name or an address without a port");
        }
        if self.port == Some(0) {
            place.at("port").error(codes::INVALID_VALUE, "a port is a number from 1 to 65535");
        }
        RedirectPolicy {
            status: StatusCode::from_u16(self.status).unwrap_or(StatusCode::FOUND),
            scheme: self.scheme.as_deref().map(Into::into),
            host: self.host.as_deref().map(Into::into),
            port: self.port,
            path: self.path.compile(patterns, &mut place.at("path")),
        }
    }
}

pub(crate) fn is_plain_host(host: &str) -> bool {
    let characters = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte));
    characters
        && host.parse::<Authority>().is_ok_and(|authority| authority.port().is_none() && authority.host() == host)
}

impl RedirectPolicy {
    /// The `location` for a request with this URI: `query` is what goes on of its query, `host` the matched host
    /// without its port; empty where there is none.
    ///
    /// # Errors
    ///
    /// [`InvalidLocation`].
    pub fn location(
        &self,
        uri: &Uri,
        query: &str,
        host: &str,
        matched: &PathPattern,
        captures: &Captures<'_>,
    ) -> Result<String, InvalidLocation> {
        let scheme = self.scheme.as_deref().or(uri.scheme_str()).unwrap_or("https");
        let host = self.host.as_deref().unwrap_or(host);
        if host.is_empty() {
            return Err(InvalidLocation::NoHost);
        }
        let default = if scheme == "http" { 80 } else { 443 };
        let port = self.port.filter(|port| *port != default).map(|port| format!(":{port}")).unwrap_or_default();
        // Normal form: exactly one slash at the beginning (SECURITY.md 15).
        let path = self.path.apply(uri.path(), matched, captures)?;
        let query = encode_query(query);
        let separator = if query.is_empty() { "" } else { "?" };
        Ok(format!("{scheme}://{host}{port}{path}{separator}{query}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Redirect;
    use crate::{diagnostic::Report, document::PathMatch, matcher::PathPattern};

    fn location(redirect: Value, uri: &'static str) -> String {
        let mut report = Report::default();
        let redirect: Redirect = serde_json::from_value(redirect).expect("a redirect");
        let pattern = PathPattern::compile(Some(&PathMatch::Prefix("/a".into())), &mut report.entry("route", "r"));
        let pattern = pattern.expect("a pattern");
        let policy = redirect.compile(std::slice::from_ref(&pattern), &mut report.entry("route", "r"));
        assert!(report.is_empty());
        let uri: http::Uri = uri.parse().expect("a URI");
        let captures = pattern.captures("/a").expect("a match");
        policy
            .location(&uri, uri.query().unwrap_or_default(), "api.example.com", &pattern, &captures)
            .expect("a location")
    }

    #[test]
    fn absent_parts_are_the_requests_own() {
        let uri = "http://api.example.com/a/b?q=1";
        for (redirect, expected) in [
            (json!({}), "http://api.example.com/a/b?q=1"),
            (json!({"scheme": "https"}), "https://api.example.com/a/b?q=1"),
            (json!({"scheme": "https", "port": 443}), "https://api.example.com/a/b?q=1"),
            (json!({"scheme": "https", "port": 8443}), "https://api.example.com:8443/a/b?q=1"),
            (json!({"port": 80}), "http://api.example.com/a/b?q=1"),
            (json!({"host": "example.org", "path": {"replace_prefix": "/v2"}}), "http://example.org/v2/b?q=1"),
            (json!({"path": "strip_prefix"}), "http://api.example.com/b?q=1"),
        ] {
            assert_eq!(location(redirect, uri), expected);
        }
    }

    #[test]
    fn parts_that_are_none_are_mistakes() {
        for redirect in [
            json!({"status": 304}),
            json!({"scheme": "ftp"}),
            json!({"host": "example.org:8080"}),
            json!({"host": "user@example.org"}),
            json!({"host": "{host}"}),
            json!({"port": 0}),
        ] {
            let parsed: Redirect = serde_json::from_value(redirect.clone()).expect("a redirect");
            let mut report = Report::default();
            parsed.compile(&[], &mut report.entry("route", "r"));
            assert_eq!(report.len(), 1, "{redirect}");
        }
    }
}
