//! Waiting for a fact instead of sleeping.

use std::time::Duration;

use tokio::sync::watch;

/// The longest wait for anything a function should do soon.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(20);

/// A counter of changes that waiters can follow.
#[derive(Debug)]
pub(crate) struct Changes(watch::Sender<u64>);

impl Changes {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub(crate) fn notify(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Looks again after every change until `look` yields, for at most [`WAIT_MAX`].
    pub(crate) async fn until<T>(&self, look: impl FnMut() -> Option<T>) -> Option<T> {
        tokio::time::timeout(WAIT_MAX, self.until_unbounded(look)).await.ok()
    }

    /// Looks again after every change until `look` yields.
    pub(crate) async fn until_unbounded<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let mut changes = self.0.subscribe();
        loop {
            if let Some(found) = look() {
                return found;
            }
            // The sender lives in `self`, so this does not fail.
            let _ = changes.changed().await;
        }
    }
}
