//! Programs that crates.io brings.

use std::path::PathBuf;

use crate::{
    failure::Failure,
    process::{cargo, run},
    workspace::Workspace,
};

/// How a program is built.
#[derive(Debug, Clone, Copy)]
pub(super) enum Speed {
    /// Soon there; for what runs for seconds.
    QuickToBuild,
    /// Optimised; for what serves requests.
    QuickToRun,
}

/// Builds the program of the crate of that name and version into the project's folder; minutes the first time.
///
/// # Errors
/// If it cannot be fetched or built.
pub(super) async fn install(
    name: &str,
    version: &str,
    speed: Speed,
    workspace: &Workspace,
) -> Result<PathBuf, Failure> {
    let folder = workspace.tools();
    println!("installing {name} {version} with cargo into {}: takes some minutes", workspace.shown(&folder));
    let mut install = cargo(workspace);
    install.args(["install", name, "--version", version, "--locked", "--quiet", "--root"]).arg(&folder);
    if matches!(speed, Speed::QuickToBuild) {
        install.arg("--debug");
    }
    run(&mut install, &format!("cargo install {name}")).await?;
    Ok(folder.join("bin").join(name))
}
