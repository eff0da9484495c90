//! The end of the time that a request has.

use std::time::Duration;

use tokio::time::timeout;

use crate::ports::Clock;

/// What is left for the answer and the side work when the invocation's time ends.
const RESERVE: Duration = Duration::from_millis(250);

/// By when whatever the answer waits for must have ended; without an end where the host does not say how much time
/// it leaves.
#[derive(Clone, Copy)]
pub(super) struct Deadline<'a> {
    clock: &'a dyn Clock,
    /// On the monotonic clock.
    end: Option<Duration>,
}

impl<'a> Deadline<'a> {
    /// The deadline of a request that came just now.
    pub(super) fn new(clock: &'a dyn Clock, remaining: Option<Duration>) -> Self {
        let end = remaining.map(|remaining| clock.monotonic().saturating_add(remaining).saturating_sub(RESERVE));
        Self { clock, end }
    }

    /// How much time is left, if there is an end.
    pub(super) fn left(&self) -> Option<Duration> {
        self.end.map(|end| end.saturating_sub(self.clock.monotonic()))
    }

    /// So long, or what is left where that is less.
    pub(super) fn within(&self, limit: Duration) -> Duration {
        self.left().map_or(limit, |left| left.min(limit))
    }

    /// Waits for work to be done, but no longer than to the end; `None` where it was not.
    pub(super) async fn bound<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        match self.left() {
            Some(left) => timeout(left, work).await.ok(),
            None => Some(work.await),
        }
    }
}
