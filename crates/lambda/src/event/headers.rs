//! Headers.

use faregate_core::problem::Problem;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::problems;

/// Most bytes of all header names and values together (SECURITY.md 2).
pub const HEADER_BYTES_MAX: usize = 32 * 1024;

/// Builds the header map from names and values, in their order; names may repeat.
pub(super) fn collect<'e>(pairs: impl Iterator<Item = (&'e str, &'e str)>) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::with_capacity(24);
    let mut bytes = 0;
    for (name, text) in pairs {
        // A value has at least half as many bytes as its text.
        if name.len() + text.len() / 2 > HEADER_BYTES_MAX {
            return Err(too_large());
        }
        let value = value(text)?;
        bytes += name.len() + value.len();
        if bytes > HEADER_BYTES_MAX {
            return Err(too_large());
        }
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| problems::invalid("send header names that are tokens", "a header's name is no token"))?;
        headers.try_append(name, value).map_err(|_| too_large())?;
    }
    Ok(headers)
}

/// The client's `x-request-id`, if there are headers.
pub(super) fn request_id(headers: &Result<HeaderMap, Problem>) -> Option<HeaderValue> {
    headers.as_ref().ok()?.get("x-request-id").cloned()
}

/// The bytes that the client sent. Text in Latin-1's range is what AWS makes of single bytes, so that UTF-8 sent by a
/// client comes out as it was; anything else can only have been UTF-8.
fn value(text: &str) -> Result<HeaderValue, Problem> {
    let value = if text.is_ascii() {
        HeaderValue::from_bytes(text.as_bytes())
    } else {
        let latin1: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(u32::from(char)).ok()).collect();
        HeaderValue::from_bytes(latin1.as_deref().unwrap_or(text.as_bytes()))
    };
    value.map_err(|_| {
        problems::invalid("send header values without control characters", "a header's value has a control character")
    })
}

fn too_large() -> Problem {
    problems::too_large("headers", HEADER_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use faregate_core::problem::Code;

    use super::{HEADER_BYTES_MAX, collect};

    #[test]
    fn values_become_the_bytes_that_were_sent() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("a\tb", b"a\tb"),
            ("caf\u{e9}", b"caf\xe9"),
            ("caf\u{c3}\u{a9}", b"caf\xc3\xa9"),
            ("\u{c3}\u{89}", b"\xc3\x89"),
            ("5 \u{20ac}", b"5 \xe2\x82\xac"),
            ("\u{e9}\u{20ac}", b"\xc3\xa9\xe2\x82\xac"),
        ] {
            let headers = collect([("x-a", text)].into_iter()).expect(text);
            assert_eq!(headers["x-a"].as_bytes(), bytes, "{text}");
        }
    }

    #[test]
    fn control_characters_and_names_that_are_no_tokens_are_refused() {
        for (name, value) in
            [("a", "x\0"), ("a", "x\r\ny: z"), ("a", "\u{7f}"), ("a", "é\n"), ("", "x"), ("a b", "x"), ("é", "x")]
        {
            let problem = collect([(name, value)].into_iter()).expect_err(name);
            assert_eq!(problem.code, Code::RequestInvalid, "{name}: {value}");
        }
        assert!(collect([(":path", "/")].into_iter()).is_err());
    }

    #[test]
    fn repeated_names_keep_every_value_in_order() {
        let headers = collect([("A", "1"), ("b", "2"), ("a", "3")].into_iter()).expect("headers");
        assert_eq!(headers.get_all("a").iter().collect::<Vec<_>>(), ["1", "3"]);
    }

    #[test]
    fn names_and_values_together_are_bounded() {
        let fits = "x".repeat(HEADER_BYTES_MAX - 4);
        assert!(collect([("name", fits.as_str())].into_iter()).is_ok());
        let huge = "é".repeat(HEADER_BYTES_MAX * 40);
        for pairs in [vec![("names", fits.as_str())], vec![("name", &fits), ("a", "")], vec![("a", &huge)]] {
            assert_eq!(collect(pairs.into_iter()).expect_err("bound").code, Code::RequestHeadersTooLarge);
        }
        let many = (0..40_000).map(|_| ("a", ""));
        assert_eq!(collect(many).expect_err("bound").code, Code::RequestHeadersTooLarge);
    }
}
