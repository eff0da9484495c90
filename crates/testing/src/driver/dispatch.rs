//! Which environment gets which invocation, and what became of it.

mod state;

use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::answer::{AnswerStream, Ending, ErrorReport};
use super::clock;
use super::environment::EnvironmentInfo;
use super::error::DriverError;
use super::extensions::{EventKind, ExtensionEvent};
use super::process::Command;
use super::record::InvocationRecord;
use super::wait::Changes;
use state::{Job, State};

pub(crate) use state::{Delivery, Rules, new_id};

/// The state that Runtime APIs, front, supervisors and tests share. Every change is announced.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    state: Mutex<State>,
    changes: Changes,
}

/// The right to answer one invocation. Dropped unused, as when the connection is lost, it counts
/// as a broken answer.
#[derive(Debug)]
pub(crate) struct Completion<'a> {
    dispatcher: &'a Dispatcher,
    request_id: String,
    finished: bool,
}

impl Dispatcher {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { state: Mutex::new(State::new(rules)), changes: Changes::new() }
    }

    /// Adds an environment; its process gets `commands`.
    pub(crate) fn add_environment(&self, commands: mpsc::UnboundedSender<Command>) {
        self.change(|state| state.add_environment(commands));
    }

    pub(crate) async fn submit(&self, event: Bytes) -> Result<AnswerStream, DriverError> {
        let request_id = new_id();
        let trace_id = trace_id();
        self.submit_as(request_id, trace_id, event).await
    }

    /// Queues an invocation and waits until its answer begins.
    pub(crate) async fn submit_as(
        &self,
        request_id: String,
        trace_id: String,
        event: Bytes,
    ) -> Result<AnswerStream, DriverError> {
        let (reply, answer) = oneshot::channel();
        let job = Job { request_id, trace_id, event, queued: clock::now(), reply };
        self.change(|state| state.submit(job));
        // The sender is dropped unused only with the state itself.
        answer.await.unwrap_or(Err(DriverError::NoEnvironment))
    }

    /// A `/next` of `environment`: will yield an invocation.
    pub(crate) fn park(&self, environment: usize) -> oneshot::Receiver<Delivery> {
        self.change(|state| state.park(environment))
    }

    /// The answer to `request_id` begins; `None` if no such invocation runs in `environment`.
    pub(crate) fn begin_answer(
        &self,
        environment: usize,
        request_id: &str,
        answer: AnswerStream,
    ) -> Option<Completion<'_>> {
        let begun = self.change(|state| state.begin_answer(environment, request_id, answer));
        begun.then(|| Completion { dispatcher: self, request_id: request_id.to_owned(), finished: false })
    }

    pub(crate) fn init_failed(&self, environment: usize, report: ErrorReport) {
        self.change(|state| state.environments[environment].init_error = Some(report));
    }

    /// A process of `environment` is about to be started.
    pub(crate) fn spawning(&self, environment: usize) {
        self.change(|state| state.environments[environment].spawning(clock::now()));
    }

    pub(crate) fn spawned(&self, environment: usize, pid: Option<u32>) {
        self.change(|state| state.environments[environment].pid = pid);
    }

    /// The process of `environment` ended; `ended` says that no other follows.
    pub(crate) fn exited(&self, environment: usize, status: Option<ExitStatus>, ended: bool) {
        self.change(|state| state.exited(environment, status, ended));
    }

    pub(crate) fn register_extension(
        &self,
        environment: usize,
        name: String,
        events: Vec<EventKind>,
    ) -> Option<String> {
        self.change(|state| {
            let id = new_id();
            let extensions = &mut state.environments[environment].extensions;
            extensions.register(id.clone(), name, events).then_some(id)
        })
    }

    pub(crate) fn next_extension_event(
        &self,
        environment: usize,
        id: &str,
    ) -> Option<oneshot::Receiver<ExtensionEvent>> {
        self.lock().environments[environment].extensions.next(id)
    }

    /// Refuses all further invocations and tells the extensions.
    pub(crate) fn close(&self) {
        self.change(State::close);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Sends `command` to the process of an environment. Yields the number of exits after which
    /// that process is gone.
    pub(crate) fn command(&self, index: usize, command: Command) -> Result<u64, DriverError> {
        let state = self.lock();
        let found = state.environments.get(index);
        let environment = found.ok_or(DriverError::UnknownEnvironment(index))?;
        // Fails only when the supervisor is gone, and the process with it.
        let _ = environment.commands.send(command);
        Ok(environment.exits + u64::from(!environment.ended))
    }

    pub(crate) fn command_all(&self, command: Command) {
        for environment in &self.lock().environments {
            // As above.
            let _ = environment.commands.send(command);
        }
    }

    pub(crate) fn environments(&self) -> Vec<EnvironmentInfo> {
        let state = self.lock();
        let environments = state.environments.iter().enumerate();
        environments.map(|(index, environment)| environment.info(index)).collect()
    }

    pub(crate) fn records(&self) -> Vec<InvocationRecord> {
        self.lock().records.iter().cloned().collect()
    }

    pub(crate) fn records_total(&self) -> u64 {
        self.lock().records.total()
    }

    pub(crate) async fn wait_for_record(
        &self,
        mut predicate: impl FnMut(&InvocationRecord) -> bool,
    ) -> Option<InvocationRecord> {
        let look = || self.lock().records.iter().find(|record| predicate(record)).cloned();
        self.changes.until(look).await
    }

    pub(crate) async fn wait_until_idle(&self) -> Option<()> {
        self.changes.until(|| self.lock().is_idle().then_some(())).await
    }

    pub(crate) async fn wait_for_exit(&self, index: usize, exits: u64) -> Option<ExitStatus> {
        let look = || {
            let environment = &self.lock().environments[index];
            (environment.exits >= exits).then_some(environment.last_exit)
        };
        self.changes.until(look).await.flatten()
    }

    pub(crate) async fn wait_until_ended(&self) {
        let ended = || self.lock().environments.iter().all(|environment| environment.ended);
        // Killed processes end; a wait that is too long shows in their missing status.
        let _ = self.changes.until(|| ended().then_some(())).await;
    }

    /// Waits until the process of `environment` has asked for its first invocation.
    pub(crate) async fn wait_until_ready(&self, index: usize) -> Option<Result<(), NotReady>> {
        let look = || {
            let environment = &self.lock().environments[index];
            if let Some(report) = &environment.init_error {
                return Some(Err(NotReady::InitFailed(report.clone())));
            }
            if environment.exits > 0 {
                return Some(Err(NotReady::Ended(environment.last_exit)));
            }
            environment.ready_after.map(|_| Ok(()))
        };
        self.changes.until(look).await
    }

    /// Ends invocations whose deadline has passed, until dropped.
    pub(crate) async fn enforce_deadlines(&self) {
        loop {
            let earliest = || self.lock().earliest_deadline();
            let deadline = self.changes.until_unbounded(earliest).await;
            tokio::time::sleep_until(deadline.into()).await;
            self.change(|state| state.expire(clock::now()));
        }
    }

    fn change<T>(&self, edit: impl FnOnce(&mut State) -> T) -> T {
        let result = edit(&mut self.lock());
        self.changes.notify();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Completion<'_> {
    /// Says how the answer ended; the environment may get another invocation.
    pub(crate) fn finish(mut self, ending: &Ending) {
        self.finished = true;
        let outcome = ending.outcome();
        self.dispatcher.change(|state| state.finish(&self.request_id, outcome));
    }
}

impl Drop for Completion<'_> {
    fn drop(&mut self) {
        if !self.finished {
            let outcome = super::record::Outcome::Broken;
            self.dispatcher.change(|state| state.finish(&self.request_id, outcome));
        }
    }
}

/// Why an environment did not become ready.
#[derive(Debug)]
pub(crate) enum NotReady {
    InitFailed(ErrorReport),
    Ended(Option<ExitStatus>),
}

/// A new `X-Amzn-Trace-Id`, not sampled.
pub(crate) fn trace_id() -> String {
    let since_epoch = clock::since_epoch();
    let (seconds, nanos) = (since_epoch.as_secs(), since_epoch.as_nanos());
    format!("Root=1-{seconds:08x}-{:024x};Sampled=0", nanos & ((1 << 96) - 1))
}
