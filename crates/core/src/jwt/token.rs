//! A token in its compact form (RFC 7515 §7.1), read but not believed.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{Algorithm, json::parse_strict};

/// Longest token in bytes; a longer one is refused unread.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Header parameters that carry a key or say where to fetch one: an attacker's choice (RFC 8725 §3.10).
const KEY_PARAMETERS: [&str; 4] = ["jwk", "jku", "x5u", "x5c"];

/// Whether a text has the shape of a token: three parts of base64url, of which only the payload may be empty.
#[must_use]
pub fn looks_like_token(text: &[u8]) -> bool {
    let is_part = |part: &&[u8]| part.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let mut parts = text.split(|byte| *byte == b'.');
    let (header, payload, signature) = (parts.next(), parts.next(), parts.next());
    let is_filled = |part: Option<&[u8]>| part.filter(is_part).is_some_and(|part| !part.is_empty());
    is_filled(header) && payload.filter(is_part).is_some() && is_filled(signature) && parts.next().is_none()
}

/// The issuer that a text with the shape of a token names, whatever its header says: only that one may judge it.
/// `None` where it names none, or is no such token at all.
///
/// # Errors
///
/// [`InvalidToken::Malformed`] where the payload has a member twice, so that two readers may find two issuers.
pub fn claimed_issuer(text: &[u8]) -> Result<Option<String>, InvalidToken> {
    if text.len() > TOKEN_BYTES_MAX || !looks_like_token(text) {
        return Ok(None);
    }
    let payload = text.split(|byte| *byte == b'.').nth(1).unwrap_or_default();
    let Ok(payload) = URL_SAFE_NO_PAD.decode(payload) else { return Ok(None) };
    match parse_strict(&payload) {
        Ok(claims) => Ok(claims.get("iss").and_then(Value::as_str).map(str::to_owned)),
        Err(_) if serde_json::from_slice::<Map<String, Value>>(&payload).is_ok() => Err(InvalidToken::Malformed),
        Err(_) => Ok(None),
    }
}

/// A token whose header was read. Its signature is not verified.
#[derive(Clone)]
pub struct SignedToken<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    payload: &'a str,
    pub(super) message: &'a str,
    pub(super) signature: &'a str,
}

/// Nothing of the payload or the signature.
impl fmt::Debug for SignedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedToken")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// Why a text is no token, for the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Over [`TOKEN_BYTES_MAX`].
    #[error("a token over {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// Not three parts of base64url without padding, or no JSON objects in them.
    #[error("a token that is not in the compact form, or whose parts are no JSON objects")]
    Malformed,
    /// The algorithm is `none`, unknown or missing.
    #[error("an algorithm that is not supported")]
    Algorithm,
    /// The header brings a key, or the address of one.
    #[error("a header that brings its own key")]
    OwnKey,
    /// The header names an extension that must be understood.
    #[error("a critical extension")]
    Critical,
}

impl<'a> SignedToken<'a> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`].
    pub fn parse(text: &'a [u8]) -> Result<Self, InvalidToken> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(InvalidToken::TooLong);
        }
        if !looks_like_token(text) {
            return Err(InvalidToken::Malformed);
        }
        let text = std::str::from_utf8(text).map_err(|_| InvalidToken::Malformed)?;
        let (message, signature) = text.rsplit_once('.').ok_or(InvalidToken::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(InvalidToken::Malformed)?;
        let header = object(header)?;
        // Canonical base64url only, so that no two texts are the same token.
        URL_SAFE_NO_PAD.decode(signature).map_err(|_| InvalidToken::Malformed)?;
        URL_SAFE_NO_PAD.decode(payload).map_err(|_| InvalidToken::Malformed)?;
        if KEY_PARAMETERS.iter().any(|name| header.contains_key(*name)) {
            return Err(InvalidToken::OwnKey);
        }
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(InvalidToken::Critical);
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::parse);
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(InvalidToken::Malformed),
        };
        let algorithm = algorithm.ok_or(InvalidToken::Algorithm)?;
        Ok(Self { algorithm, kid, payload, message, signature })
    }

    /// The algorithm that the token claims; whether it may be used is not the token's to say.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Which key signed, as the token says.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The claims, verified or not.
    ///
    /// # Errors
    ///
    /// [`InvalidToken::Malformed`] where the payload is no JSON object, or has a member twice.
    pub fn claims(&self) -> Result<Map<String, Value>, InvalidToken> {
        object(self.payload)
    }
}

fn object(part: &str) -> Result<Map<String, Value>, InvalidToken> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidToken::Malformed)?;
    match parse_strict(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(InvalidToken::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::{InvalidToken, SignedToken, TOKEN_BYTES_MAX, claimed_issuer};

    fn refusal(header: &str, payload: &str) -> Option<InvalidToken> {
        let [header, payload] = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
        let text = format!("{header}.{payload}.AAAA");
        let parsed = SignedToken::parse(text.as_bytes());
        parsed.and_then(|token| token.claims()).err()
    }

    #[test]
    fn a_header_decides_nothing_that_is_the_issuers_to_decide() {
        for (header, expected) in [
            (r#"{"alg":"RS256"}"#, None),
            (r#"{"alg":"RS256","kid":"a","typ":"at+jwt","cty":"x"}"#, None),
            (r#"{"alg":"none"}"#, Some(InvalidToken::Algorithm)),
            (r#"{"alg":"None"}"#, Some(InvalidToken::Algorithm)),
            (r#"{"alg":"rs256"}"#, Some(InvalidToken::Algorithm)),
            (r#"{"alg":["RS256"]}"#, Some(InvalidToken::Algorithm)),
            (r"{}", Some(InvalidToken::Algorithm)),
            (r#"{"alg":"RS256","alg":"RS256"}"#, Some(InvalidToken::Malformed)),
            (r#"{"alg":"RS256","kid":7}"#, Some(InvalidToken::Malformed)),
            (r#"{"alg":"RS256","jwk":{}}"#, Some(InvalidToken::OwnKey)),
            (r#"{"alg":"RS256","jku":"https://a"}"#, Some(InvalidToken::OwnKey)),
            (r#"{"alg":"RS256","x5u":"https://a"}"#, Some(InvalidToken::OwnKey)),
            (r#"{"alg":"RS256","x5c":[]}"#, Some(InvalidToken::OwnKey)),
            (r#"{"alg":"RS256","crit":["exp"],"exp":1}"#, Some(InvalidToken::Critical)),
            (r#"{"alg":"RS256","crit":[]}"#, Some(InvalidToken::Critical)),
            (r#"{"alg":"RS256","b64":false}"#, Some(InvalidToken::Critical)),
            ("[]", Some(InvalidToken::Malformed)),
        ] {
            assert_eq!(refusal(header, "{}"), expected, "{header}");
        }
        for payload in ["[]", "7", "", r#"{"sub":"a","sub":"a"}"#] {
            assert_eq!(refusal(r#"{"alg":"RS256"}"#, payload), Some(InvalidToken::Malformed), "{payload}");
        }
    }

    #[test]
    fn a_payload_names_its_issuer_whatever_the_header_is() {
        let claimed = |header: &str, payload: &str| {
            let [header, payload] = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
            claimed_issuer(format!("{header}.{payload}.AAAA").as_bytes())
        };
        for header in [r#"{"alg":"RS256"}"#, r#"{"alg":"none"}"#, r#"{"alg":"ES512","jwk":{}}"#, "no JSON"] {
            assert_eq!(claimed(header, r#"{"iss":"main","sub":"a"}"#), Ok(Some("main".to_owned())), "{header}");
        }
        for payload in [r#"{"iss":7}"#, r#"{"sub":"a"}"#, "[]", "no JSON", ""] {
            assert_eq!(claimed("{}", payload), Ok(None), "{payload}");
        }
        assert_eq!(claimed("{}", r#"{"iss":"main","iss":"other"}"#), Err(InvalidToken::Malformed));
        for text in ["opaque", "a.b", "a.e30.", "a.e3.b"] {
            assert_eq!(claimed_issuer(text.as_bytes()), Ok(None), "{text}");
        }
    }

    #[test]
    fn only_the_compact_form_is_a_token() {
        let long = "A".repeat(TOKEN_BYTES_MAX + 1);
        assert_eq!(SignedToken::parse(long.as_bytes()).err(), Some(InvalidToken::TooLong));
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
        assert!(SignedToken::parse(format!("{header}.e30.AAAA").as_bytes()).is_ok());
        for wrong in [
            format!("{header}.e30"),
            format!("{header}.e30."),
            format!("{header}.e30.AAAA.AAAA.AAAA"),
            format!("{header}=.e30.AAAA"),
            format!("{header}.e30.AA+A"),
            // The same bytes in another spelling: bits that belong to no byte are set.
            format!("{header}.e30.AAB"),
            format!("{header}.e31.AAAA"),
            "..".to_owned(),
        ] {
            assert_eq!(SignedToken::parse(wrong.as_bytes()).err(), Some(InvalidToken::Malformed), "{wrong}");
        }
    }
}
