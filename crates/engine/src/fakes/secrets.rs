//! Secrets in memory.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use faregate_core::secret::{SecretRef, SecretValue};

use super::locked;
use crate::ports::{SecretError, Secrets};

/// Parameters by name. Nothing is cached: what the test sets is what the next read sees.
#[derive(Default)]
pub struct FakeSecrets {
    parameters: Mutex<BTreeMap<String, Vec<u8>>>,
    newer: Mutex<BTreeMap<String, Vec<u8>>>,
    reads: AtomicUsize,
    is_hanging: AtomicBool,
}

impl FakeSecrets {
    /// Sets a parameter; an empty value is one that cannot be read.
    pub fn set(&self, name: &str, value: impl Into<Vec<u8>>) {
        locked(&self.parameters).insert(name.to_owned(), value.into());
    }

    /// Sets what a parameter is once it is read anew; until then the present value goes on.
    pub fn then(&self, name: &str, value: impl Into<Vec<u8>>) {
        locked(&self.newer).insert(name.to_owned(), value.into());
    }

    /// Takes a parameter away: reading it fails.
    pub fn remove(&self, name: &str) {
        locked(&self.parameters).remove(name);
    }

    /// Reads that begin from now on never end.
    pub fn set_hanging(&self, hanging: bool) {
        self.is_hanging.store(hanging, Ordering::Relaxed);
    }

    /// How many reads there were.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for FakeSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeSecrets").field("reads", &self.reads()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Secrets for FakeSecrets {
    async fn read(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.is_hanging.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        let value = match reference {
            SecretRef::Inline(value) => value.clone().into_bytes(),
            SecretRef::Ssm(name) => locked(&self.parameters).get(name).cloned().ok_or_else(|| {
                SecretError::Unavailable { name: name.clone(), cause: "there is no such parameter".to_owned() }
            })?,
        };
        SecretValue::new(value).ok_or_else(|| SecretError::Empty(reference.name().to_owned()))
    }

    async fn refresh(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        if let Some(newer) = locked(&self.newer).remove(reference.name()) {
            self.set(reference.name(), newer);
        }
        self.read(reference).await
    }
}
