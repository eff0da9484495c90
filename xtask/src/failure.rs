//! Why a command cannot go on.

/// One message for the person at the terminal: what is wrong, and what to do about it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A `map_err` that puts `what` before the cause.
    pub(crate) fn because<E: std::fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |cause| Self(format!("{}: {cause}", what.into()))
    }
}
