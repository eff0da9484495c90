//! Publishing after an apply that is at work.

use std::time::Duration;

use faregate_core::time::Timestamp;
use tokio::time::sleep;

use super::{Outcome, PublishError, PublishOptions, foreign_lock, publish};
use crate::ports::{Clock, ConfigStore};

/// How often the lock is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Publishes as [`publish`] does, once no apply is at work, and gives up at `until`.
///
/// The apply publishes, too; but what is written after it has read the entries, and what one leaves behind that broke off,
/// is published by nobody else before the next schedule.
///
/// # Errors
///
/// As [`publish`]. [`Outcome::Locked`] says that the lock is still held at `until`.
pub async fn publish_when_free(
    store: &dyn ConfigStore,
    clock: &dyn Clock,
    options: PublishOptions<'_>,
    until: Timestamp,
) -> Result<Outcome, PublishError> {
    loop {
        let outcome = publish(store, clock, options).await?;
        let Outcome::Locked(lock) = &outcome else { return Ok(outcome) };
        // `cargo xtask dev` shows it.
        tracing::warn!("waiting for an apply, which holds the lock until {}", lock.expires_at.rfc3339());
        while foreign_lock(store, clock, options).await?.is_some() {
            if clock.now().plus(LOOK) > until {
                return Ok(outcome);
            }
            sleep(LOOK).await;
        }
    }
}
