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

use crate::{
    AwsConfig,
    deferred::{Deferred, deferred},
    errors::describe,
};

/// How long a value is used before it is read again.
pub const TTL: Duration = Duration::from_secs(5 * 60);
/// How long a value is used although it did not do.
pub const REFRESH_TTL: Duration = Duration::from_secs(30);
/// How long a failure is remembered.
pub const NEGATIVE_TTL: Duration = Duration::from_secs(10);
/// How many names are remembered. They come from the document only, and AWS's values have at most 64 KB (Secrets Manager;
/// SSM 8 KB), so that the bytes are bounded, too.
pub const NAMES_MAX: NonZeroUsize = NonZeroUsize::new(512).expect("512 is not zero");

/// Reads secrets from SSM and remembers each for [`TTL`] of wall time.
///
/// One read at a time per name: others wait for it. A value past its time is never used, so a secret that
/// cannot be read any more fails closed (SECURITY.md 11).
pub struct SsmSecrets {
    client: Deferred<Client>,
    clock: Arc<dyn Clock>,
    allow_inline: bool,
    slots: Mutex<LruCache<String, Arc<Slot>>>,
}

/// One name.
#[derive(Default)]
struct Slot {
    remembered: Mutex<Option<Remembered>>,
    /// One read at a time.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Remembered {
    at: Timestamp,
    /// When it was last tried to read it.
    tried_at: Timestamp,
    value: Result<SecretValue, SecretError>,
}

impl Slot {
    fn remembered(&self) -> Option<Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, remembered: Remembered) {
        *self.remembered.lock().unwrap_or_else(PoisonError::into_inner) = Some(remembered);
    }
}

impl SsmSecrets {
    /// `allow_inline` is the development switch: without it an inline secret is refused.
    #[must_use]
    pub fn new(config: &AwsConfig, clock: Arc<dyn Clock>, allow_inline: bool) -> Self {
        let slots = Mutex::new(LruCache::new(NAMES_MAX));
        let sdk = config.sdk().clone();
        Self { client: deferred(move || Client::new(&sdk)), clock, allow_inline, slots }
    }

    /// The value as it was read within [`TTL`], or else as it is now.
    async fn read_parameter(&self, name: &str) -> Result<SecretValue, SecretError> {
        let slot = self.slot(name);
        if let Some(known) = slot.remembered().filter(|known| known.counts(self.clock.now())) {
            return known.value;
        }
        let _reading = slot.reading.lock().await;
        if let Some(known) = slot.remembered().filter(|known| known.counts(self.clock.now())) {
            return known.value;
        }
        let value = self.fetch(name).await;
        let at = self.clock.now();
        slot.remember(Remembered { at, tried_at: at, value: value.clone() });
        value
    }

    /// The value as it is now, unless that was tried within [`REFRESH_TTL`]. Others go on with the present one, and so
    /// does everybody where no newer one can be had.
    async fn refresh_parameter(&self, name: &str) -> Result<SecretValue, SecretError> {
        let slot = self.slot(name);
        let reading = slot.reading.lock().await;
        let known = slot.remembered().filter(|known| known.counts(self.clock.now()));
        let Some(known) = known else {
            drop(reading);
            return self.read_parameter(name).await;
        };
        if known.was_tried(self.clock.now()) {
            return known.value;
        }
        let value = self.fetch(name).await;
        let tried_at = self.clock.now();
        let newer = match value {
            Ok(value) => Remembered { at: tried_at, tried_at, value: Ok(value) },
            Err(_) => Remembered { tried_at, ..known },
        };
        slot.remember(newer.clone());
        newer.value
    }

    fn slot(&self, name: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.get_or_insert(name.to_owned(), Arc::default))
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
    fn was_tried(&self, now: Timestamp) -> bool {
        self.tried_at <= now && now.since(self.tried_at) < REFRESH_TTL
    }

    fn counts(&self, now: Timestamp) -> bool {
        let ttl = if self.value.is_ok() { TTL } else { NEGATIVE_TTL };
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
        match reference {
            SecretRef::Ssm(name) => self.read_parameter(name).await,
            SecretRef::Inline(value) => self.inline(reference, value),
        }
    }

    async fn refresh(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        match reference {
            SecretRef::Ssm(name) => self.refresh_parameter(name).await,
            SecretRef::Inline(value) => self.inline(reference, value),
        }
    }
}

impl SsmSecrets {
    fn inline(&self, reference: &SecretRef, value: &str) -> Result<SecretValue, SecretError> {
        if !self.allow_inline {
            return Err(SecretError::InlineForbidden);
        }
        SecretValue::new(value.as_bytes()).ok_or_else(|| SecretError::Empty(reference.name().to_owned()))
    }
}
