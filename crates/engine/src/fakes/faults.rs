//! How a fake store is made to fail, and what it was asked.

use std::{collections::VecDeque, sync::Mutex};

use super::locked;
use crate::ports::StoreError;

/// The switches of a fake store.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: VecDeque<Option<StoreError>>,
    always: Option<StoreError>,
    hanging: bool,
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
        locked(&self.state).hanging = hanging;
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
        if self.note(operation) {
            std::future::pending::<()>().await;
        }
        let mut state = locked(&self.state);
        let error = state.next.pop_front().flatten().or_else(|| state.always.clone());
        error.map_or(Ok(()), Err)
    }

    /// Notes the operation; says whether it hangs.
    fn note(&self, operation: &'static str) -> bool {
        let mut state = locked(&self.state);
        state.operations.push(operation);
        state.hanging
    }
}
