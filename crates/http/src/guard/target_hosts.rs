//! The operator's own list of hosts that may be sent to.

/// Hosts, exact and by suffix, in lower case and without a final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetHosts {
    exact: Vec<String>,
    /// Each with its leading dot.
    suffixes: Vec<String>,
}

impl TargetHosts {
    /// Reads the list; empty entries do not count.
    pub(crate) fn new(entries: Vec<String>) -> Self {
        let entries = entries.into_iter().map(|entry| plain(&entry.trim().to_ascii_lowercase()).to_owned());
        let (suffixes, exact): (Vec<_>, Vec<_>) =
            entries.filter(|entry| !entry.is_empty()).partition(|entry| entry.starts_with("*."));
        let suffixes = suffixes.into_iter().map(|entry| entry[1..].to_owned()).collect();
        Self { exact, suffixes }
    }

    /// Whether the host is listed.
    pub(crate) fn contain(&self, host: &str) -> bool {
        let host = plain(host);
        self.exact.iter().any(|exact| exact == host)
            || self.suffixes.iter().any(|suffix| host.len() > suffix.len() && host.ends_with(suffix.as_str()))
    }
}

/// Without the final dot of a rooted name and the brackets of an IPv6 address.
fn plain(host: &str) -> &str {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::TargetHosts;

    #[test]
    fn a_host_is_listed_exactly_or_by_whole_labels_before_a_suffix() {
        let entries = ["api.example.com", " *.Internal.example ", "10.0.0.1", "[fd12::1]", ""];
        let hosts = TargetHosts::new(entries.map(str::to_owned).into());
        for (host, listed) in [
            ("api.example.com", true),
            ("api.example.com.", true),
            ("xapi.example.com", false),
            ("example.com", false),
            ("a.internal.example", true),
            ("a.b.internal.example", true),
            ("internal.example", false),
            (".internal.example", false),
            ("evilinternal.example", false),
            ("10.0.0.1", true),
            ("10.0.0.10", false),
            ("[fd12::1]", true),
            ("", false),
        ] {
            assert_eq!(hosts.contain(host), listed, "{host}");
        }
    }

    #[test]
    fn an_empty_list_lists_nothing() {
        assert!(!TargetHosts::new(Vec::new()).contain("example.com"));
    }
}
