//! Phase *edge*: the secret of the CDN in front, checked before any IO, and the two headers it sets.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use serde::Deserialize;

use crate::{
    diagnostic::{Place, codes},
    problem::{Code, Problem},
    secret::{SecretRef, SecretValue},
};

/// The edge in front of the function URL (CloudFront), as `settings.edge`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// What proves that a request came through the edge.
    pub secret: EdgeSecret,
    /// The header in which the edge puts the client's address.
    #[serde(default = "client_address_header")]
    pub client_address_header: String,
    /// The header in which the edge puts the host that the client asked for.
    #[serde(default = "host_header")]
    pub host_header: String,
}

/// The secret that the edge adds to each request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EdgeSecret {
    /// The header that carries it.
    #[serde(default = "secret_header")]
    pub header: String,
    /// One or two values, for rotation; each at least 32 bytes.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 2)))]
    pub values: Vec<SecretRef>,
}

fn client_address_header() -> String {
    "x-faregate-client-address".to_owned()
}

fn host_header() -> String {
    "x-faregate-host".to_owned()
}

fn secret_header() -> String {
    "x-faregate-edge".to_owned()
}

/// Shortest edge secret in bytes (SECURITY.md 12).
pub const EDGE_SECRET_BYTES_MIN: usize = 32;

/// [`Edge`], compiled.
#[derive(Clone, Debug)]
pub struct EdgePolicy {
    /// Carries the secret.
    pub secret_header: HeaderName,
    /// Where the values are.
    pub values: Box<[SecretRef]>,
    client_address_header: HeaderName,
    host_header: HeaderName,
}

/// What the edge vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeFacts {
    /// The client's address.
    pub address: IpAddr,
    /// The host that the client asked for.
    pub host: String,
}

impl Edge {
    /// Reads the header names.
    pub fn compile(&self, place: &mut Place<'_>) -> Option<EdgePolicy> {
        let mut secret = place.at("secret");
        let secret_header = header_name(&self.secret.header, &mut secret.at("header"));
        if !(1..=2).contains(&self.secret.values.len()) {
            secret.at("values").error(codes::INVALID_VALUE, "one or two values are needed");
        }
        let client_address_header = header_name(&self.client_address_header, &mut place.at("client_address_header"));
        let host_header = header_name(&self.host_header, &mut place.at("host_header"));
        let policy = EdgePolicy {
            secret_header: secret_header?,
            values: self.secret.values.clone().into(),
            client_address_header: client_address_header?,
            host_header: host_header?,
        };
        let [a, b, c] = [&policy.secret_header, &policy.client_address_header, &policy.host_header];
        if a == b || a == c || b == c {
            place.error(codes::CONFLICT, "the three headers of the edge must have three names");
        }
        Some(policy)
    }
}

fn header_name(text: &str, place: &mut Place<'_>) -> Option<HeaderName> {
    let name = text.parse().ok();
    if name.is_none() {
        place.error(codes::INVALID_VALUE, format!("`{text}` is no header name"));
    }
    name
}

impl EdgePolicy {
    /// The headers that only the edge may set; no backend gets them.
    pub fn headers(&self) -> [&HeaderName; 3] {
        [&self.secret_header, &self.client_address_header, &self.host_header]
    }

    /// What the request has for a secret: without one there is nothing to compare, and no secret is read.
    ///
    /// # Errors
    ///
    /// [`Code::AccessDenied`] where there is none, or more than one.
    pub fn presented<'a>(&self, headers: &'a HeaderMap) -> Result<&'a [u8], Problem> {
        single(headers, &self.secret_header).ok_or_else(|| denied("no edge secret"))
    }

    /// Checks the secret, then reads what the edge says.
    ///
    /// # Errors
    ///
    /// [`Code::AccessDenied`] without the secret, with a wrong one, or without two well-formed headers.
    pub fn check(&self, headers: &HeaderMap, secrets: &[SecretValue]) -> Result<EdgeFacts, Problem> {
        let presented = self.presented(headers)?;
        if secrets.iter().all(|secret| secret.byte_len() < EDGE_SECRET_BYTES_MIN) {
            return Err(denied("no edge secret has 32 bytes"));
        }
        if !proves(presented, secrets) {
            return Err(denied("wrong edge secret"));
        }
        let text = |name| single(headers, name).and_then(|value| std::str::from_utf8(value).ok()).map(str::trim);
        let address = text(&self.client_address_header).and_then(|text| text.parse().ok());
        let host = text(&self.host_header).filter(|host| is_host(host));
        match (address, host) {
            (Some(address), Some(host)) => Ok(EdgeFacts { address, host: host.to_owned() }),
            (None, _) => Err(denied("the edge's address header is missing or malformed")),
            (_, None) => Err(denied("the edge's host header is missing or malformed")),
        }
    }
}

/// Whether what the request presented is one of the secrets, of those that are long enough to count.
///
/// Every value is compared, so that the time says nothing about which one matched.
#[must_use]
pub fn proves(presented: &[u8], secrets: &[SecretValue]) -> bool {
    secrets
        .iter()
        .filter(|secret| secret.byte_len() >= EDGE_SECRET_BYTES_MIN)
        .fold(false, |matched, secret| matched | secret.matches(presented))
}

fn denied(cause: &str) -> Problem {
    Problem::new(Code::AccessDenied, "this gateway is reached by another address").caused_by(cause)
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.as_bytes())
}

fn is_host(host: &str) -> bool {
    host.parse::<http::uri::Authority>().is_ok_and(|authority| {
        let text = authority.as_str();
        !text.contains('@') && (text == authority.host() || authority.port_u16().is_some())
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{Edge, EdgeFacts, EdgePolicy};
    use crate::{diagnostic::Report, problem::Code, secret::SecretValue};

    fn policy() -> EdgePolicy {
        let edge: Edge =
            serde_json::from_str(r#"{"secret": {"values": [{"ssm": "/faregate/edge"}]}}"#).expect("an edge");
        edge.compile(&mut Report::default().entry("settings", "gateway")).expect("a policy")
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn only_the_secret_makes_the_headers_believed() {
        let secret = "0123456789abcdef0123456789abcdef";
        let secrets = [SecretValue::new(secret).expect("a secret")];
        let whole = [
            ("x-faregate-edge", secret),
            ("x-faregate-client-address", "203.0.113.9"),
            ("x-faregate-host", "api.example.com"),
        ];
        let facts = EdgeFacts { address: [203, 0, 113, 9].into(), host: "api.example.com".into() };
        assert_eq!(policy().check(&headers(&whole), &secrets), Ok(facts));
        for missing in 0..3 {
            let mut pairs = whole.to_vec();
            pairs.remove(missing);
            let refused = policy().check(&headers(&pairs), &secrets);
            assert_eq!(
                refused.map_err(|problem| problem.code),
                Err(Code::AccessDenied),
                "without {}",
                whole[missing].0
            );
        }
        assert!(policy().check(&headers(&whole), &[]).is_err());
        for (host, is_one) in
            [("a:99999", false), ("a:", false), ("a:b", false), ("u@a", false), ("", false), ("[::1]:8443", true)]
        {
            let sent = headers(&[whole[0], whole[1], ("x-faregate-host", host)]);
            assert_eq!(policy().check(&sent, &secrets).is_ok(), is_one, "{host}");
        }
    }

    #[test]
    fn a_short_secret_proves_nothing() {
        let secrets = [SecretValue::new("short").expect("a secret")];
        let whole = headers(&[
            ("x-faregate-edge", "short"),
            ("x-faregate-client-address", "203.0.113.9"),
            ("x-faregate-host", "api.example.com"),
        ]);
        assert!(policy().check(&whole, &secrets).is_err());
    }
}
