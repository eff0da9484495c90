//! What is known of each environment.

use std::collections::VecDeque;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::answer::ErrorReport;
use super::extensions::Extensions;
use super::process::Command;

/// An environment at one moment.
#[derive(Debug, Clone)]
pub struct EnvironmentInfo {
    /// Its index, from 0.
    pub index: usize,
    /// Process id, absent when no process runs.
    pub pid: Option<u32>,
    /// Whether a process runs.
    pub alive: bool,
    /// When the process that runs, or ran last, was started.
    pub started_at: Instant,
    /// Time from process start to its first `/next`, absent before that.
    pub ready_after: Option<Duration>,
    /// How often the process has asked for an invocation.
    pub polls: u64,
    /// Invocations it works on.
    pub running: usize,
    /// Names of the extensions that the process registered.
    pub extensions: Vec<String>,
    /// How often a process of this environment has ended.
    pub exits: u64,
    /// Status of the process that ended last.
    pub last_exit: Option<ExitStatus>,
}

#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    /// Whether a process runs, or is being started.
    pub(crate) alive: bool,
    pub(crate) pid: Option<u32>,
    pub(crate) started: Instant,
    pub(crate) ready_after: Option<Duration>,
    pub(crate) polls: u64,
    pub(crate) running: usize,
    pub(crate) extensions: Extensions,
    pub(crate) init_error: Option<ErrorReport>,
    pub(crate) exits: u64,
    pub(crate) last_exit: Option<ExitStatus>,
    /// Whether no process will be started again.
    pub(crate) ended: bool,
    /// Numbers of the answered invocations after which no `/next` has been asked yet.
    pub(crate) unfollowed: VecDeque<u64>,
}

impl Environment {
    pub(crate) fn new(commands: mpsc::UnboundedSender<Command>, now: Instant) -> Self {
        Self {
            commands,
            alive: false,
            pid: None,
            started: now,
            ready_after: None,
            polls: 0,
            running: 0,
            extensions: Extensions::default(),
            init_error: None,
            exits: 0,
            last_exit: None,
            ended: false,
            unfollowed: VecDeque::new(),
        }
    }

    /// Forgets what belonged to the process that ended.
    pub(crate) fn exited(&mut self, status: Option<ExitStatus>) {
        self.alive = false;
        self.pid = None;
        self.running = 0;
        self.extensions = Extensions::default();
        self.exits += 1;
        self.last_exit = status;
        self.unfollowed.clear();
    }

    pub(crate) fn spawning(&mut self, now: Instant) {
        self.alive = true;
        self.started = now;
        self.ready_after = None;
        self.polls = 0;
        self.init_error = None;
    }

    pub(crate) fn info(&self, index: usize) -> EnvironmentInfo {
        EnvironmentInfo {
            index,
            pid: self.pid,
            alive: self.alive,
            started_at: self.started,
            ready_after: self.ready_after,
            polls: self.polls,
            running: self.running,
            extensions: self.extensions.names(),
            exits: self.exits,
            last_exit: self.last_exit,
        }
    }
}
