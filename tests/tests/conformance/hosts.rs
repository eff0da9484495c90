//! Hostnames of listeners and routes: what they have in common.

/// A hostname as the Gateway API writes it; an absent one is any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hosts {
    Any,
    /// `*.` and this suffix, which begins with a dot.
    Wildcard(String),
    Exact(String),
}

impl Hosts {
    pub(crate) fn parse(hostname: Option<&str>) -> Self {
        match hostname {
            None | Some("") => Self::Any,
            Some(name) => match name.strip_prefix('*') {
                Some(suffix) => Self::Wildcard(suffix.to_ascii_lowercase()),
                None => Self::Exact(name.to_ascii_lowercase()),
            },
        }
    }

    /// As a document writes it; `None` for any.
    pub(crate) fn written(&self) -> Option<String> {
        match self {
            Self::Any => None,
            Self::Wildcard(suffix) => Some(format!("*{suffix}")),
            Self::Exact(name) => Some(name.clone()),
        }
    }

    /// Whether every host of `other` is one of these.
    pub(crate) fn cover(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Wildcard(suffix), Self::Exact(name)) => name.len() > suffix.len() && name.ends_with(suffix),
            (Self::Wildcard(suffix), Self::Wildcard(longer)) => longer.ends_with(suffix),
            (Self::Exact(name), Self::Exact(other)) => name == other,
            (Self::Wildcard(_), Self::Any) | (Self::Exact(_), Self::Any | Self::Wildcard(_)) => false,
        }
    }

    /// The hosts that are both in these and in `other`: two patterns have nothing in common, or one covers the other.
    pub(crate) fn intersection(&self, other: &Self) -> Option<Self> {
        if self.cover(other) {
            Some(other.clone())
        } else if other.cover(self) {
            Some(self.clone())
        } else {
            None
        }
    }
}

/// The hosts that a route with these hostnames has on a listener, of which `others` share the port: what both have
/// in common, without what a more specific listener takes.
pub(crate) fn on_listener(hostnames: &[String], listener: &Hosts, others: &[Hosts]) -> Vec<Hosts> {
    let any = [Hosts::Any];
    let named: Vec<Hosts> = hostnames.iter().map(|name| Hosts::parse(Some(name))).collect();
    let route: &[Hosts] = if named.is_empty() { &any } else { &named };
    let taken =
        |hosts: &Hosts| others.iter().any(|other| other != listener && listener.cover(other) && other.cover(hosts));
    route.iter().filter_map(|hosts| hosts.intersection(listener)).filter(|hosts| !taken(hosts)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Hosts, on_listener};

    #[test]
    fn patterns_have_the_narrower_one_in_common_or_nothing() {
        for (one, other, common) in [
            (None, Some("a.b"), Some("a.b")),
            (Some("*.b"), Some("a.b"), Some("a.b")),
            (Some("*.b"), Some("*.a.b"), Some("*.a.b")),
            (Some("*.b"), Some("b"), None),
            (Some("a.b"), Some("c.b"), None),
        ] {
            let (one, other) = (Hosts::parse(one), Hosts::parse(other));
            let common = common.map(|name| Hosts::parse(Some(name)));
            assert_eq!(one.intersection(&other), common);
            assert_eq!(other.intersection(&one), common);
        }
    }

    #[test]
    fn a_more_specific_listener_takes_its_hosts_away() {
        let listeners = [None, Some("*.example.com"), Some("*.foo.example.com")].map(Hosts::parse);
        let route = ["bar.com", "*.example.com", "a.foo.example.com"].map(str::to_owned);
        let written = |listener: &Hosts| {
            on_listener(&route, listener, &listeners).iter().filter_map(Hosts::written).collect::<Vec<_>>()
        };
        assert_eq!(written(&listeners[0]), ["bar.com"]);
        assert_eq!(written(&listeners[1]), ["*.example.com"]);
        assert_eq!(written(&listeners[2]), ["*.foo.example.com", "a.foo.example.com"]);
    }
}
