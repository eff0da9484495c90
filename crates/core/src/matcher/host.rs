//! Hosts that a route answers to.

use std::fmt;

/// A host pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// Every host.
    Any,
    /// This host, in lower case.
    Exact(Box<str>),
    /// One or more labels before this suffix, which begins with a dot.
    Wildcard(Box<str>),
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any host"),
            Self::Exact(host) => f.write_str(host),
            Self::Wildcard(suffix) => write!(f, "*{suffix}"),
        }
    }
}

/// Why a text is no host pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host is a name or an address without a port, or `*.` and a name")]
pub struct InvalidHost;

impl HostPattern {
    /// Reads `api.example.com` or `*.example.org`, in any case.
    ///
    /// # Errors
    ///
    /// [`InvalidHost`] for ports, other stars, empty labels and characters that no host has.
    pub fn parse(text: &str) -> Result<Self, InvalidHost> {
        let text = text.to_ascii_lowercase();
        if text.starts_with('[') {
            return text
                .parse::<http::uri::Authority>()
                .ok()
                .filter(|authority| authority.port().is_none())
                .map(|_| Self::Exact(text.into()))
                .ok_or(InvalidHost);
        }
        let name = text.strip_prefix("*.").unwrap_or(&text);
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if name.len() > 253 || !name.split('.').all(is_label) {
            return Err(InvalidHost);
        }
        Ok(match text.strip_prefix('*') {
            Some(suffix) => Self::Wildcard(suffix.into()),
            None => Self::Exact(text.into()),
        })
    }

    /// Whether a host, in lower case and without a port, fits.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => **name == *host,
            Self::Wildcard(suffix) => host.strip_suffix(&**suffix).is_some_and(|labels| !labels.is_empty()),
        }
    }
}

/// A host as the matcher wants it: lower case, without a port or a final dot.
#[must_use]
pub fn canonical(host: &str) -> String {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    without_port.strip_suffix('.').unwrap_or(without_port).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{HostPattern, canonical};

    #[test]
    fn a_star_is_one_or_more_labels() {
        let wildcard = HostPattern::parse("*.Example.org").expect("a pattern");
        for (host, fits) in [
            ("a.example.org", true),
            ("a.b.example.org", true),
            ("example.org", false),
            (".example.org", false),
            ("aexample.org", false),
        ] {
            assert_eq!(wildcard.matches(host), fits, "{host}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "*", "*.", "a..b", "a:80", "a/b", "a.*.b", "*a.b", "a b", "[::1]:80"] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
        assert!(HostPattern::parse("[::1]").is_ok());
    }

    #[test]
    fn port_case_and_final_dot_do_not_matter() {
        for (host, name) in [
            ("API.example.com:443", "api.example.com"),
            ("a.b.", "a.b"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("a:", "a"),
        ] {
            assert_eq!(canonical(host), name);
        }
    }
}
