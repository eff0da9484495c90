//! Why there is no stack.

use faregate_core::diagnostic::Diagnostic;
use faregate_engine::publish::{ApplyError, PublishError};
use faregate_testing::{driver::DriverError, dynamodb::DynamoDbError};

use crate::support::binary::MissingBinary;

/// Why a stack did not start, or does not take a document.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The database or its tables.
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    /// The document has mistakes.
    #[error("the document is refused:{}", lines(.0))]
    Refused(Vec<Diagnostic>),
    /// The document could not be written.
    #[error("the document could not be applied: {0}")]
    Apply(ApplyError),
    /// The document could not be published.
    #[error("the document could not be published: {0}")]
    Publish(#[from] PublishError),
    /// A binary was not built.
    #[error(transparent)]
    Binary(#[from] MissingBinary),
    /// The function did not start.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

impl From<ApplyError> for StackError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Refused(diagnostics) => Self::Refused(diagnostics),
            ApplyError::Publish(error) => Self::Publish(error),
            other => Self::Apply(other),
        }
    }
}

fn lines(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| format!("\n  {diagnostic}")).collect()
}
