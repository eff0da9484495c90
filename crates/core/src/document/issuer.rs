//! Issuers of tokens.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use super::choice;
use crate::{
    diagnostic::{Place, codes},
    jwt::{Algorithm, IntrospectionPolicy, IssuerPolicy, KeySet, KeyUrl, Verification},
    secret::SecretRef,
};

/// Who vouches for tokens: an OpenID provider, or somebody with whom a secret is shared. Exactly one of `jwks`,
/// `secret` and `introspection`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// Its name among the issuers; the first part of its consumers' names.
    pub id: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// What `iss` must be, to the letter.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024)))]
    pub issuer: String,
    /// At least one of these must be in `aud`. Required, but with `introspection`, where the provider decides.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub audiences: Vec<String>,
    /// How it may sign; empty: every asymmetric algorithm, or with `secret` every HMAC that the secret is long
    /// enough for.
    #[serde(default)]
    pub algorithms: Vec<Algorithm>,
    /// Where its public keys are.
    #[serde(default)]
    pub jwks: Option<Jwks>,
    /// The secret shared with it.
    #[serde(default)]
    pub secret: Option<SecretRef>,
    /// Where it says what a token is worth.
    #[serde(default)]
    pub introspection: Option<Introspection>,
    /// How far its clock may be off, in seconds.
    #[serde(default = "leeway_seconds")]
    #[cfg_attr(feature = "schema", schemars(range(max = 300)))]
    pub leeway_seconds: u32,
    /// The claim that names the consumer.
    #[serde(default = "consumer_claim")]
    pub consumer_claim: String,
    /// The claim that names the consumer's plan; empty: none.
    #[serde(default)]
    pub plan_claim: String,
    /// The claim with the scopes; empty: `scope`, else `scp`.
    #[serde(default)]
    pub scopes_claim: String,
    /// The claim with the groups, a list or one text; empty: none.
    #[serde(default)]
    pub groups_claim: String,
}

/// Token introspection (RFC 7662).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// The introspection endpoint: HTTPS.
    pub url: String,
    /// As whom to ask.
    pub client: IntrospectionClient,
    /// How long a good answer counts, in seconds: the bound on revocation.
    #[serde(default = "cache_seconds")]
    #[cfg_attr(feature = "schema", schemars(range(max = 60)))]
    pub cache_seconds: u32,
}

/// A client of the provider, with HTTP Basic authentication (RFC 6749 §2.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IntrospectionClient {
    /// Its name there.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024)))]
    pub id: String,
    /// What proves it.
    pub secret: SecretRef,
}

fn cache_seconds() -> u32 {
    60
}

fn leeway_seconds() -> u32 {
    60
}

fn consumer_claim() -> String {
    "sub".to_owned()
}

/// Variants that may be written as bare names.
#[cfg(feature = "schema")]
const BARE_NAMES: &[&str] = &["discover"];

/// Where public keys are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = choice::BareNames(BARE_NAMES)))]
#[serde(remote = "Self", rename_all = "snake_case", deny_unknown_fields)]
pub enum Jwks {
    /// Under the issuer's `/.well-known/openid-configuration`.
    Discover {},
    /// At this URL.
    Url(String),
    /// Here: a JWK set (RFC 7517 §5).
    Inline(Value),
}

choice::choice!(Jwks);

impl Issuer {
    /// Reads URLs and keys; `None` where it could prove nobody.
    pub fn compile(&self, place: &mut Place<'_>) -> Option<IssuerPolicy> {
        if ["iam", "forward_auth"].contains(&self.id.as_str()) {
            place.at("id").error(codes::INVALID_VALUE, format!("`{}` is a reserved name", self.id));
        }
        if self.issuer.is_empty() {
            place.at("issuer").error(codes::MISSING_FIELD, "what `iss` must be is needed");
        }
        let needs_audience = self.introspection.is_none() && self.audiences.is_empty();
        if needs_audience || self.audiences.iter().any(String::is_empty) {
            place.at("audiences").error(codes::MISSING_FIELD, "an audience is needed, and none is empty");
        }
        if self.leeway_seconds > 300 {
            place.at("leeway_seconds").error(codes::INVALID_VALUE, "at most 300 seconds");
        }
        if self.consumer_claim.is_empty() {
            place.at("consumer_claim").error(codes::MISSING_FIELD, "a claim is needed");
        }
        let verification = self.compile_verification(place);
        let usable: &[Algorithm] = match (&self.secret, &self.introspection) {
            (Some(_), _) => &Algorithm::SYMMETRIC,
            (None, Some(_)) => &[],
            (None, None) => &Algorithm::ASYMMETRIC,
        };
        for (index, algorithm) in self.algorithms.iter().enumerate().filter(|(_, known)| !usable.contains(known)) {
            let kind = if algorithm.is_symmetric() { "a secret" } else { "public keys" };
            let message = format!("{} needs {kind}", algorithm.as_str());
            place.item("algorithms", index).error(codes::CONFLICT, message);
        }
        let claim = |name: &str| (!name.is_empty()).then(|| name.into());
        let algorithms = if self.algorithms.is_empty() { usable } else { &self.algorithms };
        Some(IssuerPolicy {
            id: self.id.as_str().into(),
            verification: verification?,
            algorithms: algorithms.into(),
            hash: Sha256::digest(format!("{self:?}")).into(),
            keys_hash: Sha256::digest(format!("{:?} {:?}", self.issuer, self.jwks)).into(),
            issuer: self.issuer.as_str().into(),
            audiences: self.audiences.iter().map(|audience| audience.as_str().into()).collect(),
            leeway: Duration::from_secs(self.leeway_seconds.into()),
            consumer_claim: self.consumer_claim.as_str().into(),
            plan_claim: claim(&self.plan_claim),
            scopes_claim: claim(&self.scopes_claim),
            groups_claim: claim(&self.groups_claim),
        })
    }

    /// Fewest bytes of its secret: as many as the shortest hash that it signs with.
    #[must_use]
    pub fn secret_bytes_min(&self) -> usize {
        let own = self.algorithms.iter().filter(|algorithm| algorithm.is_symmetric());
        own.map(|algorithm| algorithm.secret_bytes_min()).min().unwrap_or(Algorithm::HS256.secret_bytes_min())
    }

    fn compile_verification(&self, place: &mut Place<'_>) -> Option<Verification> {
        let ways = [self.jwks.is_some(), self.secret.is_some(), self.introspection.is_some()];
        match ways.into_iter().filter(|way| *way).count() {
            0 => place.error(codes::MISSING_FIELD, "one of jwks, secret and introspection is needed"),
            1 => {}
            _ => place.error(codes::CONFLICT, "jwks, secret and introspection exclude each other"),
        }
        let jwks = self.jwks.as_ref().map(|jwks| self.compile_jwks(jwks, &mut place.at("jwks")));
        let secret = self.secret.as_ref().map(|secret| Some(Verification::Secret(secret.clone())));
        let introspection = self.introspection.as_ref().map(|asked| asked.compile(&mut place.at("introspection")));
        jwks.or(secret).or(introspection)?
    }

    fn compile_jwks(&self, jwks: &Jwks, place: &mut Place<'_>) -> Option<Verification> {
        match jwks {
            Jwks::Inline(set) => match KeySet::from_value(set) {
                Ok(keys) => Some(Verification::Inline(keys)),
                Err(error) => {
                    place.at("inline").error(codes::INVALID_VALUE, error);
                    None
                }
            },
            Jwks::Url(url) => {
                let url = https_url(url, &mut place.at("url"))?;
                Some(Verification::Remote(KeyUrl::Jwks(url)))
            }
            Jwks::Discover {} => {
                let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
                let url = https_url(&url, place)?;
                Some(Verification::Remote(KeyUrl::Discovery(url)))
            }
        }
    }
}

impl Introspection {
    fn compile(&self, place: &mut Place<'_>) -> Option<Verification> {
        if self.client.id.is_empty() {
            place.item("client", "id").error(codes::MISSING_FIELD, "the client's id is needed");
        }
        if self.cache_seconds > 60 {
            place.at("cache_seconds").error(codes::INVALID_VALUE, "at most 60 seconds");
        }
        Some(Verification::Introspection(IntrospectionPolicy {
            url: https_url(&self.url, &mut place.at("url"))?,
            client_id: self.client.id.as_str().into(),
            client_secret: self.client.secret.clone(),
            cache: Duration::from_secs(self.cache_seconds.into()),
        }))
    }
}

/// HTTPS; plain HTTP only to this machine, which the address guard refuses without its development switch.
pub(crate) fn https_url(text: &str, place: &mut Place<'_>) -> Option<Url> {
    let url = Url::parse(text).ok().filter(is_trustworthy);
    if url.is_none() {
        place.error(codes::INVALID_VALUE, "an https:// URL without a user or fragment is needed");
    }
    url
}

/// Whether an identity may hang on what a URL says.
#[must_use]
pub fn is_trustworthy(url: &Url) -> bool {
    let is_loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let scheme = url.scheme() == "https" || url.scheme() == "http" && is_loopback;
    scheme && url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
}
