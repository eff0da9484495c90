//! Packages that npm brings, each beside the program that uses it.

use std::{fs, path::Path};

use crate::{
    failure::Failure,
    process::{command, in_path, run_quietly},
    workspace::Workspace,
};

/// Written when an installation is whole; holds the lock file that it was made from.
const MARKER: &str = "node_modules/installed-lock.json";

/// Installs what the lock file in `folder`, seen from the checkout, names, unless it is there.
///
/// # Errors
/// If there is no npm, or no network.
pub(crate) async fn ensure(folder: &str, workspace: &Workspace) -> Result<(), Failure> {
    let folder = workspace.root().join(folder);
    let lock = folder.join("package-lock.json");
    let wanted = fs::read_to_string(&lock).map_err(Failure::because(workspace.shown(&lock)))?;
    if fs::read_to_string(folder.join(MARKER)).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let Some(npm) = in_path("npm") else {
        return Err(Failure::new("no npm in PATH; Node.js 20 or newer is needed for the tests"));
    };
    println!("installing {} from npm", workspace.shown(&folder));
    install(&npm, &folder, workspace).await?;
    fs::write(folder.join(MARKER), wanted).map_err(Failure::because(workspace.shown(&folder)))
}

async fn install(npm: &Path, folder: &Path, workspace: &Workspace) -> Result<(), Failure> {
    let mut install = command(npm, workspace);
    // No package gets to run a script of its own.
    install.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]).current_dir(folder);
    run_quietly(&mut install, "npm ci").await.map(drop)
}
