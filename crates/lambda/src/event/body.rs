//! Bodies.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use faregate_core::problem::Problem;
use http::{HeaderMap, header::CONTENT_LENGTH};

use super::problems;

/// The body's bytes: the text's own, or what it stands for in base64 (RFC 4648 §4, padded).
pub(super) fn decode(body: Option<Cow<'_, str>>, is_base64: bool) -> Result<Bytes, Problem> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    if !is_base64 {
        return Ok(Bytes::from(body.into_owned()));
    }
    let decoded = STANDARD.decode(body.as_bytes());
    decoded.map(Bytes::from).map_err(|_| problems::invalid("send the body again", "the event's base64 is broken"))
}

/// Refuses a `content-length` that is not the body's (SECURITY.md 3).
pub(super) fn check_length(headers: &HeaderMap, length: usize) -> Result<(), Problem> {
    for value in headers.get_all(CONTENT_LENGTH) {
        let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        if digits.and_then(|digits| digits.parse().ok()) != Some(length) {
            let cause = format!("content-length is not {length}, as the body is");
            return Err(problems::invalid("send a content-length that is the body's", cause));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use faregate_core::problem::Code;
    use http::{HeaderMap, HeaderValue};

    use super::{check_length, decode};

    #[test]
    fn a_body_is_text_or_base64() {
        for (body, is_base64, expected) in [
            (None, false, &b""[..]),
            (None, true, b""),
            (Some(""), true, b""),
            (Some("é"), false, b"\xc3\xa9"),
            (Some("AP8="), true, b"\0\xff"),
            (Some("AP8="), false, b"AP8="),
        ] {
            assert_eq!(decode(body.map(Into::into), is_base64).expect("a body"), expected);
        }
    }

    #[test]
    fn broken_base64_is_refused() {
        for body in ["A", "AP8", "AP9=", "A\n8=", "AP8=AP8=", "-_8=", "é"] {
            assert_eq!(decode(Some(body.into()), true).expect_err(body).code, Code::RequestInvalid);
        }
    }

    #[test]
    fn a_content_length_is_the_body_s() {
        for (values, length, is_valid) in [
            (&[][..], 7, true),
            (&["0"], 0, true),
            (&["7"], 7, true),
            (&["007"], 7, true),
            (&["7", "7"], 7, true),
            (&["7", "8"], 7, false),
            (&["7"], 0, false),
            (&["0"], 7, false),
            (&["7, 7"], 7, false),
            (&["+7"], 7, false),
            (&["-0"], 0, false),
            (&[""], 0, false),
            (&[" 7"], 7, false),
            (&["0x7"], 7, false),
            (&["99999999999999999999999"], 7, false),
            (&["seven"], 7, false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("content-length", HeaderValue::from_static(value));
            }
            assert_eq!(check_length(&headers, length).is_ok(), is_valid, "{values:?}");
        }
    }
}
