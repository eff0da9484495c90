//! A URL made of components, with the certainty that its bytes go out as they came in.

use std::borrow::Cow;

use faregate_core::{origin::Origin, path::encode_query};
use faregate_engine::ports::OutboundError;
use http::Uri;
use http::uri::{PathAndQuery, Scheme};

/// Where one request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    uri: Uri,
}

impl Destination {
    /// Joins an origin and a path with its query.
    ///
    /// Path and query stay byte for byte, but that what no URL can hold is percent-encoded in a query
    /// ([`encode_query`]).
    pub(crate) fn new(origin: &Origin, path_and_query: &str) -> Result<Self, OutboundError> {
        let uri = Uri::builder()
            .scheme(origin.scheme().clone())
            .authority(origin.authority().clone())
            .path_and_query(parse_path_and_query(path_and_query)?)
            .build()
            .map_err(|error| invalid(path_and_query, error))?;
        Ok(Self { uri })
    }

    /// The whole URL.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The host, in lower case; IPv6 in brackets.
    pub(crate) fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// What the header `host` says without an override.
    pub(crate) fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// Whether it is reached over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }
}

fn parse_path_and_query(text: &str) -> Result<PathAndQuery, OutboundError> {
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    if !path.starts_with('/') {
        return Err(invalid(text, "the path does not begin with a slash"));
    }
    if !path.bytes().all(is_path_byte) {
        return Err(invalid(text, "the path has a byte that would have to be encoded"));
    }
    if path.split('/').any(is_dot_segment) {
        return Err(invalid(text, "the path has a dot segment"));
    }
    let sent = query.map_or(Cow::Borrowed(text), |query| match encode_query(query) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(query) => Cow::Owned(format!("{path}?{query}")),
    });
    let parsed = PathAndQuery::try_from(sent.as_ref()).map_err(|error| invalid(text, error))?;
    if parsed.as_str() == sent { Ok(parsed) } else { Err(invalid(text, "its bytes would change")) }
}

/// RFC 3986 `pchar`, escapes included, and the slash.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte)
}

/// What a URL parser (WHATWG URL, single- and double-dot segments) would resolve.
fn is_dot_segment(segment: &str) -> bool {
    if segment.len() > "%2e%2e".len() {
        return false;
    }
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

fn invalid(text: &str, why: impl std::fmt::Display) -> OutboundError {
    OutboundError::InvalidUrl(format!("{text:?}: {why}"))
}

#[cfg(test)]
mod tests {
    use faregate_engine::ports::OutboundError;

    use super::Destination;

    fn destination(path_and_query: &str) -> Result<Destination, OutboundError> {
        Destination::new(&"http://example.com".parse().expect("an origin"), path_and_query)
    }

    #[test]
    fn path_and_query_stay_byte_for_byte() {
        for text in [
            "/",
            "/a/b;v=1/c%2Fd/%C3%A9",
            "/a//b/",
            "/a/...",
            "/a?",
            "/a?b=c&b=d&&=",
            "/a?q='x'&r={y}|z^`\\",
            "/a?x=%zz&y=../..",
            "/a?u=http://other/?v#".trim_end_matches('#'),
        ] {
            let destination = destination(text).expect(text);
            assert_eq!(destination.uri().path_and_query().expect("path").as_str(), text);
        }
    }

    #[test]
    fn what_no_url_can_hold_is_encoded_in_a_query() {
        let destination = destination("/a?\"<é>'").expect("query");
        assert_eq!(destination.uri().to_string(), "http://example.com/a?%22%3C%C3%A9%3E'");
    }

    #[test]
    fn a_path_that_would_change_is_refused() {
        for text in [
            "",
            "a",
            "*",
            "?a",
            "/a#b",
            "/a?b#c",
            "/a b",
            "/a?b c",
            "/a\r\nx: y",
            "/a?\r\n",
            "/a\\b",
            "/é",
            "/a/../b",
            "/a/%2e%2E",
            "/a/.%2e/b",
            "/./a",
            "/a/%2E",
            "/\"",
            "/{a}",
            "http://other/",
        ] {
            let refused = destination(text);
            assert!(matches!(refused, Err(OutboundError::InvalidUrl(_))), "{text:?}: {refused:?}");
        }
    }
}
