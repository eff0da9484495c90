//! Phase *access*: addresses and sizes, before any IO.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;

use crate::{
    diagnostic::{Place, codes},
    problem::{Code, Problem},
};

/// Which addresses and sizes a route lets in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// Addresses or CIDR blocks that may call; empty: all.
    #[cfg_attr(feature = "schema", schemars(length(max = 1000)))]
    pub allow: Vec<String>,
    /// Addresses or CIDR blocks that may not; wins over `allow`.
    #[cfg_attr(feature = "schema", schemars(length(max = 1000)))]
    pub deny: Vec<String>,
    /// The longest request body in bytes.
    #[cfg_attr(feature = "schema", schemars(range(max = 6_291_456)))]
    pub body_bytes_max: u32,
}

impl Default for Access {
    fn default() -> Self {
        Self { allow: Vec::new(), deny: Vec::new(), body_bytes_max: 4_500_000 }
    }
}

/// [`Access`], compiled.
#[derive(Clone, Debug)]
pub struct AccessPolicy {
    allow: Box<[IpNet]>,
    deny: Box<[IpNet]>,
    body_bytes_max: usize,
}

impl Access {
    /// Reads the blocks.
    pub fn compile(&self, place: &mut Place<'_>) -> AccessPolicy {
        AccessPolicy {
            allow: blocks(&self.allow, &mut place.at("allow")),
            deny: blocks(&self.deny, &mut place.at("deny")),
            body_bytes_max: self.body_bytes_max as usize,
        }
    }
}

fn blocks(texts: &[String], place: &mut Place<'_>) -> Box<[IpNet]> {
    let mut blocks = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(block) => blocks.push(canonical(block)),
            Err(_) => place.at(index).error_with_hint(
                codes::INVALID_VALUE,
                format!("`{text}` is neither an address nor a CIDR block"),
                "write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32",
            ),
        }
    }
    blocks.into()
}

/// An IPv4 block in IPv6 clothes is the IPv4 block, as an address is.
fn canonical(block: IpNet) -> IpNet {
    let IpNet::V6(six) = block else { return block };
    let Some(prefix) = six.prefix_len().checked_sub(96) else { return block };
    six.addr().to_ipv4_mapped().and_then(|four| Ipv4Net::new(four, prefix).ok()).map_or(block, IpNet::V4)
}

impl AccessPolicy {
    /// Whether a caller from this address may send a body of this many bytes.
    ///
    /// # Errors
    ///
    /// [`Code::AccessDenied`] for the address (also an unknown one where there is a list) and
    /// [`Code::RequestTooLarge`] for the body.
    pub fn check(&self, address: Option<IpAddr>, body_bytes: usize) -> Result<(), Problem> {
        // An IPv4 address in IPv6 clothes is the IPv4 address.
        let address = address.map(|address| address.to_canonical());
        let within =
            |blocks: &[IpNet]| address.is_some_and(|address| blocks.iter().any(|block| block.contains(&address)));
        let denied = within(&self.deny) || (!self.deny.is_empty() && address.is_none());
        if denied || (!self.allow.is_empty() && !within(&self.allow)) {
            let address = address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
            return Err(Problem::new(Code::AccessDenied, "this address may not call this route")
                .caused_by(format!("access list refuses {address}")));
        }
        if body_bytes > self.body_bytes_max {
            let detail = format!("the body may have {} bytes", self.body_bytes_max);
            return Err(Problem::new(Code::RequestTooLarge, detail).caused_by(format!("{body_bytes} bytes of body")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Access;
    use crate::{diagnostic::Report, problem::Code};

    fn check(allow: &[&str], deny: &[&str], address: &str) -> Result<(), Code> {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let access = Access { allow: list(allow), deny: list(deny), ..Access::default() };
        let mut report = Report::default();
        let policy = access.compile(&mut report.entry("route", "r"));
        assert!(report.is_empty());
        policy.check(address.parse().ok(), 0).map_err(|problem| problem.code)
    }

    #[test]
    fn deny_wins_and_an_empty_allow_is_everybody() {
        assert_eq!(check(&[], &[], "198.51.100.1"), Ok(()));
        assert_eq!(check(&["198.51.100.0/24"], &[], "198.51.100.1"), Ok(()));
        assert_eq!(check(&["198.51.100.0/24"], &[], "203.0.113.1"), Err(Code::AccessDenied));
        assert_eq!(check(&["198.51.100.0/24"], &["198.51.100.1"], "198.51.100.1"), Err(Code::AccessDenied));
        assert_eq!(check(&[], &["198.51.100.1"], "::ffff:198.51.100.1"), Err(Code::AccessDenied));
        assert_eq!(check(&[], &["::ffff:198.51.100.0/120"], "198.51.100.7"), Err(Code::AccessDenied));
        assert_eq!(check(&[], &["2001:db8::/32"], "2001:db8::9"), Err(Code::AccessDenied));
    }

    #[test]
    fn an_unknown_address_passes_only_where_there_is_no_list() {
        assert_eq!(check(&[], &[], "?"), Ok(()));
        assert_eq!(check(&["198.51.100.0/24"], &[], "?"), Err(Code::AccessDenied));
        assert_eq!(check(&[], &["198.51.100.0/24"], "?"), Err(Code::AccessDenied));
    }

    #[test]
    fn a_body_over_the_bound_is_too_large() {
        let mut report = Report::default();
        let policy = Access { body_bytes_max: 10, ..Access::default() }.compile(&mut report.entry("route", "r"));
        assert!(policy.check(None, 10).is_ok());
        assert_eq!(policy.check(None, 11).map_err(|problem| problem.code), Err(Code::RequestTooLarge));
    }

    #[test]
    fn every_bad_block_is_reported_at_its_place() {
        let mut report = Report::default();
        let access = Access { allow: vec!["10.0.0.0/33".into(), "10.0.0.0/8".into(), "x".into()], ..Access::default() };
        access.compile(&mut report.entry("route", "r").at("access"));
        let pointers: Vec<_> = report.into_diagnostics().into_iter().map(|found| found.pointer).collect();
        assert_eq!(pointers, ["/access/allow/0", "/access/allow/2"]);
    }
}
