//! Who calls, as credentials proved it.

use std::sync::Arc;

use faregate_core::{
    api_key::{KeyHash, KeyItem},
    jwt::Identity,
    policy::authorize::Subject,
};
use http::{HeaderName, HeaderValue};

/// Who calls: what the credentials of a request proved, in the route's order. Nothing: anonymous.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    proofs: Vec<Proof>,
}

/// What one credential proved, and the headers in which the backend gets more of it.
#[derive(Clone, Debug)]
pub struct Proof {
    /// What was proved.
    pub evidence: Evidence,
    /// Headers that the route asks for.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What was proved.
#[derive(Clone, Debug)]
pub enum Evidence {
    /// An API key is known.
    Key {
        /// What the key proves.
        item: Arc<KeyItem>,
        /// The key's hash.
        hash: KeyHash,
    },
    /// An issuer signed a token, or vouches for it.
    Token {
        /// The issuer's id.
        issuer: Arc<str>,
        /// What the token proves.
        identity: Arc<Identity>,
    },
    /// An IAM principal signed the request.
    Iam {
        /// `iam:<arn>`, for an assumed role without its session's name.
        consumer: Box<str>,
        /// The whole ARN.
        arn: Box<str>,
    },
    /// An endpoint let the request pass.
    Endpoint {
        /// The endpoint's id.
        id: Box<str>,
        /// `forward_auth:<id>:<value>`.
        consumer: Box<str>,
    },
}

impl Caller {
    pub(super) fn new(proofs: Vec<Proof>) -> Self {
        Self { proofs }
    }

    /// What was proved, in the route's order.
    #[must_use]
    pub fn proofs(&self) -> &[Proof] {
        &self.proofs
    }

    /// Whether nothing was proved.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.proofs.is_empty()
    }

    /// The consumer; `None` for anonymous.
    #[must_use]
    pub fn consumer(&self) -> Option<&str> {
        self.proofs.first().map(|proof| proof.evidence.consumer())
    }

    /// Which credential proved it, as backends and records see it.
    #[must_use]
    pub fn credential(&self) -> Option<String> {
        self.proofs.first().map(|proof| proof.evidence.credential())
    }

    /// What the first credential proved.
    #[must_use]
    pub fn evidence(&self) -> Option<&Evidence> {
        self.proofs.first().map(|proof| &proof.evidence)
    }

    /// The scopes of that credential.
    #[must_use]
    pub fn scopes(&self) -> &[Box<str>] {
        self.proofs.first().map_or(&[], |proof| proof.evidence.subject().scopes)
    }

    /// The plan that it puts the consumer on.
    #[must_use]
    pub fn plan(&self) -> Option<&str> {
        match &self.proofs.first()?.evidence {
            Evidence::Token { identity, .. } => identity.plan.as_deref(),
            Evidence::Key { item, .. } => item.plan.as_deref(),
            Evidence::Iam { .. } | Evidence::Endpoint { .. } => None,
        }
    }

    /// What each credential brought, for authorisation.
    #[must_use]
    pub fn subjects(&self) -> Vec<Subject<'_>> {
        self.proofs.iter().map(|proof| proof.evidence.subject()).collect()
    }
}

impl Evidence {
    fn consumer(&self) -> &str {
        match self {
            Self::Key { item, .. } => &item.consumer,
            Self::Token { identity, .. } => &identity.consumer,
            Self::Iam { consumer, .. } | Self::Endpoint { consumer, .. } => consumer,
        }
    }

    fn credential(&self) -> String {
        match self {
            Self::Key { hash, .. } => format!("key:{}", hash.short()),
            Self::Token { issuer, identity } => {
                format!("jwt:{issuer}:{}", identity.subject.as_deref().unwrap_or_default())
            }
            Self::Iam { arn, .. } => format!("iam:{arn}"),
            Self::Endpoint { id, .. } => format!("forward_auth:{id}"),
        }
    }

    fn subject(&self) -> Subject<'_> {
        let (scopes, groups): (&[Box<str>], &[Box<str>]) = match self {
            Self::Key { item, .. } => (&item.scopes, &item.groups),
            Self::Token { identity, .. } => (&identity.scopes, &identity.groups),
            Self::Iam { .. } | Self::Endpoint { .. } => (&[], &[]),
        };
        let claims = match self {
            Self::Token { identity, .. } => Some(&identity.claims),
            Self::Key { .. } | Self::Iam { .. } | Self::Endpoint { .. } => None,
        };
        Subject { consumer: self.consumer(), scopes, groups, claims }
    }
}
