//! A URL made of components, with the certainty that its bytes go out as they came in.

use std::borrow::Cow;

use faregate_core::path::encode_query;
use faregate_engine::ports::OutboundError;
use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use url::Url;

/// Where one request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    uri: Uri,
}

impl Destination {
    /// Joins `scheme://authority` and a path with its query.
    ///
    /// The host becomes canonical (`0x7f000001` is `127.0.0.1`); path and query stay byte for byte, but that what no URL
    /// can hold is percent-encoded in a query ([`encode_query`]).
    pub(crate) fn parse(origin: &str, path_and_query: &str) -> Result<Self, OutboundError> {
        let (scheme, authority) = parse_origin(origin)?;
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(parse_path_and_query(path_and_query)?)
            .build()
            .map_err(|error| invalid(origin, error))?;
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

fn parse_origin(origin: &str) -> Result<(Scheme, String), OutboundError> {
    let (scheme, rest) = match origin.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::HTTPS, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::HTTP, rest),
        _ => return Err(invalid(origin, "neither http:// nor https://")),
    };
    // What the URL parser would skip, turn into a slash or take for the end of the authority.
    let is_foreign = |byte: u8| byte <= b' ' || matches!(byte, b'/' | b'\\' | b'?' | b'#' | b'@' | 0x7f);
    if rest.bytes().any(is_foreign) {
        return Err(invalid(origin, "more than a scheme and an authority"));
    }
    let url = Url::parse(origin).map_err(|error| invalid(origin, error))?;
    let host = url.host_str().ok_or_else(|| invalid(origin, "no host"))?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok((scheme, authority))
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
            let destination = Destination::parse("http://example.com", text).expect(text);
            assert_eq!(destination.uri().path_and_query().expect("path").as_str(), text);
        }
    }

    #[test]
    fn what_no_url_can_hold_is_encoded_in_a_query() {
        let destination = Destination::parse("http://example.com", "/a?\"<é>'").expect("query");
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
            let refused = Destination::parse("http://example.com", text);
            assert!(matches!(refused, Err(OutboundError::InvalidUrl(_))), "{text:?}: {refused:?}");
        }
    }

    #[test]
    fn an_origin_is_a_scheme_and_an_authority_in_canonical_form() {
        for (origin, sent) in [
            ("http://Example.COM", "http://example.com/p"),
            ("HTTPS://example.com:443", "https://example.com/p"),
            ("https://example.com:80", "https://example.com:80/p"),
            ("http://127.1:9000", "http://127.0.0.1:9000/p"),
            ("http://0x7f000001", "http://127.0.0.1/p"),
            ("http://2130706433", "http://127.0.0.1/p"),
            ("http://0177.0.0.1", "http://127.0.0.1/p"),
            ("http://[::FFFF:127.0.0.1]:1", "http://[::ffff:7f00:1]:1/p"),
            ("http://bücher.example", "http://xn--bcher-kva.example/p"),
        ] {
            assert_eq!(Destination::parse(origin, "/p").expect(origin).uri().to_string(), sent);
        }
    }

    #[test]
    fn an_origin_with_anything_more_is_refused() {
        for origin in [
            "",
            "example.com",
            "//example.com",
            "ftp://example.com",
            "file:///etc/passwd",
            "http:example.com",
            "http:\\\\example.com",
            "http://",
            "http://user@example.com",
            "http://user:word@example.com",
            "http://example.com/",
            "http://example.com/a",
            "http://example.com\\@other",
            "http://example.com?a",
            "http://example.com#a",
            "http://exam\tple.com",
            " http://example.com",
            "http://example.com\n",
            "http://exa mple.com",
            "http://example.com:99999",
            "http://example.com:x",
            "http://256.1.1.1",
            "http://[::1",
            "http://a%00b",
        ] {
            let refused = Destination::parse(origin, "/");
            assert!(matches!(refused, Err(OutboundError::InvalidUrl(_))), "{origin:?}: {refused:?}");
        }
    }
}
