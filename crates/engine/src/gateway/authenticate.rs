//! Phase *authenticate*: from credentials to a caller.

mod api_key;
mod endpoint;
mod iam;
mod proven;
mod refusal;
mod token;

use std::{sync::Arc, time::Duration};

use faregate_core::{
    policy::authenticate::{AuthenticatePolicy, CredentialPolicy, Needed},
    problem::{Code, Problem},
    snapshot::RoutePolicy,
};
use http::{HeaderMap, request::Parts};
use tokio::time::timeout;

use self::{
    endpoint::Endpoints,
    refusal::{challenged, unavailable},
};
use super::{
    Peer, Ports, SideWork,
    caller::{Caller, Proof},
    edge::Client,
    key_cache::KeyCache,
    tokens::{TokenPorts, TokenVerifier},
};
use crate::meter::Meter;

pub(super) use proven::{is_sent, visible};

/// Verifies credentials, and remembers for a bounded time what it verified.
pub(super) struct Authenticator {
    keys: KeyCache,
    tokens: TokenVerifier,
    endpoints: Endpoints,
}

/// What a request presents.
#[derive(Clone, Copy)]
pub(super) struct Presented<'a> {
    pub(super) parts: &'a Parts,
    /// The client's headers without those that never cross: no identity header of its own is among them.
    pub(super) headers: &'a HeaderMap,
    pub(super) peer: &'a Peer,
    pub(super) client: &'a Client,
    /// The version of the snapshot that decides.
    pub(super) version: u64,
}

impl Authenticator {
    pub(super) fn new(ports: &Ports, meter: &Arc<Meter>) -> Self {
        Self {
            keys: KeyCache::new(ports, meter),
            tokens: TokenVerifier::new(&TokenPorts::from(ports)),
            endpoints: Endpoints::new(ports),
        }
    }

    /// [`Authenticator::check`] in the time that is left of the invocation, if that is known.
    pub(super) async fn check_within(
        &self,
        left: Option<Duration>,
        route: &RoutePolicy,
        presented: Presented<'_>,
        side_work: &mut SideWork,
    ) -> Result<Caller, Problem> {
        let checked = self.check(route, presented, side_work);
        match left {
            None => checked.await,
            Some(left) => {
                timeout(left, checked).await.unwrap_or_else(|_| Err(unavailable("no verdict in the invocation's time")))
            }
        }
    }

    /// Verifies every credential that is present; the first in the route's order says who calls.
    async fn check(
        &self,
        route: &RoutePolicy,
        presented: Presented<'_>,
        side_work: &mut SideWork,
    ) -> Result<Caller, Problem> {
        let policy = &route.authenticate;
        let missing = || Problem::new(Code::CredentialsMissing, "send credentials with the request");
        let mut proofs = Vec::new();
        for credential in &policy.credentials {
            let proof = self.verify(policy, credential, presented, side_work).await;
            match proof.map_err(|problem| challenged(problem, policy, Some(credential)))? {
                Some(proof) => proofs.push(proof),
                None if policy.needed == Needed::All => return Err(challenged(missing(), policy, None)),
                None => {}
            }
        }
        if proofs.is_empty() && !policy.anonymous {
            return Err(challenged(missing(), policy, None));
        }
        Ok(Caller::new(proofs))
    }

    /// What a credential of the route proves; `None` where it is not present.
    async fn verify(
        &self,
        route: &AuthenticatePolicy,
        credential: &CredentialPolicy,
        presented: Presented<'_>,
        side_work: &mut SideWork,
    ) -> Result<Option<Proof>, Problem> {
        match credential {
            CredentialPolicy::ApiKey(policy) => api_key::verify(policy, presented, &self.keys).await,
            CredentialPolicy::Jwt(policy) => token::verify(policy, presented, &self.tokens, side_work).await,
            CredentialPolicy::Iam => iam::verify(presented.peer),
            CredentialPolicy::ForwardAuth(policy) => self.endpoints.verify(policy, route, presented).await,
        }
    }
}

/// A credential as it was presented, or that it was presented more than once.
enum One<T> {
    Value(T),
    Several,
}

/// The one of several values; `None` where there is none.
fn one<T>(mut values: impl Iterator<Item = T>) -> Option<One<T>> {
    let first = values.next()?;
    Some(if values.next().is_none() { One::Value(first) } else { One::Several })
}
