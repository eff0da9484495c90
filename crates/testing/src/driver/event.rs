//! An HTTP request as the payload 2.0 event that a function URL makes of it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::clock;

/// Media types besides `text/*` whose bodies come as text when they are UTF-8.
const TEXT_TYPES: [&str; 4] =
    ["application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded"];

/// Chooses `requestContext.http.sourceIp`.
const SOURCE_IP: &str = "x-driver-source-ip";

/// Chooses `requestContext.authorizer.iam.userArn`.
const IAM_ARN: &str = "x-driver-iam-arn";

/// What the front adds to a request that the client did not send.
#[derive(Debug)]
pub(crate) struct Circumstances {
    /// Address of the client, unless the request chooses another.
    pub(crate) client_ip: String,
    /// Host, if the request names none.
    pub(crate) host: String,
    pub(crate) request_id: String,
    /// Trace id, unless the request brings one.
    pub(crate) trace_id: String,
    pub(crate) region: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: &'static str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    request_context: Context<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    is_base64_encoded: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    account_id: &'a str,
    api_id: &'static str,
    authentication: (),
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Authorizer<'a>>,
    domain_name: String,
    domain_prefix: &'static str,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'static str,
    stage: &'static str,
    time: String,
    time_epoch: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    source_ip: &'a str,
    user_agent: &'a str,
}

#[derive(Debug, Serialize)]
struct Authorizer<'a> {
    iam: Iam<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Iam<'a> {
    access_key: &'static str,
    account_id: &'a str,
    caller_id: &'static str,
    cognito_identity: (),
    principal_org_id: &'static str,
    user_arn: &'a str,
    user_id: &'static str,
}

/// Identifier of the function URL in its host name.
const URL_ID: &str = "driver0123456789abcdefghijklmnop";

/// The event for the request `parts` with `body`.
///
/// # Errors
/// Those of the serialiser, for which there is no cause.
pub(crate) fn event(parts: &Parts, body: &[u8], circumstances: &Circumstances) -> Result<Bytes, serde_json::Error> {
    let mut sent = parts.headers.clone();
    let chosen_ip = sent.remove(SOURCE_IP).as_ref().map(decode);
    let source_ip = chosen_ip.as_deref().unwrap_or(&circumstances.client_ip);
    let iam_arn = sent.remove(IAM_ARN).as_ref().map(decode);
    let cookies = take_cookies(&mut sent);
    let (body, is_base64_encoded) = encode_body(&sent, body);
    let headers = headers(&sent, source_ip, circumstances);
    let account = iam_arn.as_deref().map_or("anonymous", account_of);
    let since_epoch = clock::since_epoch();
    let user_agent = headers.get("user-agent").map_or("", String::as_str);
    let event = Event {
        version: "2.0",
        route_key: "$default",
        raw_path: parts.uri.path(),
        raw_query_string: parts.uri.query().unwrap_or_default(),
        cookies,
        headers: &headers,
        query_string_parameters: parameters(parts.uri.query().unwrap_or_default()),
        request_context: Context {
            account_id: account,
            api_id: URL_ID,
            authentication: (),
            authorizer: iam_arn.as_deref().map(|arn| Authorizer { iam: iam(arn, account) }),
            domain_name: format!("{URL_ID}.lambda-url.{}.on.aws", circumstances.region),
            domain_prefix: URL_ID,
            http: Http {
                method: parts.method.as_str(),
                path: parts.uri.path(),
                protocol: "HTTP/1.1",
                source_ip,
                user_agent,
            },
            request_id: &circumstances.request_id,
            route_key: "$default",
            stage: "$default",
            time: clock::common_log_time(since_epoch),
            time_epoch: clock::milliseconds(since_epoch),
        },
        body,
        is_base64_encoded,
    };
    serde_json::to_vec(&event).map(Bytes::from)
}

fn iam<'a>(arn: &'a str, account: &'a str) -> Iam<'a> {
    Iam {
        access_key: "AKIADRIVER0000000000",
        account_id: account,
        caller_id: "AIDADRIVER0000000000",
        cognito_identity: (),
        principal_org_id: "o-driver00000",
        user_arn: arn,
        user_id: "AIDADRIVER0000000000",
    }
}

/// The account in `arn:aws:iam::ACCOUNT:user/NAME`.
fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).filter(|account| !account.is_empty()).unwrap_or("123456789012")
}

fn take_cookies(headers: &mut HeaderMap) -> Vec<String> {
    let values: Vec<String> = headers.get_all(header::COOKIE).iter().map(decode).collect();
    headers.remove(header::COOKIE);
    let cookies = values.iter().flat_map(|value| value.split("; "));
    cookies.filter(|cookie| !cookie.is_empty()).map(str::to_owned).collect()
}

fn headers(sent: &HeaderMap, source_ip: &str, circumstances: &Circumstances) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in sent {
        append(&mut joined, name.as_str(), &decode(value), ",");
    }
    // The body is whole by now.
    joined.remove("transfer-encoding");
    append(&mut joined, "x-forwarded-for", source_ip, ", ");
    joined.insert("x-forwarded-proto".to_owned(), "https".to_owned());
    joined.insert("x-forwarded-port".to_owned(), "443".to_owned());
    let host = || circumstances.host.clone();
    joined.entry("host".to_owned()).or_insert_with(host);
    let trace_id = || circumstances.trace_id.clone();
    joined.entry("x-amzn-trace-id".to_owned()).or_insert_with(trace_id);
    joined
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    let mut joined = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        append(&mut joined, &decode_form(name), &decode_form(value), ",");
    }
    joined
}

fn append(map: &mut BTreeMap<String, String>, name: &str, value: &str, between: &str) {
    if let Some(present) = map.get_mut(name) {
        present.push_str(between);
        present.push_str(value);
    } else {
        map.insert(name.to_owned(), value.to_owned());
    }
}

fn decode_form(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// A header value as UTF-8, or else as Latin-1.
fn decode(value: &HeaderValue) -> String {
    let bytes = value.as_bytes();
    let latin = || bytes.iter().copied().map(char::from).collect();
    str::from_utf8(bytes).map_or_else(|_| latin(), str::to_owned)
}

/// The body and whether it is in base64; an empty one is absent.
fn encode_body(headers: &HeaderMap, body: &[u8]) -> (Option<String>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    match str::from_utf8(body) {
        Ok(text) if is_text(headers) => (Some(text.to_owned()), false),
        _ => (Some(STANDARD.encode(body)), true),
    }
}

fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(decode).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let media_type = media_type.to_ascii_lowercase();
    media_type.starts_with("text/") || TEXT_TYPES.contains(&media_type.as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests;
