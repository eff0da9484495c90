//! cargo-deny, which holds the walls between the crates.

use std::path::PathBuf;

use super::{
    crates::{self, Speed},
    version::version_of,
};
use crate::{failure::Failure, process::in_path, workspace::Workspace};

const PINNED: &str = "0.20.2";
const OLDEST: (u32, u32, u32) = (0, 20, 0);

/// The one in PATH if it is new enough, else the project's own.
///
/// # Errors
/// If it is not there and cannot be installed.
pub(crate) async fn cargo_deny(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let own = workspace.tools().join("bin/cargo-deny");
    for place in in_path("cargo-deny").into_iter().chain([own]) {
        if version_of(&place, &["--version"], workspace).await.is_some_and(|version| version >= OLDEST) {
            return Ok(place);
        }
    }
    crates::install("cargo-deny", PINNED, Speed::QuickToBuild, workspace).await
}
