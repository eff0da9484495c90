//! An answer in one piece, in the form that the event's kind asks for.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{StatusCode, response::Parts};
use serde_json::{Value, json};

use super::headers::{cookies, joined, repeated, text};
use crate::event::EventSource;

/// Longest answer in bytes of JSON that Lambda takes in one piece
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
pub const BUFFERED_BYTES_MAX: usize = 6_291_556;

/// The JSON of an answer. Bodies are base64, so that no byte is taken for text.
#[must_use]
pub fn buffered(source: EventSource, parts: &Parts, body: &Bytes) -> Vec<u8> {
    let status = parts.status.as_u16();
    let mut answer = json!({ "statusCode": status, "isBase64Encoded": true, "body": STANDARD.encode(body) });
    match source {
        EventSource::FunctionUrl | EventSource::HttpApi | EventSource::Unknown => {
            answer["headers"] = Value::Object(joined(&parts.headers));
            answer["cookies"] = Value::Array(cookies(&parts.headers));
        }
        EventSource::Rest => answer["multiValueHeaders"] = Value::Object(repeated(&parts.headers)),
        EventSource::Alb { multi_value } => {
            answer["statusDescription"] = Value::String(description(parts.status));
            if multi_value {
                answer["multiValueHeaders"] = Value::Object(repeated(&parts.headers));
            } else {
                let mut headers = joined(&parts.headers);
                // One value per name is all that such a target group can say.
                let cookie = parts.headers.get_all(http::header::SET_COOKIE).iter().next_back().map(text);
                headers.extend(cookie.map(|cookie| ("set-cookie".to_owned(), Value::String(cookie))));
                answer["headers"] = Value::Object(headers);
            }
        }
    }
    serde_json::to_vec(&answer).unwrap_or_default()
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
