//! The request that is asked about.

use std::{borrow::Cow, net::IpAddr};

use faregate_core::{
    matcher::{MatchRequest, canonical_host},
    path::{encode_query, normalise},
    problem::{Code, Problem},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, uri::Authority};

use crate::error::CliError;

/// Most bytes of a path, as sent (SECURITY.md 2). These bounds are those of `faregate_lambda::event`, which decodes what
/// the platform sends.
const PATH_BYTES_MAX: usize = 8 * 1024;
/// Most bytes of a query.
const QUERY_BYTES_MAX: usize = 32 * 1024;
/// Most bytes of all header names and values together. The platform adds some to those that a client sends.
const HEADER_BYTES_MAX: usize = 32 * 1024;

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
    pub(super) path: Result<String, Problem>,
    /// As it stands in a URL.
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) address: Option<IpAddr>,
    /// The credential that stands in no header, but on standard input.
    pub(super) on_input: Option<OnInput>,
}

/// A kind of credential that is read from standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnInput {
    /// An API key.
    Key,
    /// A token.
    Token,
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
        let mut headers = headers.iter().map(|text| parse_header(text)).collect::<Result<Vec<_>, _>>()?;
        let url = url.split_once('#').map_or(url, |(before, _)| before);
        let (scheme, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => ("https", rest),
            (_, Some(rest)) => ("http", rest),
            _ if url.starts_with('/') => ("https", url),
            _ => return Err(usage("a URL begins with https://, http:// or /".to_owned())),
        };
        let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let named = headers.iter().find(|(name, _)| *name == header::HOST).map(|(_, value)| value.clone());
        let named = named.as_ref().and_then(|value| value.to_str().ok());
        let authority = named.unwrap_or(if authority.is_empty() { "localhost" } else { authority });
        if authority.contains('@') || authority.parse::<Authority>().is_err() {
            return Err(usage(format!("`{authority}` is no host")));
        }
        if named.is_none() {
            headers.extend(HeaderValue::from_str(authority).ok().map(|host| (header::HOST, host)));
        }
        let (path, query) = path_and_query.split_once('?').map_or((path_and_query, None), |(p, q)| (p, Some(q)));
        let query = query.filter(|query| !query.is_empty()).map(|query| encode_query(query).into_owned());
        let (headers, bounded) = collect(headers);
        let path = bounded.and_then(|()| decode(&method, path, query.as_deref(), &headers));
        let asked = Self {
            method,
            scheme,
            host: canonical_host(authority),
            authority: authority.to_owned(),
            path,
            query,
            headers,
            address,
            on_input: None,
        };
        if asked.path.is_ok() && asked.uri().is_none() {
            return Err(usage("the query has characters that must be encoded".to_owned()));
        }
        Ok(asked)
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

/// The method, path and query as the gateway decodes them.
fn decode(method: &Method, path: &str, query: Option<&str>, headers: &HeaderMap) -> Result<String, Problem> {
    let invalid = |cause: String| Problem::new(Code::RequestInvalid, cause);
    if path.len() > PATH_BYTES_MAX {
        return Err(too_large("the path", PATH_BYTES_MAX));
    }
    if ["CONNECT", "TRACE"].iter().any(|never| method.as_str().eq_ignore_ascii_case(never)) {
        return Err(invalid(format!("{method} never reaches a route")));
    }
    if headers.get_all(header::HOST).iter().count() > 1 {
        return Err(invalid("there are several host headers".to_owned()));
    }
    let path = normalise(path).map(Cow::into_owned).map_err(|error| invalid(error.to_string()))?;
    if query.is_some_and(|query| query.len() > QUERY_BYTES_MAX) {
        return Err(too_large("the query", QUERY_BYTES_MAX));
    }
    Ok(path)
}

/// The headers, of which too many are a problem.
fn collect(pairs: Vec<(HeaderName, HeaderValue)>) -> (HeaderMap, Result<(), Problem>) {
    let (mut headers, mut bytes) = (HeaderMap::new(), 0);
    for (name, value) in pairs {
        bytes += name.as_str().len() + value.len();
        if bytes > HEADER_BYTES_MAX || headers.try_append(name, value).is_err() {
            return (headers, Err(too_large("the headers", HEADER_BYTES_MAX)));
        }
    }
    (headers, Ok(()))
}

fn too_large(part: &str, bytes_max: usize) -> Problem {
    Problem::new(Code::RequestHeadersTooLarge, format!("more than {bytes_max} bytes of {part}"))
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), CliError> {
    let parsed = text.split_once(':').and_then(|(name, value)| {
        Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    });
    parsed.ok_or_else(|| CliError::Usage("a header is written as `name: value`".to_owned()))
}

#[cfg(test)]
mod tests {
    use faregate_core::problem::Code;

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
            ("/a?", &[], ("https", "localhost", Ok("/a"), None)),
            ("/a?q=\"<é>\"&r=%22", &[], ("https", "localhost", Ok("/a"), Some("q=%22%3C%C3%A9%3E%22&r=%22"))),
            ("/", &["host: a", "host: b"], ("https", "a", Err("there are several host headers"), None)),
        ] {
            let asked = parse(url, headers).expect("a request");
            let path = asked.path.as_deref().map_err(|problem| problem.cause.as_str());
            assert_eq!((asked.scheme, asked.host.as_str(), path, asked.query.as_deref()), expected, "{url}");
        }
    }

    #[test]
    fn sizes_are_bounded_as_at_the_gateway() {
        let refused = |url: String, headers: &[&str]| {
            let asked = parse(&url, headers).expect("a request");
            asked.path.err().map(|problem| (problem.code, problem.cause))
        };
        let too_large = |part: &str| Some((Code::RequestHeadersTooLarge, format!("more than {part}")));
        let of = |bytes: usize| "x".repeat(bytes);
        assert_eq!(refused(format!("/{}", of(8191)), &[]), None);
        assert_eq!(refused(format!("/{}", of(8192)), &[]), too_large("8192 bytes of the path"));
        assert_eq!(refused(format!("/?{}", of(32_768)), &[]), None);
        assert_eq!(refused(format!("/?{}", of(32_769)), &[]), too_large("32768 bytes of the query"));
        // It counts as it is encoded, and all of it for more than any URL holds.
        assert_eq!(refused(format!("/?{}", "<".repeat(11_000)), &[]), too_large("32768 bytes of the query"));
        assert_eq!(refused(format!("/?{}", of(100_000)), &[]), too_large("32768 bytes of the query"));
        // The host is one of the headers.
        let rest = 32_768 - "hostlocalhostx-a".len();
        assert_eq!(refused("/".to_owned(), &[&format!("x-a: {}", of(rest))]), None);
        let headers_too_large = too_large("32768 bytes of the headers");
        assert_eq!(refused("/".to_owned(), &[&format!("x-a: {}", of(rest + 1))]), headers_too_large);
        assert_eq!(refused("/".to_owned(), &vec!["a:"; 40_000]), headers_too_large);
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
