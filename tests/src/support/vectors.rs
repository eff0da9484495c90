//! The public conformance suites, which the project does not commit.

use std::{fs, path::PathBuf};

use serde::de::DeserializeOwned;

/// Why a suite cannot be read although it is there.
#[derive(Debug, thiserror::Error)]
pub enum InvalidVectors {
    /// The file cannot be read.
    #[error("{} cannot be read", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// The file is not what is expected there.
    #[error("{} is not understood", .0.display())]
    Format(PathBuf, #[source] serde_json::Error),
}

/// Reads a file of the folder `FAREGATE_VECTORS`, by default `../shared/vectors` beside the workspace;
/// `None` where there is no such file, so that the project's own tests pass without it.
///
/// # Errors
///
/// [`InvalidVectors`] for a file that is there and not understood.
pub fn vectors<T: DeserializeOwned>(name: &str) -> Result<Option<T>, InvalidVectors> {
    let path = folder().join(name);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(InvalidVectors::Read(path, error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| InvalidVectors::Format(path, error))
}

#[allow(clippy::disallowed_methods, reason = "tests find their data by the environment")]
fn folder() -> PathBuf {
    let named = std::env::var_os("FAREGATE_VECTORS").filter(|folder| !folder.is_empty());
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    named.map_or_else(beside, PathBuf::from)
}
