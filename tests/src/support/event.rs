//! Function URL events of one's own, for what the front of the driver cannot say.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use faregate_testing::driver::{Ending, RawAnswer};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    client::{Answer, SendError},
    seen::readable,
};

/// The domain of the function URL in these events.
const DOMAIN: &str = "tests.lambda-url.us-east-1.on.aws";

/// A request as a payload 2.0 event with this `x-forwarded-proto`.
pub(super) fn payload(request: &Request<Bytes>, scheme: &str) -> Value {
    let mut headers = Map::new();
    for name in request.headers().keys() {
        let lines = request.headers().get_all(name).iter();
        let lines: Vec<String> = lines.map(|value| readable(value.as_bytes())).collect();
        headers.insert(name.to_string(), lines.join(",").into());
    }
    let cookies = headers.remove("cookie");
    let cookies: Vec<&str> =
        cookies.as_ref().and_then(Value::as_str).map(|line| line.split("; ").collect()).unwrap_or_default();
    headers.insert("x-forwarded-proto".to_owned(), scheme.into());
    headers.entry("host").or_insert(DOMAIN.into());
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.uri().path(),
        "rawQueryString": request.uri().query().unwrap_or_default(),
        "cookies": cookies,
        "headers": headers,
        "requestContext": {
            "domainName": DOMAIN,
            "http": {
                "method": request.method().as_str(),
                "path": request.uri().path(),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "",
            },
            "requestId": "tests",
            "stage": "$default",
            "timeEpoch": 0,
        },
        "body": STANDARD.encode(request.body()),
        "isBase64Encoded": true,
    })
}

/// The head of an answer, streamed or buffered.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    status_code: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    cookies: Vec<String>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// What the function URL would make of a function's answer.
pub(super) fn answer(raw: &RawAnswer) -> Result<Answer, SendError> {
    if raw.ending != Ending::Complete {
        return Err(SendError::NoAnswer(format!("{:?}", raw.ending)));
    }
    let invalid = |error: &dyn std::fmt::Display| SendError::NoAnswer(error.to_string());
    let head: Value = raw.json().map_err(|error| invalid(&error))?;
    let head: Head = serde_json::from_value(head).map_err(|error| invalid(&error))?;
    let body = match head.body {
        Some(text) if head.is_base64_encoded => STANDARD.decode(text).map_err(|error| invalid(&error))?.into(),
        Some(text) => Bytes::from(text),
        None => raw.body.clone(),
    };
    let mut headers = HeaderMap::new();
    let cookies = head.cookies.iter().map(|cookie| ("set-cookie", cookie.as_str()));
    for (name, value) in
        head.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).chain(cookies)
    {
        let name: HeaderName = name.parse().map_err(|error| invalid(&error))?;
        let value: HeaderValue = value.parse().map_err(|error| invalid(&error))?;
        headers.append(name, value);
    }
    let status = StatusCode::from_u16(head.status_code).map_err(|error| invalid(&error))?;
    Ok(Answer { status, headers, body })
}
