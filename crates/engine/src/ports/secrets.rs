//! Secrets that a document refers to.

use async_trait::async_trait;
use faregate_core::secret::{SecretRef, SecretValue};

/// Reads secrets. Implementations cache a value for 5 minutes (SECURITY.md 11).
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The secret's present value; an empty one is an error, never an empty secret.
    async fn read(&self, reference: &SecretRef) -> Result<SecretValue, SecretError>;
    /// The secret's value read anew, because the present one did not do; implementations do so every 30 s at most,
    /// and else answer as [`Secrets::read`] does.
    async fn refresh(&self, reference: &SecretRef) -> Result<SecretValue, SecretError>;
}

/// Why a secret could not be read. Never carries the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The secret store did not answer.
    #[error("the secret {name} cannot be read: {cause}")]
    Unavailable {
        /// The reference's name.
        name: String,
        /// What went wrong, without any secret.
        cause: String,
    },
    /// The value is empty.
    #[error("the secret {0} is empty")]
    Empty(String),
    /// An inline secret without the development switch.
    #[error("inline secrets need FAREGATE_ALLOW_INLINE_SECRETS=1")]
    InlineForbidden,
}
