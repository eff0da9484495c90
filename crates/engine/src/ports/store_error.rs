//! How a store fails.

/// Why a store did not answer a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No connection, a time-out or a fault of the store.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store refuses because of too much traffic.
    #[error("the store is throttling: {0}")]
    Throttled(String),
    /// The store refuses this question: no permission, no such table.
    #[error("the store refused the request: {0}")]
    Rejected(String),
    /// The store refuses what this question says: a value that it cannot take.
    #[error("the store cannot take what the request says: {0}")]
    Invalid(String),
    /// What came back is not what was written there.
    #[error("the store's answer cannot be read: {0}")]
    Malformed(String),
}
