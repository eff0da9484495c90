//! Tokens, verified once and remembered.

mod introspection;
mod key_sets;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use faregate_core::{
    jwt::{
        Identity, InvalidClaims, InvalidToken, IssuerPolicy, KeySet, SignedToken, TOKEN_BYTES_MAX, Unverified,
        Verification, claimed_issuer,
    },
    policy::jwt::JwtPolicy,
    time::Timestamp,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::{introspection::Introspections, key_sets::KeySets};
use super::{
    Ports, SideWork,
    bounded::{Bounded, is_within},
};
use crate::ports::{Clock, Outbound, Secrets, Telemetry};

/// How many verified tokens are remembered, and in how many bytes.
const TOKENS_MAX: usize = 1000;
const TOKENS_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why a token proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// For the record only.
    #[error("{0}")]
    Invalid(String),
    /// Its signature was good, and its time is over.
    #[error("an expired token")]
    Expired,
    /// Whoever could say does not answer.
    #[error("{0}")]
    Unavailable(String),
}

impl From<InvalidClaims> for Refused {
    fn from(error: InvalidClaims) -> Self {
        match error {
            InvalidClaims::Expired => Self::Expired,
            error => Self::Invalid(error.to_string()),
        }
    }
}

impl From<InvalidToken> for Refused {
    fn from(error: InvalidToken) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// Verifies tokens. What was verified counts as long as the snapshot, the issuer and its keys stay as they were
/// (SECURITY.md 8).
pub struct TokenVerifier {
    clock: Arc<dyn Clock>,
    keys: Arc<KeySets>,
    introspections: Introspections,
    verified: Bounded<TokenKey, Verified>,
    signatures_checked: AtomicU64,
}

/// What verifying tokens needs from the world.
#[derive(Clone)]
pub struct TokenPorts {
    /// The way to issuers.
    pub outbound: Arc<dyn Outbound>,
    /// Secrets that issuers share.
    pub secrets: Arc<dyn Secrets>,
    /// Metrics.
    pub telemetry: Arc<dyn Telemetry>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl From<&Ports> for TokenPorts {
    fn from(ports: &Ports) -> Self {
        Self {
            outbound: Arc::clone(&ports.outbound),
            secrets: Arc::clone(&ports.secrets),
            telemetry: Arc::clone(&ports.telemetry),
            clock: Arc::clone(&ports.clock),
        }
    }
}

/// SHA-256 of the whole token, signature included, and of the compiled issuer.
type TokenKey = ([u8; 32], [u8; 32]);

#[derive(Clone)]
struct Verified {
    identity: Arc<Identity>,
    /// The version of the snapshot.
    snapshot: u64,
    /// The version of the keys; without meaning for an introspected token.
    keys: [u8; 32],
    /// When an introspected token was asked about.
    asked_at: Timestamp,
}

impl TokenVerifier {
    /// A verifier that remembers nothing yet.
    #[must_use]
    pub fn new(ports: &TokenPorts) -> Self {
        Self {
            clock: Arc::clone(&ports.clock),
            keys: Arc::new(KeySets::new(ports)),
            introspections: Introspections::new(ports),
            verified: Bounded::new(TOKENS_MAX, TOKENS_BYTES_MAX),
            signatures_checked: AtomicU64::new(0),
        }
    }

    /// How many signatures were checked so far: the dearest that a token can cost.
    #[must_use]
    pub fn signatures_checked(&self) -> u64 {
        self.signatures_checked.load(Ordering::Relaxed)
    }

    /// Who a token proves, and the id of the issuer by whose word. `snapshot` is the version that decides.
    ///
    /// # Errors
    ///
    /// [`Refused`].
    pub async fn verify(
        &self,
        policy: &JwtPolicy,
        token: &[u8],
        snapshot: u64,
        side_work: &mut SideWork,
    ) -> Result<(Arc<str>, Arc<Identity>), Refused> {
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return Err(Refused::Invalid("a token of impossible length".to_owned()));
        }
        if !token.iter().all(u8::is_ascii_graphic) {
            return Err(Refused::Invalid("a token that is not visible ASCII".to_owned()));
        }
        let hash: [u8; 32] = Sha256::digest(token).into();
        for issuer in &policy.issuers {
            if let Some(identity) = self.remembered(issuer, hash, snapshot, side_work).await? {
                return Ok((Arc::clone(&issuer.id), identity));
            }
        }
        let read = SignedToken::parse(token).and_then(|signed| Ok((signed.claims()?, signed)));
        let named = match &read {
            Ok((claims, _)) => policy.issuer_of(claims.get("iss").and_then(Value::as_str)),
            // A header that is refused hides no issuer: the token is shown to no other one.
            Err(_) => policy.issuer_of(claimed_issuer(token)?.as_deref()),
        };
        let issuer = match (named, &read) {
            (Some(issuer), _) => issuer,
            (None, Ok(_)) => return Err(Refused::Invalid("no issuer of this route".to_owned())),
            (None, Err(error)) => return Err((*error).into()),
        };
        let asked_at = self.clock.now();
        let (identity, keys) = match &issuer.verification {
            Verification::Introspection(asked) => (self.introspections.ask(issuer, asked, token, hash).await?, [0; 32]),
            Verification::Inline(_) | Verification::Remote(_) | Verification::Secret(_) => {
                let (claims, signed) = read?;
                let keys = self.verify_signature(issuer, &signed, side_work).await?;
                (issuer.identify(claims, self.clock.now())?, keys)
            }
        };
        let identity = Arc::new(identity);
        let verified = Verified { identity: Arc::clone(&identity), snapshot, keys, asked_at };
        let bytes = identity_bytes(&identity);
        self.verified.put((hash, issuer.hash), verified, bytes);
        Ok((Arc::clone(&issuer.id), identity))
    }

    /// A token that was verified before, if it still counts.
    async fn remembered(
        &self,
        issuer: &Arc<IssuerPolicy>,
        hash: [u8; 32],
        snapshot: u64,
        side_work: &mut SideWork,
    ) -> Result<Option<Arc<Identity>>, Refused> {
        let key = (hash, issuer.hash);
        let Some(verified) = self.verified.get(&key) else { return Ok(None) };
        let now = self.clock.now();
        let counts = verified.snapshot == snapshot
            && if let Verification::Introspection(asked) = &issuer.verification {
                is_within(verified.asked_at, now, asked.cache)
            } else {
                let keys = self.keys.current(issuer, side_work).await.map_err(Refused::Unavailable)?;
                keys.version == verified.keys
            };
        if !counts {
            self.verified.remove(&key);
            return Ok(None);
        }
        verified.identity.check_time(now)?;
        Ok(Some(verified.identity))
    }

    /// Verifies a signature; yields the version of the keys that did it. A token of a key that is not known, or of a
    /// secret that was changed, is worth another look at them.
    async fn verify_signature(
        &self,
        issuer: &Arc<IssuerPolicy>,
        token: &SignedToken<'_>,
        side_work: &mut SideWork,
    ) -> Result<[u8; 32], Refused> {
        let keys = self.keys.current(issuer, side_work).await.map_err(Refused::Unavailable)?;
        let error = match self.check(&keys.set, token, issuer) {
            Ok(()) => return Ok(keys.version),
            Err(error) => error,
        };
        let cause = |keys: &KeySet| match keys.is_empty() {
            true => format!("issuer {} has no usable key or secret", issuer.id),
            false => error.to_string(),
        };
        let may_be_newer = matches!(error, Unverified::UnknownKey | Unverified::Unnamed);
        if may_be_newer
            && let Some(newer) = self.keys.newer(issuer, keys.version).await.map_err(Refused::Unavailable)?
        {
            return match self.check(&newer.set, token, issuer) {
                Ok(()) => Ok(newer.version),
                Err(_) => Err(Refused::Invalid(cause(&newer.set))),
            };
        }
        Err(Refused::Invalid(cause(&keys.set)))
    }

    fn check(&self, keys: &KeySet, token: &SignedToken<'_>, issuer: &IssuerPolicy) -> Result<(), Unverified> {
        self.signatures_checked.fetch_add(1, Ordering::Relaxed);
        keys.verify(token, &issuer.algorithms)
    }
}

/// What an identity takes in memory, roughly.
fn identity_bytes(identity: &Identity) -> usize {
    const TEXT: usize = 32;
    let texts = identity.scopes.iter().chain(&identity.groups).map(|text| TEXT + text.len());
    let claims = identity.claims.iter().map(|(name, value)| TEXT + name.len() + tree_bytes(value));
    500 + texts.sum::<usize>() + claims.sum::<usize>()
}

/// What a value takes in memory, roughly: a tree takes more room than its text.
fn tree_bytes(value: &Value) -> usize {
    const NODE: usize = 72;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => NODE,
        Value::String(text) => NODE + text.len(),
        Value::Array(items) => NODE + items.iter().map(tree_bytes).sum::<usize>(),
        Value::Object(members) => {
            NODE + members.iter().map(|(name, member)| NODE + name.len() + tree_bytes(member)).sum::<usize>()
        }
    }
}
