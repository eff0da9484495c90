//! Secrets in SSM parameters; `/aws/reference/secretsmanager/NAME` leads to Secrets Manager.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_ssm::Client;
use faregate_core::{
    secret::{SecretRef, SecretValue},
    time::Timestamp,
};
use faregate_engine::ports::{Clock, SecretError, Secrets};
use lru::LruCache;

use crate::{AwsConfig, errors::describe};

/// How long a value is used before it is read again.
pub const TTL: Duration = Duration::from_secs(5 * 60);
/// How long a value is used although it did not do.
pub const REFRESH_TTL: Duration = Duration::from_secs(30);
/// How long a failure is remembered.
pub const NEGATIVE_TTL: Duration = Duration::from_secs(10);
/// How many names are remembered.
pub const NAMES_MAX: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");

/// Reads secrets from SSM and remembers each for [`TTL`] of wall time.
///
/// One read at a time per name: others wait for it. A value past its time is never used, so a secret that
/// cannot be read any more fails closed (SECURITY.md 11).
pub struct SsmSecrets {
    client: Client,
    clock: Arc<dyn Clock>,
    allow_inline: bool,
    slots: Mutex<LruCache<String, Slot>>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Remembered>>>;

struct Remembered {
    at: Timestamp,
    value: Result<SecretValue, SecretError>,
}

impl SsmSecrets {
    /// `allow_inline` is the development switch: without it an inline secret is refused.
    #[must_use]
    pub fn new(config: &AwsConfig, clock: Arc<dyn Clock>, allow_inline: bool) -> Self {
        let slots = Mutex::new(LruCache::new(NAMES_MAX));
        Self { client: Client::new(config.sdk()), clock, allow_inline, slots }
    }

    /// The value as it was read within `ttl`, or else as it is now.
    async fn read_parameter(&self, name: &str, ttl: Duration) -> Result<SecretValue, SecretError> {
        let slot = self.slot(name);
        let mut remembered = slot.lock().await;
        if let Some(known) = remembered.as_ref().filter(|known| known.counts(self.clock.now(), ttl)) {
            return known.value.clone();
        }
        // Forgotten first: a read that is given up must not leave the old value behind.
        *remembered = None;
        let value = self.fetch(name).await;
        *remembered = Some(Remembered { at: self.clock.now(), value: value.clone() });
        value
    }

    fn slot(&self, name: &str) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get_or_insert(name.to_owned(), Slot::default).clone()
    }

    async fn fetch(&self, name: &str) -> Result<SecretValue, SecretError> {
        let answer = self.client.get_parameter().name(name).with_decryption(true).send().await;
        let answer =
            answer.map_err(|error| SecretError::Unavailable { name: name.to_owned(), cause: describe(&error) })?;
        let value = answer.parameter.and_then(|parameter| parameter.value).unwrap_or_default();
        SecretValue::new(value).ok_or_else(|| SecretError::Empty(name.to_owned()))
    }
}

impl Remembered {
    fn counts(&self, now: Timestamp, ttl: Duration) -> bool {
        let ttl = if self.value.is_ok() { ttl } else { NEGATIVE_TTL };
        // A clock that was set back says nothing about the age.
        self.at <= now && now.since(self.at) < ttl
    }
}

impl std::fmt::Debug for SsmSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SsmSecrets").field("allow_inline", &self.allow_inline).finish_non_exhaustive()
    }
}

#[async_trait]
impl Secrets for SsmSecrets {
    async fn read(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        self.read_within(reference, TTL).await
    }

    async fn refresh(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        self.read_within(reference, REFRESH_TTL).await
    }
}

impl SsmSecrets {
    async fn read_within(&self, reference: &SecretRef, ttl: Duration) -> Result<SecretValue, SecretError> {
        match reference {
            SecretRef::Ssm(name) => self.read_parameter(name, ttl).await,
            SecretRef::Inline(_) if !self.allow_inline => Err(SecretError::InlineForbidden),
            SecretRef::Inline(value) => {
                SecretValue::new(value.as_bytes()).ok_or_else(|| SecretError::Empty(reference.name().to_owned()))
            }
        }
    }
}
