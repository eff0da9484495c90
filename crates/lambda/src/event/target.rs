//! Where a request goes: scheme, host, path and query.

use bytes::Bytes;
use faregate_core::{path, problem::Problem};
use http::{
    HeaderMap, Uri,
    header::HOST,
    uri::{Authority, Parts, PathAndQuery, Scheme},
};

use super::{problems, query};

/// Most bytes of a path, as sent (SECURITY.md 2).
pub const PATH_BYTES_MAX: usize = 8 * 1024;

/// Refuses a path that is too long to look at.
pub(super) fn check_size(raw_path: &str) -> Result<(), Problem> {
    if raw_path.len() > PATH_BYTES_MAX {
        return Err(problems::too_large("the path", PATH_BYTES_MAX));
    }
    Ok(())
}

/// The path without a stage as its first segment.
pub(super) fn without_stage<'p>(path: &'p str, stage: &str) -> &'p str {
    let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage));
    rest.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path)
}

/// The URI, path normalised; without scheme and host if nothing names a host.
pub(super) fn uri(raw_path: &str, query: &str, headers: &HeaderMap, domain: Option<&str>) -> Result<Uri, Problem> {
    let advice = "send a path without dot segments above the root, control characters, backslashes or bad escapes";
    let path = path::normalise(raw_path).map_err(|error| problems::invalid(advice, error))?;
    let mut target = String::with_capacity(path.len() + 1 + query.len());
    target.push_str(&path);
    query::push(&mut target, query)?;
    let target = PathAndQuery::from_maybe_shared(Bytes::from(target))
        .map_err(|error| problems::invalid("send a path and a query as RFC 3986 has them", error))?;

    let mut parts = Parts::default();
    parts.path_and_query = Some(target);
    parts.authority = authority(headers, domain)?;
    parts.scheme = parts.authority.is_some().then(|| scheme(headers));
    Uri::from_parts(parts).map_err(|error| problems::invalid("send a valid host and path", error))
}

/// The `host` header, else the event's domain name.
fn authority(headers: &HeaderMap, domain: Option<&str>) -> Result<Option<Authority>, Problem> {
    let advice = "send one valid host header";
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return Err(problems::invalid(advice, "there are several host headers")),
        (Some(host), None) => host.as_bytes(),
        (None, _) => match domain.filter(|domain| !domain.is_empty()) {
            Some(domain) => domain.as_bytes(),
            None => return Ok(None),
        },
    };
    let authority =
        Authority::try_from(host).map_err(|error| problems::invalid(advice, format!("the host is bad: {error}")))?;
    // User information would stand before the host.
    match authority.as_str().strip_prefix(authority.host()) {
        Some("") => Ok(Some(authority)),
        Some(_) if authority.port_u16().is_some() => Ok(Some(authority)),
        _ => Err(problems::invalid(advice, "the host has user information or a bad port")),
    }
}

/// What the platform says about the client's connection; nothing but the two schemes is believed.
fn scheme(headers: &HeaderMap) -> Scheme {
    match headers.get("x-forwarded-proto").map(|value| value.as_bytes()) {
        Some(b"http") => Scheme::HTTP,
        _ => Scheme::HTTPS,
    }
}

#[cfg(test)]
mod tests {
    use faregate_core::problem::Code;
    use http::{HeaderMap, HeaderValue, Uri};

    use super::{PATH_BYTES_MAX, check_size, uri, without_stage};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn built(pairs: &[(&'static str, &'static str)], domain: Option<&str>) -> Result<Uri, Code> {
        uri("/a", "b", &headers(pairs), domain).map_err(|problem| problem.code)
    }

    #[test]
    fn the_host_is_the_header_else_the_domain_name() {
        for (host, domain, expected) in [
            (Some("a.example"), Some("d.example"), "https://a.example/a?b"),
            (Some("a.example:8080"), None, "https://a.example:8080/a?b"),
            (Some("[::1]:80"), None, "https://[::1]:80/a?b"),
            (Some("[::1]"), None, "https://[::1]/a?b"),
            (None, Some("d.example"), "https://d.example/a?b"),
            (None, Some(""), "/a?b"),
            (None, None, "/a?b"),
        ] {
            let pairs: Vec<_> = host.map(|host| ("host", host)).into_iter().collect();
            assert_eq!(built(&pairs, domain).expect(expected), expected);
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let bad =
            ["", "a@b", "user:secret@b", "@b", "a b", "a/b", "a?b", "a#b", "a:", "a:b", "a:99999", "a:1:2", "[::1"];
        for host in bad {
            assert_eq!(built(&[("host", host)], None), Err(Code::RequestInvalid), "{host}");
        }
        assert_eq!(built(&[], Some("a@b")), Err(Code::RequestInvalid));
        assert_eq!(built(&[("host", "a"), ("host", "b")], None), Err(Code::RequestInvalid));
    }

    #[test]
    fn only_two_schemes_are_believed() {
        for (proto, scheme) in [
            ("http", "http"),
            ("https", "https"),
            ("HTTP", "https"),
            ("http, https", "https"),
            ("ftp", "https"),
            ("https://evil.example/?x=", "https"),
        ] {
            let uri = built(&[("host", "a"), ("x-forwarded-proto", proto)], None).expect(proto);
            assert_eq!(uri.to_string(), format!("{scheme}://a/a?b"));
        }
    }

    #[test]
    fn a_stage_is_cut_off_as_a_whole_first_segment_only() {
        for (path, expected) in [
            ("/live/a", "/a"),
            ("/live", ""),
            ("/live/", "/"),
            ("/lively/a", "/lively/a"),
            ("/a/live", "/a/live"),
            ("/live/live/a", "/live/a"),
            ("live/a", "live/a"),
            ("", ""),
        ] {
            assert_eq!(without_stage(path, "live"), expected, "{path}");
        }
    }

    #[test]
    fn a_path_is_normalised_and_bounded() {
        assert_eq!(uri("/a/%2e%2e//é", "", &HeaderMap::new(), None).expect("a path"), "/%C3%A9");
        assert_eq!(uri("", "", &HeaderMap::new(), None).expect("no path"), "/");
        let problem = uri("/..", "", &HeaderMap::new(), None).expect_err("above the root");
        assert_eq!((problem.code, problem.cause.as_str()), (Code::RequestInvalid, "the path climbs above the root"));
        assert!(check_size(&"/".repeat(PATH_BYTES_MAX)).is_ok());
        let problem = check_size(&"/".repeat(PATH_BYTES_MAX + 1)).expect_err("bound");
        assert_eq!(problem.code, Code::RequestHeadersTooLarge);
    }
}
