//! Payload format 2.0: function URLs and HTTP APIs.

use std::borrow::Cow;

use faregate_core::problem::Problem;
use faregate_engine::gateway::Peer;
use http::HeaderMap;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    Decoded, EventSource, headers, problems,
    request::Draft,
    text::{Single, Text},
};

/// The name of the stage and of the route that nobody named.
const DEFAULT: &str = "$default";

/// The fields that are read; all others are skipped. Any object fits that has none of these in another type, so that
/// one pass both recognises and reads an event.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Payload2<'a> {
    #[serde(borrow)]
    version: Option<Text<'a>>,
    /// Requests to Lambda authorizers have it.
    r#type: Option<IgnoredAny>,
    #[serde(borrow)]
    raw_path: Option<Text<'a>>,
    #[serde(borrow)]
    raw_query_string: Option<Text<'a>>,
    #[serde(borrow)]
    cookies: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    headers: Option<Single<'a>>,
    #[serde(borrow)]
    request_context: Option<Context<'a>>,
    #[serde(borrow)]
    body: Option<Text<'a>>,
    is_base64_encoded: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Context<'a> {
    #[serde(borrow)]
    domain_name: Option<Text<'a>>,
    #[serde(borrow)]
    route_key: Option<Text<'a>>,
    #[serde(borrow)]
    stage: Option<Text<'a>>,
    #[serde(borrow)]
    http: Option<Http<'a>>,
    #[serde(borrow)]
    authorizer: Option<Authorizer<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Http<'a> {
    #[serde(borrow)]
    method: Option<Text<'a>>,
    #[serde(borrow)]
    source_ip: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Authorizer<'a> {
    #[serde(borrow)]
    iam: Option<Iam<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Iam<'a> {
    #[serde(borrow)]
    user_arn: Option<Text<'a>>,
}

impl Payload2<'_> {
    /// Whether this is one. `cargo lambda watch` adds a top-level `httpMethod`, which says nothing.
    pub(super) fn is_payload2(&self) -> bool {
        self.raw_path.is_some() || self.version.as_deref() == Some("2.0")
    }

    /// The request and its sender.
    pub(super) fn decode(self) -> Decoded {
        let peer = self.peer();
        let source = self.request_context.as_ref().map_or(EventSource::FunctionUrl, Context::source);
        let headers = self.headers();
        let request_id = headers::request_id(&headers);
        Decoded { request: self.request(headers), request_id, peer, source }
    }

    fn peer(&self) -> Peer {
        let context = self.request_context.as_ref();
        let http = context.and_then(|context| context.http.as_ref());
        let iam = context.and_then(|context| context.authorizer.as_ref()?.iam.as_ref());
        Peer {
            address: http.and_then(|http| http.source_ip.as_deref()?.parse().ok()),
            forwarded_for: Vec::new(),
            iam_arn: iam.and_then(|iam| iam.user_arn.as_deref()).map(str::to_owned),
            xray_trace: None,
        }
    }

    fn request(self, headers: Result<HeaderMap, Problem>) -> Result<http::Request<bytes::Bytes>, Problem> {
        let advice = "send an HTTP request";
        if self.r#type.is_some() {
            return Err(problems::invalid(advice, "the event asks for an authorisation"));
        }
        let raw_path = self.raw_path.ok_or_else(|| problems::invalid(advice, "the event has no rawPath"))?;
        let context = self.request_context.unwrap_or_default();
        let method = context.http.as_ref().and_then(|http| http.method.as_deref());
        let draft = Draft {
            method: method.unwrap_or_default(),
            path: &raw_path,
            stage: context.named_stage(),
            query: self.raw_query_string.as_deref().unwrap_or_default(),
            headers,
            domain: context.domain_name.as_deref(),
            body: self.body.map(|Text(body)| body),
            is_base64: self.is_base64_encoded.unwrap_or_default(),
        };
        draft.into_request()
    }

    /// The headers. Cookies are moved to a list of their own on AWS; emulators leave them in `headers`, too.
    fn headers(&self) -> Result<HeaderMap, Problem> {
        let cookies = self.cookies.as_deref().and_then(joined);
        let sent = self.headers.iter().flat_map(Single::values);
        let kept = sent.filter(|(name, _)| cookies.is_none() || !name.eq_ignore_ascii_case("cookie"));
        headers::collect(kept.chain(cookies.as_deref().map(|cookies| ("cookie", cookies))))
    }
}

impl Context<'_> {
    fn named_stage(&self) -> Option<&str> {
        self.stage.as_deref().filter(|stage| *stage != DEFAULT)
    }

    /// The payloads of both sources look alike. A function URL's domain says what it is on AWS, but emulators have
    /// other domains: what has a stage, a route or a domain that only API Gateway can give is an HTTP API's. That `apiId`
    /// and `domainPrefix` differ says nothing: they do in AWS's own example of a function URL's event.
    fn source(&self) -> EventSource {
        let domain = self.domain_name.as_deref().unwrap_or_default();
        let is_http_api = !domain.contains(".lambda-url.")
            && (domain.contains(".execute-api.")
                || self.named_stage().is_some()
                || self.route_key.as_deref().is_some_and(|key| key != DEFAULT));
        if is_http_api { EventSource::HttpApi } else { EventSource::FunctionUrl }
    }
}

/// The cookies as one header's value (RFC 6265 §5.4); `None` if there are none.
fn joined<'c>(cookies: &'c [Text<'_>]) -> Option<Cow<'c, str>> {
    match cookies {
        [] => None,
        [cookie] => Some(Cow::Borrowed(cookie)),
        _ => Some(Cow::Owned(cookies.iter().map(|cookie| &**cookie).collect::<Vec<_>>().join("; "))),
    }
}

#[cfg(test)]
mod tests;
