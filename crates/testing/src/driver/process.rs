//! Function processes: started as Lambda starts them, watched, and ended.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::dispatch::Dispatcher;
use super::error::DriverError;
use super::log::{Log, LogLine, LogStream};

/// How long the output of an ended process is read: a grandchild may hold the pipes open.
const LAST_WORDS: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Command {
    Terminate,
    Kill,
}

/// All that is needed to start the process of one environment.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) index: usize,
    pub(crate) binary: PathBuf,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) restart: bool,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) log: Arc<Log>,
}

impl Launch {
    pub(crate) fn spawn(&self) -> Result<Child, DriverError> {
        self.dispatcher.spawning(self.index);
        let child = tokio::process::Command::new(&self.binary)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| DriverError::Spawn { path: self.binary.clone(), source })?;
        self.dispatcher.spawned(self.index, child.id());
        Ok(child)
    }

    /// Follows `child`, and its successors if it is to be restarted, to the end.
    pub(crate) async fn supervise(self, mut child: Child, mut commands: mpsc::UnboundedReceiver<Command>) {
        loop {
            let status = self.follow(&mut child, &mut commands).await;
            let again = self.restart && !self.dispatcher.is_closing();
            self.dispatcher.exited(self.index, status, !again);
            if !again {
                return;
            }
            match self.spawn() {
                Ok(next) => child = next,
                Err(error) => {
                    let text = format!("driver: {error}");
                    let stream = LogStream::Error;
                    self.log.push(LogLine { environment: self.index, stream, text });
                    self.dispatcher.exited(self.index, None, true);
                    return;
                }
            }
        }
    }

    async fn follow(&self, child: &mut Child, commands: &mut mpsc::UnboundedReceiver<Command>) -> Option<ExitStatus> {
        let mut readers = JoinSet::new();
        if let Some(output) = child.stdout.take() {
            let (log, index) = (Arc::clone(&self.log), self.index);
            readers.spawn(async move { log.follow(index, LogStream::Output, output).await });
        }
        if let Some(output) = child.stderr.take() {
            let (log, index) = (Arc::clone(&self.log), self.index);
            readers.spawn(async move { log.follow(index, LogStream::Error, output).await });
        }
        let status = loop {
            tokio::select! {
                status = child.wait() => break status.ok(),
                Some(command) = commands.recv() => signal(child, command),
            }
        };
        let drained = async { while readers.join_next().await.is_some() {} };
        // Bounded: what was read by then is kept.
        let _ = tokio::time::timeout(LAST_WORDS, drained).await;
        status
    }
}

/// Signals a process that has not been reaped, so that its id cannot be another's.
fn signal(child: &Child, command: Command) {
    let signal = match command {
        Command::Terminate => Signal::TERM,
        Command::Kill => Signal::KILL,
    };
    let raw = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = raw.and_then(Pid::from_raw) {
        // It fails only when the process is gone already.
        let _ = kill_process(pid, signal);
    }
}
