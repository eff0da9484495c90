//! A small AWS Lambda for tests and benches: it runs an unmodified function binary.
//!
//! [`Driver`] starts the binary in one or more environments (processes). Each has its own Runtime
//! API and Extensions API on the loopback interface; a function URL front turns HTTP requests into
//! payload 2.0 events and the answers back into HTTP, chunk by chunk.
//!
//! It does as Lambda does where a gateway can tell: one request at a time per environment (unless
//! [`DriverBuilder::concurrency`] says more), the environment that became idle last is chosen first,
//! requests wait while all are busy, and an answer that breaks breaks the client's connection.
//!
//! What it does not do: freeze processes between invocations, limit CPU or memory, rename response
//! headers (`x-amzn-remapped-*`), or check signatures. Hop-by-hop request headers other than
//! `transfer-encoding` reach the event.

mod answer;
mod builder;
mod clock;
mod dispatch;
mod environment;
mod error;
mod event;
mod extensions;
mod front;
mod head;
mod log;
mod process;
mod record;
mod reply;
mod runtime_api;
mod server;
mod wait;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

pub use answer::{AnswerStream, Ending, ErrorReport, Frame, RawAnswer, ResponseMode, StreamFailure};
pub use builder::DriverBuilder;
pub use environment::EnvironmentInfo;
pub use error::DriverError;
pub use log::{LogLine, LogStream};
pub use record::{InvocationRecord, Outcome};

use dispatch::Dispatcher;
use log::Log;
use process::Command;

/// Time between SIGTERM and SIGKILL at shutdown, as Lambda gives an internal extension.
pub const TERMINATION_GRACE: Duration = Duration::from_millis(500);

/// Function processes, their Runtime APIs, and the function URL in front of them.
///
/// Dropping it kills the processes and closes every listener.
#[derive(Debug)]
pub struct Driver {
    dispatcher: Arc<Dispatcher>,
    log: Arc<Log>,
    address: SocketAddr,
    /// Listeners and process supervisors: aborted on drop, which kills the processes.
    _tasks: JoinSet<()>,
}

/// How one environment ended.
#[derive(Debug, Clone)]
pub struct Stopped {
    /// Index of the environment.
    pub environment: usize,
    /// Exit status of its last process, absent if the process could not be reaped.
    pub status: Option<ExitStatus>,
    /// Everything it wrote to standard output and error.
    pub log: Vec<String>,
}

impl Driver {
    /// Begins to describe a driver for the function binary at `binary`.
    pub fn builder(binary: impl Into<PathBuf>) -> DriverBuilder {
        DriverBuilder::new(binary.into())
    }

    /// Address of the function URL front.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The function URL, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Invokes the function with `event` and collects what it posts.
    ///
    /// # Errors
    /// If the process ends or the time runs out before an answer began.
    pub async fn invoke(&self, event: &serde_json::Value) -> Result<RawAnswer, DriverError> {
        Ok(self.invoke_streaming(event).await?.collect().await)
    }

    /// Invokes the function with bytes that need not be JSON, and collects what it posts.
    ///
    /// # Errors
    /// As [`Driver::invoke`].
    pub async fn invoke_bytes(&self, event: impl Into<Bytes>) -> Result<RawAnswer, DriverError> {
        let answer = self.dispatcher.submit(event.into()).await?;
        Ok(answer.collect().await)
    }

    /// Invokes the function and yields the answer's frames as they arrive at the Runtime API.
    ///
    /// # Errors
    /// As [`Driver::invoke`].
    pub async fn invoke_streaming(&self, event: &serde_json::Value) -> Result<AnswerStream, DriverError> {
        self.dispatcher.submit(Bytes::from(event.to_string())).await
    }

    /// The environments as they are now.
    pub fn environments(&self) -> Vec<EnvironmentInfo> {
        self.dispatcher.environments()
    }

    /// The invocations handed to an environment so far, oldest first; at most
    /// [`DriverBuilder::RECORDS_MAX`] are kept.
    pub fn invocations(&self) -> Vec<InvocationRecord> {
        self.dispatcher.records()
    }

    /// How many invocations have been handed to an environment, whether or not still recorded.
    pub fn invocations_total(&self) -> u64 {
        self.dispatcher.records_total()
    }

    /// What the processes have written so far, oldest first.
    pub fn log_lines(&self) -> Vec<LogLine> {
        self.log.lines()
    }

    /// Waits for a line, written already or still to come, that satisfies `predicate`.
    ///
    /// # Errors
    /// If none comes within 20 s.
    pub async fn wait_for_log(&self, predicate: impl FnMut(&LogLine) -> bool) -> Result<LogLine, DriverError> {
        let line = self.log.wait_for(predicate).await;
        line.ok_or_else(|| self.waited_too_long("a line of the log"))
    }

    /// Waits for the first invocation record, past or future, that satisfies `predicate`.
    ///
    /// # Errors
    /// If none comes within 20 s.
    pub async fn wait_for_invocation(
        &self,
        predicate: impl FnMut(&InvocationRecord) -> bool,
    ) -> Result<InvocationRecord, DriverError> {
        let record = self.dispatcher.wait_for_record(predicate).await;
        record.ok_or_else(|| self.waited_too_long("an invocation"))
    }

    /// Waits until no request is waiting or running and every living environment has asked for
    /// its next invocation, so that side work is over.
    ///
    /// # Errors
    /// If that takes more than 20 s.
    pub async fn wait_until_idle(&self) -> Result<(), DriverError> {
        let idle = self.dispatcher.wait_until_idle().await;
        idle.ok_or_else(|| self.waited_too_long("idle environments"))
    }

    /// Kills the process of environment `index` (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// If there is no such environment, or it does not end within 20 s.
    pub async fn kill(&self, index: usize) -> Result<ExitStatus, DriverError> {
        let exits = self.dispatcher.command(index, Command::Kill)?;
        let status = self.dispatcher.wait_for_exit(index, exits).await;
        status.ok_or_else(|| self.waited_too_long("the end of a killed process"))
    }

    /// Ends every environment as Lambda does: a `SHUTDOWN` event for the extensions that asked for
    /// it, SIGTERM, [`TERMINATION_GRACE`], SIGKILL. Requests that wait are refused.
    ///
    /// SIGTERM is sent whether or not an extension is registered; Lambda skips it without one.
    pub async fn shutdown(&self) -> Vec<Stopped> {
        self.dispatcher.close();
        self.dispatcher.command_all(Command::Terminate);
        let all_ended = self.dispatcher.wait_until_ended();
        if tokio::time::timeout(TERMINATION_GRACE, all_ended).await.is_err() {
            self.dispatcher.command_all(Command::Kill);
            self.dispatcher.wait_until_ended().await;
        }
        let environments = self.dispatcher.environments();
        environments.into_iter().map(|environment| self.stopped(&environment)).collect()
    }

    fn stopped(&self, environment: &EnvironmentInfo) -> Stopped {
        Stopped { environment: environment.index, status: environment.last_exit, log: self.log.of(environment.index) }
    }

    fn waited_too_long(&self, what: &'static str) -> DriverError {
        DriverError::WaitedTooLong { what, log: self.log.text() }
    }
}
