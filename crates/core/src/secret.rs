//! References to secrets, and their values in memory.

use std::fmt;

use serde::Deserialize;
use subtle::ConstantTimeEq;

/// Where a secret is: a document holds references only.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretRef {
    /// The name of an SSM parameter; `/aws/reference/secretsmanager/NAME` reads Secrets Manager.
    Ssm(String),
    /// The value itself, for development only.
    Inline(String),
}

impl SecretRef {
    /// What to call the secret in messages; never its value.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Ssm(name) => name,
            Self::Inline(_) => "(inline)",
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretRef({})", self.name())
    }
}

/// A secret's value; printing it prints nothing of it.
#[derive(Clone)]
pub struct SecretValue(Box<[u8]>);

impl SecretValue {
    /// Takes the bytes; `None` for an empty value, which is no secret.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        if bytes.is_empty() { None } else { Some(Self(bytes.into_boxed_slice())) }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.0.len()
    }

    /// The bytes, for the one thing that they are for.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Compares in a time that depends on the lengths only.
    #[must_use]
    pub fn matches(&self, presented: &[u8]) -> bool {
        self.0.ct_eq(presented).into()
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}
