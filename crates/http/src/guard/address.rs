//! What an address is: the classes that no backend lives in, seen through every way of writing IPv4 as IPv6.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A class of addresses that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// `169.254.0.0/16` (metadata and Lambda's own services among them), `fe80::/10`.
    LinkLocal,
    /// `0.0.0.0/8`, which Linux connects to itself, and `::`.
    Unspecified,
    /// `224.0.0.0/4`, `ff00::/8`.
    Multicast,
    /// `255.255.255.255`.
    Broadcast,
    /// `fd00:ec2::/32`: metadata and other services of the instance.
    Metadata,
    /// `64:ff9b:1::/48` (RFC 8215): where the IPv4 address stands in it is the network's own choice.
    LocalTranslation,
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Loopback => "a loopback address",
            Self::LinkLocal => "a link-local address",
            Self::Unspecified => "an unspecified address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "a broadcast address",
            Self::Metadata => "an instance metadata address",
            Self::LocalTranslation => "a locally translated address",
        })
    }
}

/// The refused classes of an address and of those that it stands for.
pub(crate) fn classes(address: IpAddr) -> impl Iterator<Item = Class> {
    faces(address).filter_map(|face| match face {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => class_v6(address),
    })
}

/// The address and the IPv4 addresses that stand in it.
pub(crate) fn faces(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let inner = match address {
        IpAddr::V4(_) => [None, None],
        IpAddr::V6(address) => embedded(address),
    };
    std::iter::once(address).chain(inner.into_iter().flatten().map(IpAddr::V4))
}

fn class_v4(address: Ipv4Addr) -> Option<Class> {
    match address.octets() {
        [0, ..] => Some(Class::Unspecified),
        [127, ..] => Some(Class::Loopback),
        [169, 254, ..] => Some(Class::LinkLocal),
        [224..=239, ..] => Some(Class::Multicast),
        [255, 255, 255, 255] => Some(Class::Broadcast),
        _ => None,
    }
}

fn class_v6(address: Ipv6Addr) -> Option<Class> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(Class::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Class::Loopback),
        [0xfe80..=0xfebf, ..] => Some(Class::LinkLocal),
        [0xff00..=0xffff, ..] => Some(Class::Multicast),
        [0xfd00, 0x0ec2, ..] => Some(Class::Metadata),
        [0x0064, 0xff9b, 1, ..] => Some(Class::LocalTranslation),
        _ => None,
    }
}

/// IPv4 addresses within an IPv6 one. Teredo has two: the server and, inverted, the client.
fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    match address.segments() {
        // `::` and `::1` are classes of their own, not IPv4-compatible addresses.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None, None],
        // IPv4-compatible and mapped (RFC 4291), SIIT (RFC 2765), NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x0064, 0xff9b, 0, 0, 0, 0, high, low]
        // 6to4 (RFC 3056).
        | [0x2002, high, low, ..] => [Some(join(high, low)), None],
        // Teredo (RFC 4380).
        [0x2001, 0, high, low, _, _, client_high, client_low] => {
            [Some(join(high, low)), Some(join(!client_high, !client_low))]
        }
        _ => [None, None],
    }
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::{Class, classes};

    #[test]
    fn every_spelling_of_a_refused_address_is_refused() {
        for (address, class) in [
            ("0.0.0.0", Class::Unspecified),
            ("0.1.2.3", Class::Unspecified),
            ("127.0.0.1", Class::Loopback),
            ("127.255.255.255", Class::Loopback),
            ("169.254.0.0", Class::LinkLocal),
            ("169.254.169.254", Class::LinkLocal),
            ("169.254.100.1", Class::LinkLocal),
            ("169.254.255.255", Class::LinkLocal),
            ("224.0.0.1", Class::Multicast),
            ("239.255.255.255", Class::Multicast),
            ("255.255.255.255", Class::Broadcast),
            ("::", Class::Unspecified),
            ("::1", Class::Loopback),
            ("::2", Class::Unspecified),
            ("fe80::1", Class::LinkLocal),
            ("febf:ffff::1", Class::LinkLocal),
            ("ff02::1", Class::Multicast),
            ("fd00:ec2::254", Class::Metadata),
            ("fd00:ec2::23", Class::Metadata),
            ("fd00:ec2:ffff::1", Class::Metadata),
            ("::ffff:169.254.169.254", Class::LinkLocal),
            ("::ffff:7f00:1", Class::Loopback),
            ("::ffff:0.0.0.0", Class::Unspecified),
            ("::ffff:255.255.255.255", Class::Broadcast),
            ("::127.0.0.1", Class::Loopback),
            ("::a9fe:a9fe", Class::LinkLocal),
            ("::ffff:0:169.254.169.254", Class::LinkLocal),
            ("64:ff9b::169.254.169.254", Class::LinkLocal),
            ("64:ff9b::7f00:1", Class::Loopback),
            ("64:ff9b:1::1", Class::LocalTranslation),
            ("64:ff9b:1:a9fe:a9:fe00::", Class::LocalTranslation),
            ("2002:a9fe:a9fe::1", Class::LinkLocal),
            ("2002:7f00:1::", Class::Loopback),
            ("2001:0:7f00:1::", Class::Loopback),
            ("2001:0:808:808:0:0:5601:5601", Class::LinkLocal),
            ("2001:0:808:808:0:0:80ff:fffe", Class::Loopback),
        ] {
            let address = address.parse().expect("address");
            assert!(classes(address).any(|found| found == class), "{address} is not {class:?}");
        }
    }

    #[test]
    fn addresses_where_backends_live_are_not_refused() {
        for address in [
            "1.0.0.1",
            "10.0.0.1",
            "100.64.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.16.0.1",
            "192.168.1.1",
            "223.255.255.255",
            "240.0.0.1",
            "2600:1f18::1",
            "fd00:ec3::254",
            "fd12:3456::1",
            "fec0::1",
            "::ffff:10.0.0.1",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2001:db8::1",
            "2001:0:808:808:0:0:f7f7:f7f7",
        ] {
            let address = address.parse().expect("address");
            assert_eq!(classes(address).next(), None, "{address}");
        }
    }
}
