//! The request out of an event's fields, the same for every kind of event.

use std::borrow::Cow;

use bytes::Bytes;
use faregate_core::problem::Problem;
use http::{HeaderMap, Method, Request};

use super::{body, problems, target};

/// A request as the event has it.
pub(super) struct Draft<'a> {
    /// The method; empty if there is none.
    pub(super) method: &'a str,
    /// The path, not normalised.
    pub(super) path: &'a str,
    /// The named stage that may be the path's first segment.
    pub(super) stage: Option<&'a str>,
    /// The query; empty if there is none.
    pub(super) query: &'a str,
    /// The headers; or why there cannot be any.
    pub(super) headers: Result<HeaderMap, Problem>,
    /// The host, where no header has it.
    pub(super) domain: Option<&'a str>,
    /// The body as it stands in the event.
    pub(super) body: Option<Cow<'a, str>>,
    /// Whether the body is in base64.
    pub(super) is_base64: bool,
}

impl Draft<'_> {
    /// The request. Sizes first: nothing is decoded for a request that is too large.
    pub(super) fn into_request(self) -> Result<Request<Bytes>, Problem> {
        target::check_size(self.path)?;
        let headers = self.headers?;
        let method = method(self.method)?;
        let path = self.stage.map_or(self.path, |stage| target::without_stage(self.path, stage));
        let uri = target::uri(path, self.query, &headers, self.domain)?;
        let body = body::decode(self.body, self.is_base64)?;
        body::check_length(&headers, body.len())?;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Any token (RFC 9110 §9.1) but CONNECT and TRACE, in whatever case a lenient backend would read them.
fn method(name: &str) -> Result<Method, Problem> {
    if name.eq_ignore_ascii_case("CONNECT") || name.eq_ignore_ascii_case("TRACE") {
        return Err(problems::invalid("use another method", "the method is CONNECT or TRACE"));
    }
    Method::from_bytes(name.as_bytes())
        .map_err(|_| problems::invalid("send a method that is a token", "the method is no token"))
}

#[cfg(test)]
mod tests {
    use super::method;

    #[test]
    fn a_method_is_any_token_but_connect_and_trace() {
        for name in ["GET", "HEAD", "OPTIONS", "PROPFIND", "get", "X!#$%&'*+-.^_`|~9"] {
            assert_eq!(method(name).expect(name).as_str(), name);
        }
        for name in ["", " ", "G T", "GET\r\n", "GET/", "é", "CONNECT", "TRACE", "Trace", "connect"] {
            assert!(method(name).is_err(), "{name}");
        }
    }
}
