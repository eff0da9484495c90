//! How the program ends.

use std::process::ExitCode;

use faregate_core::diagnostic::Diagnostic;
use faregate_engine::{
    ports::StoreError,
    publish::{ApplyError, PublishError},
};

/// What the shell gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; no difference.
    Done,
    /// The operation failed: the store, a lock, other publishers.
    Failed,
    /// The command line asks for something impossible; clap's own code, too.
    Usage,
    /// The configuration has errors, or a check found something.
    Findings,
    /// `diff` found differences.
    Differences,
    /// There is no such version, key or route.
    NotFound,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Findings => 3,
            Exit::Differences => 4,
            Exit::NotFound => 5,
        })
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Something on the command line cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// A file or a standard stream.
    #[error("{name}: {cause}")]
    File {
        /// The file's name.
        name: String,
        /// What went wrong.
        cause: std::io::Error,
    },
    /// The configuration has errors.
    #[error("{message}")]
    Refused {
        /// What was not done because of them.
        message: String,
        /// Every finding.
        diagnostics: Vec<Diagnostic>,
    },
    /// A check found something.
    #[error("{0}")]
    Findings(String),
    /// Somebody else is applying a change.
    #[error("{0}")]
    Locked(&'static str),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The table does not do what it is asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Publishing failed.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Anything else that failed, in words.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    /// The configuration has errors, which stand in the answer already.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), diagnostics: Vec::new() }
    }

    /// The stable word for `--json`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::File { .. } => "file",
            Self::Refused { .. } => "refused",
            Self::Findings(_) => "findings",
            Self::Locked(_) => "locked",
            Self::NotFound(_) => "not_found",
            Self::Store(_) | Self::Publish(PublishError::Store(_)) => "store",
            Self::Publish(PublishError::Contended) => "contended",
            Self::Publish(PublishError::Pack(_)) => "snapshot",
            Self::Failed(_) => "failed",
        }
    }

    /// What the shell gets.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Refused { .. } | Self::Findings(_) => Exit::Findings,
            Self::NotFound(_) => Exit::NotFound,
            Self::File { .. } | Self::Locked(_) | Self::Store(_) | Self::Publish(_) | Self::Failed(_) => Exit::Failed,
        }
    }
}

impl From<ApplyError> for CliError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Refused(diagnostics) => {
                Self::Refused { message: "the configuration has errors; nothing was written".to_owned(), diagnostics }
            }
            ApplyError::Changed => Self::Failed(error.to_string()),
            ApplyError::Locked => Self::Locked("another apply is at work; try again in a minute"),
            ApplyError::UnknownVersion(_) => Self::NotFound(error.to_string()),
            ApplyError::Publish(error) => Self::Publish(error),
        }
    }
}
