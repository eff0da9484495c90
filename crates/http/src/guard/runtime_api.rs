//! The Lambda Runtime API: whoever reaches it answers other clients' requests.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use super::Refused;
use super::address::faces;
use crate::settings::InvalidSettings;

/// Where the Runtime API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuntimeApi {
    host: RuntimeHost,
    port: u16,
}

/// Its host; a name has to be resolved when a target has its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RuntimeHost {
    Address(IpAddr),
    Name(String),
}

impl RuntimeApi {
    /// Reads an authority; a scheme before it and a path after it do not count.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidSettings> {
        let invalid = || InvalidSettings::RuntimeApi(text.to_owned());
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let url = Url::parse(&format!("http://{authority}/")).map_err(|_| invalid())?;
        let host = match url.host().ok_or_else(invalid)? {
            Host::Ipv4(address) => RuntimeHost::Address(address.into()),
            Host::Ipv6(address) => RuntimeHost::Address(address.into()),
            Host::Domain(name) => RuntimeHost::Name(name.to_owned()),
        };
        Ok(Self { host, port: url.port().unwrap_or(80) })
    }

    /// Its host.
    pub(crate) fn host(&self) -> &RuntimeHost {
        &self.host
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Refuses addresses that reach it; `own` is what its host stands for.
    ///
    /// A listener on one local address may be bound to all, so that any of them reaches it.
    pub(crate) fn check(&self, addresses: &[SocketAddr], own: &[IpAddr]) -> Result<(), Refused> {
        let reached = addresses
            .iter()
            .find(|address| address.port() == self.port && own.iter().any(|own| same_machine(address.ip(), *own)));
        reached.map_or(Ok(()), |address| Err(Refused::RuntimeApi(*address)))
    }
}

fn same_machine(one: IpAddr, other: IpAddr) -> bool {
    faces(one).any(|one| faces(other).any(|other| one == other || (is_local(one) && is_local(other))))
}

fn is_local(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::{RuntimeApi, RuntimeHost};

    #[test]
    fn an_authority_is_read_in_every_form_that_emulators_set() {
        for (text, host, port) in [
            ("127.0.0.1:9001", "127.0.0.1", 9001),
            ("169.254.100.1:9001", "169.254.100.1", 9001),
            ("127.1:9001", "127.0.0.1", 9001),
            ("127.0.0.1", "127.0.0.1", 80),
            ("[::1]:9000/gateway", "::1", 9000),
            ("http://0x7f000001:9000/gateway", "127.0.0.1", 9000),
        ] {
            let api = RuntimeApi::parse(text).expect(text);
            assert_eq!(*api.host(), RuntimeHost::Address(host.parse().expect("address")), "{text}");
            assert_eq!(api.port(), port, "{text}");
        }
        let api = RuntimeApi::parse("Sandbox.localdomain:9001").expect("name");
        assert_eq!(*api.host(), RuntimeHost::Name("sandbox.localdomain".to_owned()));
        for text in ["", ":9001", "http://", "a b:1", "host:99999"] {
            assert!(RuntimeApi::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_refused_on_its_own_port_only_and_through_every_local_address() {
        let api = RuntimeApi::parse("127.0.0.1:9001").expect("authority");
        let own = ["127.0.0.1".parse().expect("address")];
        for (address, refused) in [
            ("127.0.0.1:9001", true),
            ("127.0.0.2:9001", true),
            ("0.0.0.0:9001", true),
            ("[::1]:9001", true),
            ("[::]:9001", true),
            ("[::ffff:127.0.0.1]:9001", true),
            ("[::127.0.0.1]:9001", true),
            ("[64:ff9b::7f00:1]:9001", true),
            ("127.0.0.1:9002", false),
            ("10.0.0.1:9001", false),
        ] {
            let address = [address.parse().expect("address")];
            assert_eq!(api.check(&address, &own).is_err(), refused, "{address:?}");
        }
    }

    #[test]
    fn it_is_refused_at_an_address_that_is_not_local_too() {
        let api = RuntimeApi::parse("10.0.0.5:9001").expect("authority");
        let own = ["10.0.0.5".parse().expect("address")];
        for (address, refused) in [
            ("10.0.0.5:9001", true),
            ("[::ffff:10.0.0.5]:9001", true),
            ("10.0.0.6:9001", false),
            ("127.0.0.1:9001", false),
        ] {
            let address = [address.parse().expect("address")];
            assert_eq!(api.check(&address, &own).is_err(), refused, "{address:?}");
        }
    }
}
