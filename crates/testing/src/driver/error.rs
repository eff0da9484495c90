//! Why a driver could not start, or an invocation got no answer.

use std::path::PathBuf;
use std::time::Duration;

use super::answer::ErrorReport;

/// Why a driver could not start, an invocation got no answer, or a wait was given up.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The function binary could not be executed.
    #[error("the function binary {} could not be started", path.display())]
    Spawn {
        /// The binary.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// No listener could be opened on the loopback interface.
    #[error("no loopback listener could be opened")]
    Listen(#[source] std::io::Error),
    /// A process ended before it asked for its first invocation.
    #[error("environment {environment} ended before its first /next ({status}); log:\n{log}")]
    EndedAtStart {
        /// Index of the environment.
        environment: usize,
        /// Exit status.
        status: String,
        /// What it wrote.
        log: String,
    },
    /// A function reported an init error.
    #[error("environment {environment} reported an init error: {report}; log:\n{log}")]
    InitFailed {
        /// Index of the environment.
        environment: usize,
        /// The report it posted.
        report: ErrorReport,
        /// What it wrote.
        log: String,
    },
    /// The process ended while it worked on the invocation.
    #[error("the function's process ended during the invocation ({status})")]
    Exited {
        /// Exit status.
        status: String,
    },
    /// The invocation's deadline passed; its process has been killed, as Lambda does.
    #[error("the function did not answer within {0:?}")]
    TimedOut(Duration),
    /// Every environment has ended and none will be started again.
    #[error("every environment has ended")]
    NoEnvironment,
    /// There is no environment of that index.
    #[error("there is no environment {0}")]
    UnknownEnvironment(usize),
    /// What was waited for did not come.
    #[error("waited too long for {what}; log:\n{log}")]
    WaitedTooLong {
        /// What was waited for.
        what: &'static str,
        /// What the processes wrote.
        log: String,
    },
}
