//! Where a URL leads: a scheme and an authority, in the one spelling that is connected to.

use std::{fmt, str::FromStr};

use http::uri::{Authority, Scheme};
use url::Url;

/// `http` or `https`, and an authority. The host is canonical (`0x7f000001` is `127.0.0.1`), and the scheme's own port is
/// left out. A clone shares the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    authority: Authority,
}

/// Why something is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: {cause}")]
pub struct InvalidOrigin {
    text: String,
    cause: String,
}

impl Origin {
    /// The origin of a URL.
    ///
    /// # Errors
    ///
    /// [`InvalidOrigin`] for other schemes and for what has no host.
    pub fn of(url: &Url) -> Result<Self, InvalidOrigin> {
        let invalid = |cause: String| InvalidOrigin { text: url.as_str().to_owned(), cause };
        let scheme = match url.scheme() {
            "https" => Scheme::HTTPS,
            "http" => Scheme::HTTP,
            _ => return Err(invalid("neither http:// nor https://".to_owned())),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| invalid("no host".to_owned()))?;
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let authority = Authority::try_from(authority).map_err(|error| invalid(error.to_string()))?;
        Ok(Self { scheme, authority })
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// `host[:port]`.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

impl PartialEq<&str> for Origin {
    fn eq(&self, other: &&str) -> bool {
        other.parse().is_ok_and(|other: Self| *self == other)
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    /// Reads `scheme://authority` and nothing more.
    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let invalid = |cause: String| InvalidOrigin { text: text.to_owned(), cause };
        let is_known = |scheme: &str| ["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
        let Some((_, authority)) = text.split_once("://").filter(|(scheme, _)| is_known(scheme)) else {
            return Err(invalid("neither http:// nor https://".to_owned()));
        };
        // What the URL parser would skip, turn into a slash or take for the end of the authority.
        let is_foreign = |byte: u8| byte <= b' ' || matches!(byte, b'/' | b'\\' | b'?' | b'#' | b'@' | 0x7f);
        if authority.bytes().any(is_foreign) {
            return Err(invalid("more than a scheme and an authority".to_owned()));
        }
        Self::of(&Url::parse(text).map_err(|error| invalid(error.to_string()))?)
    }
}

#[cfg(test)]
mod tests {
    use super::Origin;

    #[test]
    fn an_origin_is_a_scheme_and_an_authority_in_canonical_form() {
        for (origin, sent) in [
            ("http://Example.COM", "http://example.com"),
            ("HTTPS://example.com:443", "https://example.com"),
            ("https://example.com:80", "https://example.com:80"),
            ("http://127.1:9000", "http://127.0.0.1:9000"),
            ("http://0x7f000001", "http://127.0.0.1"),
            ("http://2130706433", "http://127.0.0.1"),
            ("http://0177.0.0.1", "http://127.0.0.1"),
            ("http://[::FFFF:127.0.0.1]:1", "http://[::ffff:7f00:1]:1"),
            ("http://bücher.example", "http://xn--bcher-kva.example"),
        ] {
            assert_eq!(origin.parse::<Origin>().expect(origin).to_string(), sent);
        }
    }

    #[test]
    fn an_origin_with_anything_more_is_refused() {
        for origin in [
            "",
            "example.com",
            "//example.com",
            "ftp://example.com",
            "file:///etc/passwd",
            "http:example.com",
            "http:\\\\example.com",
            "http://",
            "http://user@example.com",
            "http://user:word@example.com",
            "http://example.com/",
            "http://example.com/a",
            "http://example.com\\@other",
            "http://example.com?a",
            "http://example.com#a",
            "http://exam\tple.com",
            " http://example.com",
            "http://example.com\n",
            "http://exa mple.com",
            "http://example.com:99999",
            "http://example.com:x",
            "http://256.1.1.1",
            "http://[::1",
            "http://a%00b",
        ] {
            let refused = origin.parse::<Origin>();
            assert!(refused.is_err(), "{origin:?}: {refused:?}");
        }
    }
}
