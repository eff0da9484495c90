//! Secrets in memory.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use faregate_core::secret::{SecretRef, SecretValue};

use super::locked;
use crate::ports::{SecretError, Secrets};

/// Parameters by name. Nothing is cached: what the test sets is what the next read sees.
#[derive(Debug, Default)]
pub struct FakeSecrets {
    parameters: Mutex<BTreeMap<String, SecretValue>>,
    reads: AtomicUsize,
}

impl FakeSecrets {
    /// Sets a parameter; an empty value takes it away, as no secret is empty.
    pub fn set(&self, name: &str, value: impl Into<Vec<u8>>) {
        let mut parameters = locked(&self.parameters);
        match SecretValue::new(value) {
            Some(value) => parameters.insert(name.to_owned(), value),
            None => parameters.remove(name),
        };
    }

    /// Takes a parameter away: reading it fails.
    pub fn remove(&self, name: &str) {
        locked(&self.parameters).remove(name);
    }

    /// How many reads there were.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Secrets for FakeSecrets {
    async fn read(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        match reference {
            SecretRef::Inline(value) => {
                SecretValue::new(value.as_bytes()).ok_or_else(|| SecretError::Empty(reference.name().to_owned()))
            }
            SecretRef::Ssm(name) => locked(&self.parameters).get(name).cloned().ok_or_else(|| {
                SecretError::Unavailable { name: name.clone(), cause: "there is no such parameter".to_owned() }
            }),
        }
    }
}
