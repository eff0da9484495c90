//! An answer in one piece, in the form that the event's kind asks for.

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{StatusCode, response::Parts};
use serde::{Serialize, Serializer};

use super::headers::{Cookies, Joined, Repeated};
use crate::event::EventSource;

/// Longest answer in bytes of JSON that Lambda takes in one piece
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
pub const BUFFERED_BYTES_MAX: usize = 6_291_556;

/// What is set aside for all but the body.
const HEAD_BYTES: usize = 1024;

/// An answer as every kind of event has some of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Joined<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<Repeated<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<Cookies<'a>>,
    is_base64_encoded: bool,
    #[serde(serialize_with = "in_base64")]
    body: &'a [u8],
}

/// The JSON of an answer. Bodies are base64, so that no byte is taken for text.
#[must_use]
pub fn buffered(source: EventSource, parts: &Parts, body: &Bytes) -> Vec<u8> {
    let headers = &parts.headers;
    let mut answer = Answer {
        status_code: parts.status.as_u16(),
        status_description: None,
        headers: None,
        multi_value_headers: None,
        cookies: None,
        is_base64_encoded: true,
        body,
    };
    match source {
        EventSource::FunctionUrl | EventSource::HttpApi | EventSource::Unknown => {
            answer.headers = Some(Joined::without_cookies(headers));
            answer.cookies = Some(Cookies(headers));
        }
        EventSource::Rest => answer.multi_value_headers = Some(Repeated(headers)),
        EventSource::Alb { multi_value } => {
            answer.status_description = Some(description(parts.status));
            if multi_value {
                answer.multi_value_headers = Some(Repeated(headers));
            } else {
                answer.headers = Some(Joined::with_last_cookie(headers));
            }
        }
    }
    let mut json = Vec::with_capacity(body.len().div_ceil(3) * 4 + HEAD_BYTES);
    match serde_json::to_writer(&mut json, &answer) {
        Ok(()) => json,
        Err(_) => Vec::new(),
    }
}

fn in_base64<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Base64Display::new(body, &STANDARD))
}

fn description(status: StatusCode) -> String {
    format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or("Status"))
}

/// How many bytes of body fit into an answer with these headers.
#[must_use]
pub fn body_bytes_max(source: EventSource, parts: &Parts) -> usize {
    let empty = buffered(source, parts, &Bytes::new()).len();
    BUFFERED_BYTES_MAX.saturating_sub(empty) / 4 * 3
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{Response, response::Parts};

    use super::{BUFFERED_BYTES_MAX, body_bytes_max, buffered};
    use crate::event::EventSource;

    const SOURCES: [EventSource; 6] = [
        EventSource::FunctionUrl,
        EventSource::HttpApi,
        EventSource::Rest,
        EventSource::Alb { multi_value: false },
        EventSource::Alb { multi_value: true },
        EventSource::Unknown,
    ];

    /// Headers whose texts make the JSON by so much longer.
    fn parts(padding: usize) -> Parts {
        let answer = Response::builder()
            .status(404)
            .header("content-type", "text/plain; charset=\"utf-8\"")
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .header("x-padding", "x".repeat(padding));
        answer.body(()).expect("an answer").into_parts().0
    }

    #[test]
    fn the_longest_body_just_fits_into_what_lambda_takes() {
        for source in SOURCES {
            for padding in 0..4 {
                let parts = parts(padding);
                let longest = body_bytes_max(source, &parts);
                let bytes = |body: usize| buffered(source, &parts, &Bytes::from(vec![b'x'; body])).len();
                assert!(bytes(longest) <= BUFFERED_BYTES_MAX, "{source:?} {padding}");
                assert!(bytes(longest) > BUFFERED_BYTES_MAX - 4, "{source:?} {padding}");
                assert!(bytes(longest + 1) > BUFFERED_BYTES_MAX, "{source:?} {padding}");
            }
        }
    }
}
