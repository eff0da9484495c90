//! The credential *JWT*: where it stands in a request, and whose tokens a route takes.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;

use super::credential::{HeaderPlace, ProvenHeaders, proven_headers};
use crate::{
    diagnostic::{Place, codes},
    jwt::IssuerPolicy,
};

/// A token of one of these issuers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// The ids of the issuers; the token's `iss` picks. A token without a readable one goes to the issuer with
    /// `introspection`, of which there is one at most.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 100)))]
    pub issuers: Vec<String>,
    /// Where the token stands.
    #[serde(default)]
    pub from: TokenPlace,
    /// Whether the backend never sees the token.
    #[serde(default)]
    pub hide_credentials: bool,
    /// Claims that the backend gets, by the header that carries them; a claim that is missing sets no header.
    #[serde(default)]
    pub forward_claims: BTreeMap<String, String>,
}

/// Where a token stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TokenPlace {
    /// The header.
    pub header: String,
    /// The scheme before the token; empty: the value is the token.
    pub scheme: String,
}

impl Default for TokenPlace {
    fn default() -> Self {
        Self { header: "authorization".to_owned(), scheme: "Bearer".to_owned() }
    }
}

/// [`Jwt`], compiled.
#[derive(Clone, Debug)]
pub struct JwtPolicy {
    /// Who may have signed or vouched for the token.
    pub issuers: Box<[Arc<IssuerPolicy>]>,
    /// Where the token stands.
    pub place: HeaderPlace,
    /// Whether the backend never sees the token.
    pub hide_credentials: bool,
    /// Headers and the claims that they carry.
    pub forward_claims: ProvenHeaders,
}

impl Jwt {
    /// Resolves the issuers by `resolve`, which reports where there is none; `None` where no token could stand.
    pub fn compile(
        &self,
        place: &mut Place<'_>,
        resolve: &dyn Fn(&str, &mut Place<'_>) -> Option<Arc<IssuerPolicy>>,
    ) -> Option<JwtPolicy> {
        if self.issuers.is_empty() {
            place.at("issuers").error(codes::MISSING_FIELD, "an issuer is needed");
        }
        let mut issuers: Vec<Arc<IssuerPolicy>> = Vec::with_capacity(self.issuers.len());
        for (index, id) in self.issuers.iter().enumerate() {
            let mut place = place.item("issuers", index);
            let Some(issuer) = resolve(id, &mut place) else { continue };
            if let Some(other) = issuers.iter().find(|other| other.issuer() == issuer.issuer()) {
                let message = format!("`{}` and `{id}` have the same `issuer`, which must pick one of them", other.id);
                place.error(codes::DUPLICATE, message);
            } else if issuer.introspects() && issuers.iter().any(|other| other.introspects()) {
                place.error(codes::CONFLICT, "an opaque token does not say which of two introspecting issuers to ask");
            }
            issuers.push(issuer);
        }
        let forward_claims = proven_headers(&self.forward_claims, &mut place.at("forward_claims"));
        let in_header = HeaderPlace::compile(&self.from.header, &self.from.scheme, &mut place.at("from"));
        Some(JwtPolicy {
            issuers: issuers.into(),
            place: in_header?,
            hide_credentials: self.hide_credentials,
            forward_claims,
        })
    }
}

impl JwtPolicy {
    /// The issuer whose `iss` this is; without one, the issuer that is asked about tokens.
    #[must_use]
    pub fn issuer_of(&self, iss: Option<&str>) -> Option<&Arc<IssuerPolicy>> {
        match iss {
            Some(iss) => self.issuers.iter().find(|issuer| issuer.issuer() == iss),
            None => self.issuers.iter().find(|issuer| issuer.introspects()),
        }
    }

    /// The challenge of a 401 (RFC 6750 §3).
    #[must_use]
    pub fn challenge(&self) -> String {
        format!("{} realm=\"faregate\"", if self.place.scheme.is_empty() { "Bearer" } else { &*self.place.scheme })
    }
}
