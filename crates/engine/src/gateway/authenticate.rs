//! Phase *authenticate*: from credentials to a caller.

use std::sync::Arc;

use faregate_core::{
    api_key::{KEY_BYTES_MAX, KeyHash, KeyItem, screen},
    policy::{
        api_key::ApiKeyPolicy,
        authenticate::{AuthenticatePolicy, CredentialPolicy},
    },
    problem::{Code, Problem},
    snapshot::RoutePolicy,
};
use http::HeaderMap;

use super::key_cache::{KeyCache, KeyError};

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody in particular.
    Anonymous,
    /// The holder of an API key.
    Key {
        /// What the key proves.
        item: Arc<KeyItem>,
        /// The key's hash.
        hash: KeyHash,
    },
}

impl Caller {
    /// The consumer; `None` for anonymous.
    #[must_use]
    pub fn consumer(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::Key { item, .. } => Some(&item.consumer),
        }
    }

    /// Which credential proved it, as backends and records see it.
    #[must_use]
    pub fn credential(&self) -> Option<String> {
        match self {
            Self::Anonymous => None,
            Self::Key { hash, .. } => Some(format!("key:{}", hash.short())),
        }
    }
}

/// Verifies every credential that is present; the first in the route's order says who calls.
pub(super) async fn check(
    route: &RoutePolicy,
    headers: &HeaderMap,
    query: Option<&str>,
    keys: &KeyCache,
) -> Result<Caller, Problem> {
    let policy = &route.authenticate;
    let mut caller = None;
    for credential in &policy.credentials {
        let CredentialPolicy::ApiKey(place) = credential;
        if let Some(presented) = present(place, headers, query) {
            let proven = verify(presented, keys).await.map_err(|problem| challenged(problem, policy))?;
            caller.get_or_insert(proven);
        }
    }
    match caller {
        Some(caller) => Ok(caller),
        None if policy.anonymous => Ok(Caller::Anonymous),
        None => Err(challenged(Problem::new(Code::CredentialsMissing, "send credentials with the request"), policy)),
    }
}

/// A key as it was presented, or that it was presented more than once.
enum Presented {
    Key(Vec<u8>),
    Several,
}

/// The key at its place; a header with another scheme is no key.
fn present(place: &ApiKeyPolicy, headers: &HeaderMap, query: Option<&str>) -> Option<Presented> {
    let in_headers = place.header.iter().flat_map(|name| headers.get_all(name));
    let mut found: Vec<Vec<u8>> =
        in_headers.filter_map(|value| place.key_in(value.as_bytes())).map(<[u8]>::to_vec).collect();
    if let Some(name) = &place.query {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        found.extend(pairs.filter(|(known, _)| **known == **name).map(|(_, value)| value.into_owned().into_bytes()));
    }
    match found.len() {
        0 => None,
        1 => found.pop().map(Presented::Key),
        _ => Some(Presented::Several),
    }
}

/// All refusals look alike to the client; the cause is for the record.
async fn verify(presented: Presented, keys: &KeyCache) -> Result<Caller, Problem> {
    let invalid = |cause: &str| Problem::new(Code::CredentialsInvalid, "the API key is not valid").caused_by(cause);
    let Presented::Key(key) = presented else { return Err(invalid("several API keys at one place")) };
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(invalid("an API key of impossible length"));
    }
    screen(&key).map_err(|error| invalid(&error.to_string()))?;
    let hash = KeyHash::of(&key);
    match keys.get(&hash).await {
        Ok(item) => Ok(Caller::Key { item, hash }),
        Err(KeyError::Refused(cause)) => Err(invalid(&format!("key {}: {cause}", hash.short()))),
        Err(KeyError::Store(error)) => {
            let mut problem = Problem::new(Code::DependencyUnavailable, "try again later").caused_by(error.to_string());
            problem.retry_after_seconds = Some(1);
            Err(problem)
        }
    }
}

/// A 401 says how to do better (RFC 9110 §15.5.2).
fn challenged(mut problem: Problem, policy: &AuthenticatePolicy) -> Problem {
    if problem.code.status() == 401 {
        problem.challenges =
            policy.credentials.iter().map(|CredentialPolicy::ApiKey(place)| place.challenge()).collect();
        problem.challenges.dedup();
    }
    problem
}
