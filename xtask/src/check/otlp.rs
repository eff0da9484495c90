//! The gateway with the feature `otlp`, for the test that runs it.

use std::fs;

use crate::{
    failure::Failure,
    process::{cargo, run},
    workspace::Workspace,
};

/// Builds it, and puts a copy into a folder of its own: cargo calls the one without the feature the same.
pub(super) async fn build(workspace: &Workspace) -> Result<(), Failure> {
    let arguments = ["build", "--package", "gateway", "--features", "otlp"];
    run(cargo(workspace).args(arguments), &format!("cargo {}", arguments.join(" "))).await?;
    // This program lies where cargo puts all of them.
    let own = std::env::current_exe().map_err(Failure::because("this program's own path"))?;
    let folder = own.with_file_name("otlp");
    fs::create_dir_all(&folder).map_err(Failure::because(workspace.shown(&folder)))?;
    let built = own.with_file_name("gateway");
    fs::copy(&built, folder.join("gateway")).map(drop).map_err(Failure::because(workspace.shown(&built)))
}
