//! The head of an answer: what a prelude and a buffered answer have in common.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::response::Builder;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;

/// Headers that say how bytes cross the connection, which is the platform's to say.
const PLATFORM_HEADERS: [HeaderName; 5] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::TRAILER, header::UPGRADE];

/// An answer that a function URL cannot turn into HTTP.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidAnswer {
    #[error("not JSON of the expected form")]
    Json(#[from] serde_json::Error),
    #[error("the body is not base64")]
    Base64(#[from] base64::DecodeError),
    #[error("not an HTTP head")]
    Http(#[from] http::Error),
    #[error("status {0} cannot be sent")]
    Status(u16),
    #[error("header {0} is not a text, number or boolean")]
    HeaderKind(String),
    #[error("prelude and body are not separated")]
    NoSeparator,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default = "ok")]
    status_code: u16,
    headers: Option<BTreeMap<String, Value>>,
    multi_value_headers: Option<BTreeMap<String, Vec<Value>>>,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

/// The head that the prelude describes.
pub(crate) fn from_prelude(prelude: &[u8]) -> Result<Response<()>, InvalidAnswer> {
    let wire: Wire = serde_json::from_slice(prelude)?;
    Ok(wire.builder()?.body(())?)
}

/// The whole answer that a buffered response describes. JSON without `statusCode` is itself the
/// body of a 200, as function URLs have it.
pub(crate) fn from_buffered(json: &[u8]) -> Result<Response<Bytes>, InvalidAnswer> {
    let value: Value = serde_json::from_slice(json)?;
    if value.get("statusCode").is_none() {
        let body = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let builder = Response::builder().header(header::CONTENT_TYPE, "application/json");
        return Ok(builder.body(Bytes::from(body))?);
    }
    let mut wire: Wire = serde_json::from_value(value)?;
    let text = wire.body.take().unwrap_or_default();
    let base64 = wire.is_base64_encoded.unwrap_or_default();
    let body = if base64 { STANDARD.decode(text)? } else { text.into_bytes() };
    let mut builder = wire.builder()?;
    if let Some(headers) = builder.headers_mut() {
        let json = HeaderValue::from_static("application/json");
        headers.entry(header::CONTENT_TYPE).or_insert(json);
    }
    Ok(builder.body(Bytes::from(body))?)
}

impl Wire {
    fn builder(self) -> Result<Builder, InvalidAnswer> {
        let status = StatusCode::from_u16(self.status_code).ok();
        let sendable = status.filter(|status| !status.is_informational());
        let status = sendable.ok_or(InvalidAnswer::Status(self.status_code))?;
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers.unwrap_or_default() {
            append(&mut headers, &name, &value)?;
        }
        for (name, values) in self.multi_value_headers.unwrap_or_default() {
            values.iter().try_for_each(|value| append(&mut headers, &name, value))?;
        }
        for cookie in self.cookies.unwrap_or_default() {
            headers.append(header::SET_COOKIE, encode(&cookie)?);
        }
        for name in PLATFORM_HEADERS {
            headers.remove(name);
        }
        let mut builder = Response::builder().status(status);
        if let Some(present) = builder.headers_mut() {
            *present = headers;
        }
        Ok(builder)
    }
}

fn append(headers: &mut HeaderMap, name: &str, value: &Value) -> Result<(), InvalidAnswer> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            return Err(InvalidAnswer::HeaderKind(name.to_owned()));
        }
    };
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(http::Error::from)?;
    headers.append(name, encode(&text)?);
    Ok(())
}

/// A header value: Latin-1 where every character has a byte, else UTF-8.
fn encode(text: &str) -> Result<HeaderValue, InvalidAnswer> {
    let latin: Option<Vec<u8>> = text.chars().map(|one| u8::try_from(one).ok()).collect();
    let bytes = latin.unwrap_or_else(|| text.as_bytes().to_vec());
    Ok(HeaderValue::from_bytes(&bytes).map_err(http::Error::from)?)
}

fn ok() -> u16 {
    200
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn a_prelude_gives_status_headers_and_one_set_cookie_per_cookie() {
        let prelude = r#"{"statusCode":418,"headers":{"x-a":"1, 2","x-latin":"caf\u00e9",
            "content-length":"5"},"cookies":["a=1; Path=/","b=2"]}"#;
        let head = from_prelude(prelude.as_bytes()).unwrap();
        assert_eq!(head.status(), 418);
        assert_eq!(head.headers()["x-a"], "1, 2");
        assert_eq!(head.headers()["x-latin"].as_bytes(), b"caf\xe9");
        assert_eq!(head.headers().get("content-length"), None);
        let cookies: Vec<_> = head.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
    }

    #[test]
    fn buffered_bodies_are_decoded() {
        let cases = [
            (r#"{"statusCode":201,"body":"YWJj","isBase64Encoded":true}"#, 201, "abc"),
            (r#"{"statusCode":200,"body":"abc"}"#, 200, "abc"),
            (r#"{"statusCode":204}"#, 204, ""),
            (r#"{"hello":1}"#, 200, r#"{"hello":1}"#),
            (r#""hello""#, 200, "hello"),
        ];
        for (json, status, body) in cases {
            let answer = from_buffered(json.as_bytes()).unwrap();
            assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (status, body.as_bytes()));
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let cases = [
            "",
            "{",
            r#"{"statusCode":101}"#,
            r#"{"statusCode":99}"#,
            r#"{"statusCode":200,"headers":{"x-a":["1"]}}"#,
            r#"{"statusCode":200,"headers":{"x a":"1"}}"#,
            r#"{"statusCode":200,"headers":{"x-a":"1\r\nx-b: 2"}}"#,
            r#"{"statusCode":200,"body":"*","isBase64Encoded":true}"#,
        ];
        for json in cases {
            assert!(from_buffered(json.as_bytes()).is_err(), "{json}");
        }
    }
}
