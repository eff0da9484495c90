//! The request that is asked about.

use std::net::IpAddr;

use faregate_core::{
    matcher::{MatchRequest, canonical_host},
    path::normalise,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, uri::Authority};

use crate::error::CliError;

/// A request as the gateway sees it after decoding.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) scheme: &'static str,
    /// As the client sends it, with its port.
    pub(super) authority: String,
    /// As routes are matched by it.
    pub(super) host: String,
    /// Normalised; or why the request is refused before anything is matched.
    pub(super) path: Result<String, String>,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) address: Option<IpAddr>,
}

impl Asked {
    /// Takes the command line's parts. The path stays as it is written: no URL library resolves dot segments
    /// before the gateway's own rules see them.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for what no client could send.
    pub(super) fn parse(
        method: &str,
        url: &str,
        headers: &[String],
        address: Option<IpAddr>,
    ) -> Result<Self, CliError> {
        let usage = |message: String| CliError::Usage(message);
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| usage(format!("`{method}` is no method")))?;
        let headers = headers.iter().map(|text| parse_header(text)).collect::<Result<HeaderMap, _>>()?;
        let url = url.split_once('#').map_or(url, |(before, _)| before);
        let (scheme, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => ("https", rest),
            (_, Some(rest)) => ("http", rest),
            _ if url.starts_with('/') => ("https", url),
            _ => return Err(usage("a URL begins with https://, http:// or /".to_owned())),
        };
        let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let named = headers.get(header::HOST).and_then(|value| value.to_str().ok());
        let authority = named.unwrap_or(if authority.is_empty() { "localhost" } else { authority });
        if authority.contains('@') || authority.parse::<Authority>().is_err() {
            return Err(usage(format!("`{authority}` is no host")));
        }
        let (path, query) = path_and_query.split_once('?').map_or((path_and_query, None), |(p, q)| (p, Some(q)));
        let path = if matches!(method, Method::CONNECT | Method::TRACE) {
            Err(format!("{method} never reaches a route"))
        } else {
            normalise(path).map(std::borrow::Cow::into_owned).map_err(|error| error.to_string())
        };
        let asked = Self {
            method,
            scheme,
            host: canonical_host(authority),
            authority: authority.to_owned(),
            path,
            query: query.map(str::to_owned),
            headers,
            address,
        };
        asked.uri().map(|_| asked).ok_or_else(|| usage("the query has characters that must be encoded".to_owned()))
    }

    /// What routes are matched by, for a path that is one.
    pub(super) fn for_match<'a>(&'a self, path: &'a str, method: &'a Method) -> MatchRequest<'a> {
        MatchRequest { host: &self.host, path, query: self.query.as_deref(), method, headers: &self.headers }
    }

    /// The URI with the normalised path.
    pub(super) fn uri(&self) -> Option<Uri> {
        let path = self.path.as_deref().unwrap_or("/");
        format!("{}://{}{path}{}", self.scheme, self.authority, self.query_suffix()).parse().ok()
    }

    /// `?` and the query, or nothing.
    fn query_suffix(&self) -> String {
        self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default()
    }
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), CliError> {
    let parsed = text.split_once(':').and_then(|(name, value)| {
        Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    });
    parsed.ok_or_else(|| CliError::Usage("a header is written as `name: value`".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::Asked;

    fn parse(url: &str, headers: &[&str]) -> Option<Asked> {
        let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
        Asked::parse("GET", url, &headers, None).ok()
    }

    #[test]
    fn a_url_is_taken_apart_without_changing_its_path() {
        for (url, headers, expected) in [
            (
                "https://API.example.com:443/a/../b?q=/..#f",
                &[][..],
                ("https", "api.example.com", Ok("/b"), Some("q=/..")),
            ),
            ("http://a.b", &[], ("http", "a.b", Ok("/"), None)),
            ("http://a.b?x", &[], ("http", "a.b", Ok("/"), Some("x"))),
            ("/a%2fb", &[], ("https", "localhost", Ok("/a%2Fb"), None)),
            ("https://a.b/", &["Host: c.d:8080"], ("https", "c.d", Ok("/"), None)),
            ("/../a", &[], ("https", "localhost", Err("the path climbs above the root"), None)),
        ] {
            let asked = parse(url, headers).expect("a request");
            let path = asked.path.as_deref().map_err(String::as_str);
            assert_eq!((asked.scheme, asked.host.as_str(), path, asked.query.as_deref()), expected, "{url}");
        }
    }

    #[test]
    fn what_no_client_could_send_is_refused() {
        for url in ["a/b", "ftp://a/b", "https://user@a/", "https://a b/", "/a?b c", "/a?\u{1b}"] {
            assert!(parse(url, &[]).is_none(), "{url}");
        }
        assert!(parse("/", &["no header"]).is_none());
        assert!(parse("/", &["a: b\r\nc: d"]).is_none());
    }
}
