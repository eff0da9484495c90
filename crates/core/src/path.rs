//! Request paths in one spelling: a path is normalised before matching and again after rewriting.
//!
//! RFC 3986 §6.2.2: dot segments are resolved, unreserved characters decoded, hex digits upper-cased,
//! characters that a path cannot hold encoded; beyond it, empty segments are merged. An encoded slash
//! stays inside its segment. What a server behind the gateway could read as another path is refused.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, percent_decode, utf8_percent_encode};

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// It does not begin with a slash.
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    /// A control character or NUL, plain or encoded.
    #[error("the path has a control character")]
    ControlCharacter,
    /// A raw backslash.
    #[error("the path has a backslash")]
    Backslash,
    /// A percent sign without two hexadecimal digits.
    #[error("the path has a bad percent escape")]
    BadEscape,
    /// Dot segments that lead above the root.
    #[error("the path climbs above the root")]
    AboveRoot,
    /// A segment that hides a dot segment behind encoding, `;`, `/` or `\`.
    #[error("the path hides a dot segment")]
    HiddenDotSegment,
}

/// The normal form of `raw`. Idempotent; borrows where `raw` is in normal form already.
///
/// # Errors
///
/// [`InvalidPath`] for what no backend should ever see.
pub fn normalise(raw: &str) -> Result<Cow<'_, str>, InvalidPath> {
    if raw.is_empty() {
        return Ok(Cow::Borrowed("/"));
    }
    if !raw.starts_with('/') {
        return Err(InvalidPath::NotAbsolute);
    }
    if is_plain(raw.as_bytes()) {
        return Ok(Cow::Borrowed(raw));
    }
    let recoded = recode(raw)?;
    resolve(&recoded).map(Cow::Owned)
}

/// The normal form of a path that was put together from pieces of a request and of a document.
///
/// # Errors
///
/// As [`normalise`]; and where the pieces join into a dot segment, which would lead out of what was written.
pub fn normalise_rewritten(raw: &str) -> Result<String, InvalidPath> {
    if !raw.is_empty() && !raw.starts_with('/') {
        return Err(InvalidPath::NotAbsolute);
    }
    let recoded = recode(raw)?;
    if recoded.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(InvalidPath::HiddenDotSegment);
    }
    resolve(&recoded)
}

/// What no query of a URL may hold (<https://url.spec.whatwg.org/#query-percent-encode-set>), spaces and controls aside,
/// which are refused.
const QUERY: AsciiSet = AsciiSet::EMPTY.add(b'"').add(b'<').add(b'>');

/// A query as it can stand in a URL: `"`, `<`, `>` and all characters but ASCII are encoded, every other byte stays as
/// it came.
#[must_use]
pub fn encode_query(query: &str) -> Cow<'_, str> {
    utf8_percent_encode(query, &QUERY).into()
}

/// Whether a path has nothing in it that normalisation looks at.
fn is_plain(path: &[u8]) -> bool {
    path.iter().all(|byte| is_path_byte(*byte) && *byte != b';')
        && !path.windows(2).any(|pair| pair == b"//" || pair == b"/.")
}

/// Bytes that stand in a path as they are: RFC 3986 `pchar` without escapes, and the slash.
fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@/".contains(&byte)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// One spelling for every character; slashes stay where they are.
fn recode(raw: &str) -> Result<String, InvalidPath> {
    let bytes = raw.as_bytes();
    let mut out = String::with_capacity(bytes.len() + 16);
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'\\' => return Err(InvalidPath::Backslash),
            b'%' => {
                let (decoded, tail) = escape(tail)?;
                rest = tail;
                match decoded {
                    _ if decoded.is_ascii_control() => return Err(InvalidPath::ControlCharacter),
                    _ if is_unreserved(decoded) => out.push(char::from(decoded)),
                    _ => push_escape(&mut out, decoded),
                }
            }
            _ if byte.is_ascii_control() => return Err(InvalidPath::ControlCharacter),
            _ if is_path_byte(byte) => out.push(char::from(byte)),
            _ => push_escape(&mut out, byte),
        }
    }
    Ok(out)
}

/// The byte that two hexadecimal digits stand for, and what follows them.
fn escape(digits: &[u8]) -> Result<(u8, &[u8]), InvalidPath> {
    let [high, low, rest @ ..] = digits else { return Err(InvalidPath::BadEscape) };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    match (digit(*high), digit(*low)) {
        (Some(high), Some(low)) => Ok((high << 4 | low, rest)),
        _ => Err(InvalidPath::BadEscape),
    }
}

fn push_escape(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// Resolves dot segments and merges slashes.
fn resolve(path: &str) -> Result<String, InvalidPath> {
    let mut segments: Vec<&str> = Vec::new();
    let mut ends_in_slash = false;
    for segment in path.split('/').skip(1) {
        ends_in_slash = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop().ok_or(InvalidPath::AboveRoot)?;
            }
            _ if hides_dot_segment(segment) => return Err(InvalidPath::HiddenDotSegment),
            _ => segments.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &segments {
        out.push('/');
        out.push_str(segment);
    }
    if ends_in_slash || segments.is_empty() {
        out.push('/');
    }
    Ok(out)
}

/// How often a segment is decoded; what is encoded more often is refused.
const DECODINGS_MAX: usize = 8;

/// Whether some server could read a dot segment out of this one: decoded as often as it takes and cut at
/// `;`, `/` and `\`.
fn hides_dot_segment(segment: &str) -> bool {
    if !segment.contains(['%', ';']) {
        return false;
    }
    let mut decoded = segment.as_bytes().to_vec();
    for _ in 0..DECODINGS_MAX {
        let has_dots =
            decoded.split(|byte| matches!(byte, b';' | b'/' | b'\\')).any(|piece| piece == b"." || piece == b"..");
        if has_dots {
            return true;
        }
        let next: Vec<u8> = percent_decode(&decoded).collect();
        if next == decoded {
            return false;
        }
        decoded = next;
    }
    // Nobody encodes that often to say something honest.
    true
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::vec,
        prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest},
        sample::select,
    };

    use super::{InvalidPath, encode_query, normalise, normalise_rewritten};

    #[test]
    fn a_path_gets_one_spelling() {
        for (raw, normal) in [
            ("", "/"),
            ("/", "/"),
            ("/a", "/a"),
            ("/a/", "/a/"),
            ("//a///b", "/a/b"),
            ("/a//", "/a/"),
            ("/a/./b/../c", "/a/c"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/%61%2d%7E", "/a-~"),
            ("/a/%2e%2E/b", "/b"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%5cb", "/a%5Cb"),
            ("/a b", "/a%20b"),
            ("/{x}|\"<>^`[]", "/%7Bx%7D%7C%22%3C%3E%5E%60%5B%5D"),
            ("/é", "/%C3%A9"),
            ("/a;v=1/b", "/a;v=1/b"),
            ("/.hidden/..x", "/.hidden/..x"),
            ("/%25", "/%25"),
        ] {
            assert_eq!(normalise(raw).as_deref(), Ok(normal), "{raw}");
        }
    }

    #[test]
    fn pieces_that_join_into_a_dot_segment_are_refused() {
        assert_eq!(normalise_rewritten("/public/a/b").as_deref(), Ok("/public/a/b"));
        assert_eq!(normalise_rewritten("").as_deref(), Ok("/"));
        for raw in ["/public/../admin", "/public/./a", "/public/%2E%2e/a", "/public/.."] {
            assert_eq!(normalise_rewritten(raw), Err(InvalidPath::HiddenDotSegment), "{raw}");
        }
        assert_eq!(normalise_rewritten("a"), Err(InvalidPath::NotAbsolute));
    }

    #[test]
    fn a_query_stays_as_it_is_but_for_what_a_url_cannot_hold() {
        for (query, encoded) in [
            ("a=%2f+1&b&&=", "a=%2f+1&b&&="),
            ("a[0]=\\^`{|}'~?/:@%", "a[0]=\\^`{|}'~?/:@%"),
            ("\"<é>%c3", "%22%3C%C3%A9%3E%c3"),
        ] {
            assert_eq!(encode_query(query), encoded);
        }
    }

    #[test]
    fn what_is_encoded_over_and_over_is_refused() {
        let often = |times: usize| format!("/%{}41", "25".repeat(times));
        assert!(normalise(&often(3)).is_ok());
        assert_eq!(normalise(&often(4000)), Err(InvalidPath::HiddenDotSegment));
    }

    #[test]
    fn what_a_backend_could_read_as_another_path_is_refused() {
        for (raw, error) in [
            ("a", InvalidPath::NotAbsolute),
            ("*", InvalidPath::NotAbsolute),
            ("/a\0", InvalidPath::ControlCharacter),
            ("/%00", InvalidPath::ControlCharacter),
            ("/a%0a", InvalidPath::ControlCharacter),
            ("/a\\b", InvalidPath::Backslash),
            ("/%", InvalidPath::BadEscape),
            ("/%2", InvalidPath::BadEscape),
            ("/%zz", InvalidPath::BadEscape),
            ("/%+1", InvalidPath::BadEscape),
            ("/..", InvalidPath::AboveRoot),
            ("/a/../../b", InvalidPath::AboveRoot),
            ("/%2e%2e/b", InvalidPath::AboveRoot),
            ("/a/..;/b", InvalidPath::HiddenDotSegment),
            ("/a/..%2fb", InvalidPath::HiddenDotSegment),
            ("/a/..%5cb", InvalidPath::HiddenDotSegment),
            ("/a/%252e%252e/b", InvalidPath::HiddenDotSegment),
            ("/a/%25252e/b", InvalidPath::HiddenDotSegment),
            ("/a/;../b", InvalidPath::HiddenDotSegment),
        ] {
            assert_eq!(normalise(raw), Err(error), "{raw}");
        }
    }

    /// What paths are made dangerous of, and some letters.
    const PIECES: &[&str] = &[
        "a", "b", "c", ".", "/", ";", "%", "\\", " ", "é", "%2e", "%2E", "%2f", "%2F", "%25", "%5c", "%5C", "..", "//",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]

        #[test]
        fn normalisation_is_idempotent_and_never_climbs(pieces in vec(select(PIECES), 0..12)) {
            let raw = format!("/{}", pieces.concat());
            if let Ok(normal) = normalise(&raw) {
                let again = normalise(&normal);
                prop_assert_eq!(again.as_deref(), Ok(&*normal));
                prop_assert!(normal.starts_with('/'));
                prop_assert!(!normal.split('/').any(|segment| segment == "." || segment == ".."));
                prop_assert!(!normal.contains("//"));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn any_text_is_answered(raw in any::<String>()) {
            if let Ok(normal) = normalise(&raw) {
                prop_assert!(normal.is_ascii());
            }
        }
    }
}
