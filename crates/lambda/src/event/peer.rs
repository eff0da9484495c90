//! Addresses in `x-forwarded-for`.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

/// The addresses that the header lists, nearest last.
///
/// An entry that is no address ends the list: skipping it would let everything before it, which the client may have
/// made up, count for a nearer hop.
pub(super) fn forwarded_for(headers: &HeaderMap) -> Vec<IpAddr> {
    let values: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    let entries = values.iter().rev().flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    let mut addresses: Vec<_> = entries.map_while(address).collect();
    addresses.reverse();
    addresses
}

/// Those of `addresses` that come before the connecting one; all if it is not among them.
pub(super) fn before(mut addresses: Vec<IpAddr>, connecting: Option<IpAddr>) -> Vec<IpAddr> {
    if let Some(at) = addresses.iter().rposition(|address| Some(*address) == connecting) {
        addresses.truncate(at);
    }
    addresses
}

/// An address, with or without a port: load balancers can be told to add the client's.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let entry = str::from_utf8(entry).ok()?.trim();
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    entry.parse().ok().or_else(|| entry.parse().ok().map(|with_port: SocketAddr| with_port.ip())).or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::{HeaderMap, HeaderValue};

    use super::{before, forwarded_for};

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn a_list_is_read_from_the_right_up_to_what_is_no_address() {
        for (values, expected) in [
            (&[][..], &[][..]),
            (&["192.0.2.1"], &["192.0.2.1"]),
            (&["192.0.2.1,  2001:db8::1"], &["192.0.2.1", "2001:db8::1"]),
            (&["192.0.2.1:443, [2001:db8::1]:443, [2001:db8::2]"], &["192.0.2.1", "2001:db8::1", "2001:db8::2"]),
            (&["192.0.2.1", "192.0.2.2, 192.0.2.3"], &["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
            (&["192.0.2.1, unknown, 192.0.2.3"], &["192.0.2.3"]),
            (&["192.0.2.1, , 192.0.2.3"], &["192.0.2.3"]),
            (&["192.0.2.1, unknown"], &[]),
            (&["192.0.2.1", ""], &[]),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forwarded-for", HeaderValue::from_static(value));
            }
            assert_eq!(forwarded_for(&headers), addresses(expected), "{values:?}");
        }
    }

    #[test]
    fn the_connecting_address_and_what_is_nearer_is_cut_off() {
        let list = || addresses(&["192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"]);
        let connecting = |text: &str| Some(text.parse().expect("an address"));
        assert_eq!(before(list(), connecting("192.0.2.1")), addresses(&["192.0.2.1", "192.0.2.2"]));
        assert_eq!(before(list(), connecting("192.0.2.9")), list());
        assert_eq!(before(list(), None), list());
    }
}
