//! An issuer, compiled.

use std::{sync::Arc, time::Duration};

use url::Url;

use super::{Algorithm, KeySet};
use crate::secret::SecretRef;

/// Who vouches for tokens, and how they are believed.
#[derive(Clone, Debug)]
pub struct IssuerPolicy {
    /// Its id; has no colon.
    pub id: Arc<str>,
    /// How a token is verified.
    pub verification: Verification,
    /// The algorithms that it may sign with.
    pub algorithms: Box<[Algorithm]>,
    /// SHA-256 of the entry as it was compiled: what was verified under another one counts no more.
    pub hash: [u8; 32],
    /// SHA-256 of where its keys come from: other entries about the same keys share them.
    pub keys_hash: [u8; 32],
    pub(crate) issuer: Box<str>,
    pub(crate) audiences: Box<[Box<str>]>,
    pub(crate) leeway: Duration,
    pub(crate) consumer_claim: Box<str>,
    pub(crate) plan_claim: Option<Box<str>>,
    pub(crate) scopes_claim: Option<Box<str>>,
    pub(crate) groups_claim: Option<Box<str>>,
}

/// How a token is verified.
#[derive(Clone, Debug)]
pub enum Verification {
    /// By keys that stand in the document.
    Inline(KeySet),
    /// By keys that are fetched.
    Remote(KeyUrl),
    /// By a shared secret.
    Secret(SecretRef),
    /// By asking.
    Introspection(IntrospectionPolicy),
}

/// Where to fetch keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyUrl {
    /// A JWK set.
    Jwks(Url),
    /// The provider's metadata (OpenID Connect Discovery 1.0 §4), which names the JWK set.
    Discovery(Url),
}

/// Whom to ask about a token (RFC 7662), and as whom.
#[derive(Clone, Debug)]
pub struct IntrospectionPolicy {
    /// The introspection endpoint.
    pub url: Url,
    /// This gateway's name there.
    pub client_id: Box<str>,
    /// What proves it.
    pub client_secret: SecretRef,
    /// How long a good answer counts.
    pub cache: Duration,
}

impl IssuerPolicy {
    /// What `iss` must be, to the letter.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether it is asked about tokens.
    #[must_use]
    pub fn introspects(&self) -> bool {
        matches!(self.verification, Verification::Introspection(_))
    }
}
