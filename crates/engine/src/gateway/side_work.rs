//! Work that no client waits for and no environment may freeze upon.

use std::time::Duration;

use tokio::{task::JoinSet, time::timeout};

/// Tasks of one invocation, joined after its answer was taken and before the next one is asked for.
#[derive(Debug, Default)]
pub struct SideWork {
    tasks: JoinSet<()>,
}

impl SideWork {
    /// How long side work may take after the answer.
    pub const LIMIT: Duration = Duration::from_millis(500);

    /// Starts a task.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits for the tasks; aborts what is not done within `limit`.
    ///
    /// A task that panicked is done: what it did not do, the next invocation's side work will.
    pub async fn join(mut self, limit: Duration) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(limit, all).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}
