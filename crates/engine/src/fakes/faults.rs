//! How a fake store is made to fail, and what it was asked.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;

use super::locked;
use crate::ports::StoreError;

/// The switches of a fake store.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
    under_way: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    next: VecDeque<Option<StoreError>>,
    always: Option<StoreError>,
    patience: Option<Duration>,
    operations: Vec<&'static str>,
}

impl Faults {
    /// The next operation that has no failure waiting yet fails so, once.
    pub fn fail_next(&self, error: StoreError) {
        locked(&self.state).next.push_back(Some(error));
    }

    /// The next operation that has no failure waiting yet passes by what [`Faults::fail_next`] says after this.
    pub fn pass_next(&self) {
        locked(&self.state).next.push_back(None);
    }

    /// Every operation fails so, until `None` is set.
    pub fn set_failing(&self, error: Option<StoreError>) {
        locked(&self.state).always = error;
    }

    /// Every operation fails as that of a store which nobody can reach.
    pub fn set_down(&self, down: bool) {
        self.set_failing(down.then(|| StoreError::Unavailable("the fake store is down".to_owned())));
    }

    /// Operations that begin from now on never end.
    pub fn set_hanging(&self, hanging: bool) {
        locked(&self.state).patience = hanging.then_some(Duration::MAX);
    }

    /// Operations that begin from now on take so long, on the runtime's clock.
    pub fn set_slow(&self, duration: Option<Duration>) {
        locked(&self.state).patience = duration;
    }

    /// How many operations have begun, and neither ended nor been given up.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// The names of the operations so far, failed ones included, oldest first.
    #[must_use]
    pub fn operations(&self) -> Vec<&'static str> {
        locked(&self.state).operations.clone()
    }

    /// How often one operation was asked for.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        locked(&self.state).operations.iter().filter(|name| **name == operation).count()
    }

    /// Forgets which operations there were.
    pub fn forget_operations(&self) {
        locked(&self.state).operations.clear();
    }

    /// What every operation does first.
    pub(super) async fn begin(&self, operation: &'static str) -> Result<(), StoreError> {
        let _under_way = UnderWay::begin(&self.under_way);
        if let Some(duration) = self.note(operation) {
            // Nothing comes; only time passes.
            let _ = timeout(duration, std::future::pending::<()>()).await;
        }
        let mut state = locked(&self.state);
        let error = state.next.pop_front().flatten().or_else(|| state.always.clone());
        error.map_or(Ok(()), Err)
    }

    /// Notes the operation; says how long it takes.
    fn note(&self, operation: &'static str) -> Option<Duration> {
        let mut state = locked(&self.state);
        state.operations.push(operation);
        state.patience
    }
}

/// An operation that is being waited for.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
