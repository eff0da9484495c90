//! cargo-lambda, which is the Lambda runtime on this machine and builds the functions for AWS.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::{
    crates::{self, Speed},
    python::{PythonTool, ensure},
    version::version_of,
};
use crate::{
    failure::Failure,
    process::{command, guarded, in_path},
    workspace::Workspace,
};

const PINNED: &str = "1.9.2";
const OLDEST: (u32, u32, u32) = (1, 9, 0);
const FROM_PYPI: PythonTool = PythonTool { name: "cargo-lambda", program: "cargo-lambda" };

/// A cargo-lambda that is new enough.
#[derive(Debug, Clone)]
pub(crate) struct CargoLambda(PathBuf);

impl CargoLambda {
    /// `cargo lambda`, to be completed with a subcommand.
    pub(crate) fn command(&self, workspace: &Workspace) -> Command {
        let mut command = command(&self.0, workspace);
        command.arg("lambda").env("PATH", self.path());
        command
    }

    /// The same, to end even if this program is killed outright.
    pub(crate) fn guarded_command(&self, workspace: &Workspace) -> Result<Command, Failure> {
        let (program, arguments) = guarded(&self.0)?;
        let mut command = command(program, workspace);
        command.args(arguments).arg("lambda").env("PATH", self.path());
        Ok(command)
    }

    /// The folder to put into PATH so that `cargo lambda` works by hand; none if it does already.
    pub(crate) fn folder(&self) -> Option<&Path> {
        let folder = self.0.parent()?;
        (in_path("cargo-lambda").as_deref() != Some(&*self.0)).then_some(folder)
    }

    /// PATH with its own folder first: the compiler that PyPI brings with it lies there.
    pub(crate) fn path(&self) -> OsString {
        let others = std::env::var_os("PATH").unwrap_or_default();
        let folders = self.0.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&others));
        std::env::join_paths(folders).unwrap_or(others)
    }
}

/// The one in PATH if it is new enough, else the project's own, from PyPI or else from crates.io.
///
/// # Errors
/// If it is not there and cannot be installed; says why, and what to do.
pub(crate) async fn cargo_lambda(workspace: &Workspace) -> Result<CargoLambda, Failure> {
    if let Some(installed) = installed_cargo_lambda(workspace).await {
        return Ok(installed);
    }
    let pypi = match ensure(FROM_PYPI, workspace).await {
        Ok(place) => return Ok(CargoLambda(place)),
        Err(failure) => failure,
    };
    println!("{}", pypi.to_string().lines().next().unwrap_or_default());
    let crates_io = match crates::install("cargo-lambda", PINNED, Speed::QuickToRun, workspace).await {
        Ok(place) => return Ok(CargoLambda(place)),
        Err(failure) => failure,
    };
    Err(Failure::new(format!(
        "cargo-lambda is missing and cannot be installed.\n\
         From PyPI: {pypi}\n\
         From crates.io: {crates_io}\n\
         Is there a network? Install python3 with its venv module, or cargo-lambda 1.9 or newer, and start again."
    )))
}

/// As [`cargo_lambda`], if nothing needs to be installed.
pub(crate) async fn installed_cargo_lambda(workspace: &Workspace) -> Option<CargoLambda> {
    let own = ["bin/cargo-lambda", "cargo-lambda/bin/cargo-lambda"].map(|place| workspace.tools().join(place));
    for place in in_path("cargo-lambda").into_iter().chain(own) {
        match version_of(&place, &["lambda", "--version"], workspace).await {
            Some(version) if version >= OLDEST => return Some(CargoLambda(place)),
            Some(_) => println!("{} is too old: 1.9 or newer is needed", workspace.shown(&place)),
            None => {}
        }
    }
    None
}
