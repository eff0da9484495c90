//! Which hosts and addresses may be connected to. Pure: no network, no clock.

mod address;
mod runtime_api;
mod target_hosts;

use std::net::{IpAddr, SocketAddr};

use crate::settings::{InvalidSettings, OutboundSettings};
use address::{Class, classes};
pub(crate) use runtime_api::{RuntimeApi, RuntimeHost};
use target_hosts::TargetHosts;

/// Why a host or an address is not connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{address} is {class}")]
    Address { address: IpAddr, class: Class },
    #[error("{0} is the Runtime API")]
    RuntimeApi(SocketAddr),
    #[error("the Runtime API's host cannot be resolved, and {0} has its port")]
    PerhapsRuntimeApi(SocketAddr),
    #[error("{0} is none of the target hosts")]
    Host(String),
}

/// The rules.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    allow_loopback: bool,
    runtime_api: Option<RuntimeApi>,
    target_hosts: Option<TargetHosts>,
}

impl Guard {
    /// Compiles the rules.
    pub(crate) fn new(settings: OutboundSettings) -> Result<Self, InvalidSettings> {
        Ok(Self {
            allow_loopback: settings.allow_loopback,
            runtime_api: settings.runtime_api.as_deref().map(RuntimeApi::parse).transpose()?,
            target_hosts: settings.target_hosts.map(TargetHosts::new),
        })
    }

    /// Whether the operator's list lets the host through; `host` is lower case, IPv6 in brackets.
    pub(crate) fn check_host(&self, host: &str) -> Result<(), Refused> {
        match &self.target_hosts {
            Some(hosts) if !hosts.contain(host) => Err(Refused::Host(host.to_owned())),
            _ => Ok(()),
        }
    }

    /// Whether all addresses of a host may be connected to: one that may not refuses the host.
    pub(crate) fn check_addresses(&self, addresses: &[SocketAddr]) -> Result<(), Refused> {
        addresses.iter().try_for_each(|address| self.check_address(address.ip()))
    }

    /// The Runtime API, if that is its port: then [`RuntimeApi::check`] has to be asked too.
    pub(crate) fn runtime_api_on(&self, port: u16) -> Option<&RuntimeApi> {
        self.runtime_api.as_ref().filter(|api| api.port() == port)
    }

    fn check_address(&self, address: IpAddr) -> Result<(), Refused> {
        let refused = classes(address).find(|class| !(self.allow_loopback && *class == Class::Loopback));
        refused.map_or(Ok(()), |class| Err(Refused::Address { address, class }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Guard, Refused};
    use crate::settings::OutboundSettings;

    fn guard(allow_loopback: bool) -> Guard {
        Guard::new(OutboundSettings { allow_loopback, ..OutboundSettings::default() }).expect("settings")
    }

    #[test]
    fn one_refused_address_refuses_the_name() {
        let addresses = ["10.0.0.1:80", "169.254.169.254:80"].map(|address| address.parse().expect("address"));
        assert!(guard(true).check_addresses(&addresses[..1]).is_ok());
        assert!(matches!(guard(true).check_addresses(&addresses), Err(Refused::Address { .. })));
    }

    #[test]
    fn the_switch_lifts_loopback_and_nothing_else() {
        for address in ["127.0.0.1:1", "127.255.0.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "[64:ff9b::7f00:1]:1"] {
            let address = [address.parse().expect("address")];
            assert!(guard(false).check_addresses(&address).is_err(), "{address:?}");
            assert!(guard(true).check_addresses(&address).is_ok(), "{address:?}");
        }
        for address in ["0.0.0.0:1", "[::]:1", "169.254.0.1:1", "[::ffff:0.0.0.0]:1", "[fd00:ec2::254]:1"] {
            let address = [address.parse().expect("address")];
            assert!(guard(true).check_addresses(&address).is_err(), "{address:?}");
        }
    }
}
