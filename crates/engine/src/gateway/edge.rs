//! Phase *edge*: who the client is and which host it asked for.

use std::net::IpAddr;

use faregate_core::{
    matcher::canonical_host,
    policy::edge::{EdgePolicy, proves},
    problem::Problem,
    secret::{SecretRef, SecretValue},
    snapshot::Snapshot,
};
use http::{header, request::Parts};

use super::{Peer, deadline::Deadline, problems::unavailable};
use crate::ports::{SecretError, Secrets};

/// The client, as far as somebody trustworthy vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// Its address.
    pub(super) address: Option<IpAddr>,
    /// The host that it asked for, in lower case and without a port.
    pub(super) host: String,
    /// The host as it was written.
    pub(super) authority: String,
    /// `http` or `https`.
    pub(super) scheme: &'static str,
}

/// Checks the edge's secret where there is an edge; else takes the host's word. What the secret is must be known in the
/// invocation's time.
pub(super) async fn check(
    snapshot: &Snapshot,
    parts: &Parts,
    peer: &Peer,
    secrets: &dyn Secrets,
    deadline: Deadline<'_>,
) -> Result<Client, Problem> {
    let scheme = if parts.uri.scheme_str() == Some("http") { "http" } else { "https" };
    let Some(edge) = &snapshot.settings.edge else {
        let sent = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let authority = parts.uri.authority().map(http::uri::Authority::as_str).or(sent).unwrap_or_default();
        let address = trusted_address(peer, snapshot.settings.trusted_hops);
        return Ok(Client { address, host: canonical_host(authority), authority: authority.to_owned(), scheme });
    };
    // Nothing is read for a request that does not even try.
    let presented = edge.presented(&parts.headers)?;
    let values = deadline.bound(known_values(edge, presented, secrets)).await;
    let values = values.unwrap_or_else(|| Err(unavailable("no secret of the edge's in the invocation's time")))?;
    let facts = edge.check(&parts.headers, &values)?;
    Ok(Client { address: Some(facts.address), host: canonical_host(&facts.host), authority: facts.host, scheme })
}

/// The secret's values; read anew where none of them is what is presented.
async fn known_values(edge: &EdgePolicy, presented: &[u8], secrets: &dyn Secrets) -> Result<Vec<SecretValue>, Problem> {
    let values = readable(&edge.values, |reference| secrets.read(reference)).await?;
    if proves(presented, &values) {
        return Ok(values);
    }
    // The edge may have another one since; a flood of wrong ones has them read anew every 30 s at most.
    readable(&edge.values, |reference| secrets.refresh(reference)).await
}

/// The values that can be read: one of them will do.
async fn readable<'a, F>(
    references: &'a [SecretRef],
    read: impl Fn(&'a SecretRef) -> F,
) -> Result<Vec<SecretValue>, Problem>
where
    F: Future<Output = Result<SecretValue, SecretError>>,
{
    let (mut values, mut unreadable) = (Vec::with_capacity(references.len()), Vec::new());
    for reference in references {
        match read(reference).await {
            Ok(value) => values.push(value),
            Err(error) => unreadable.push(error.to_string()),
        }
    }
    if values.is_empty() {
        return Err(unavailable(unreadable.join("; ")));
    }
    Ok(values)
}

/// The address `hops` before the one that connected; the oldest known where there are fewer.
fn trusted_address(peer: &Peer, hops: u8) -> Option<IpAddr> {
    let before = peer.forwarded_for.iter().rev();
    let mut chain = peer.address.iter().chain(before);
    let last = peer.forwarded_for.len().min(usize::from(hops));
    chain.nth(last).copied()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::trusted_address;
    use crate::gateway::Peer;

    #[test]
    fn trusted_hops_count_from_the_right() {
        let address = |last| IpAddr::from([192, 0, 2, last]);
        let peer = Peer { address: Some(address(3)), forwarded_for: vec![address(1), address(2)], ..Peer::default() };
        for (hops, expected) in [(0, 3), (1, 2), (2, 1), (9, 1)] {
            assert_eq!(trusted_address(&peer, hops), Some(address(expected)));
        }
        assert_eq!(trusted_address(&Peer::default(), 1), None);
    }
}
