//! Programs that PyPI brings, each in a virtual environment of its own.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    failure::Failure,
    process::{command, in_path, run_quietly},
    workspace::Workspace,
};

/// Written when an installation is whole; holds the requirements that it was made from.
const MARKER: &str = "installed.txt";

/// A program, and the pinned packages that bring it: `tools/<name>.txt`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PythonTool {
    /// Name of the requirements file and of the folder.
    pub(crate) name: &'static str,
    /// The program.
    pub(crate) program: &'static str,
}

/// The program's place, after installing it if it is not there in the pinned version.
///
/// # Errors
/// If there is no Python, or no network.
pub(crate) async fn ensure(tool: PythonTool, workspace: &Workspace) -> Result<PathBuf, Failure> {
    let folder = workspace.tools().join(tool.name);
    let program = folder.join("bin").join(tool.program);
    let requirements = workspace.root().join("tools").join(format!("{}.txt", tool.name));
    let wanted = fs::read_to_string(&requirements).map_err(Failure::because(workspace.shown(&requirements)))?;
    if is_installed(&folder, &wanted) && program.is_file() {
        return Ok(program);
    }
    let Some(python) = in_path("python3") else {
        return Err(Failure::new(format!("no python3 in PATH, which would bring {} from PyPI", tool.program)));
    };
    println!("installing {} from PyPI into {}", tool.program, workspace.shown(&folder));
    install(&python, &folder, &requirements, workspace).await?;
    fs::write(folder.join(MARKER), wanted).map_err(Failure::because(workspace.shown(&folder)))?;
    Ok(program)
}

async fn install(python: &Path, folder: &Path, requirements: &Path, workspace: &Workspace) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Failure::because(workspace.shown(folder))(error));
        }
        _ => {}
    }
    run_quietly(command(python, workspace).args(["-m", "venv"]).arg(folder), "python3 -m venv").await?;
    let mut pip = command(folder.join("bin/python"), workspace);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile"]);
    pip.args(["--retries", "2", "--requirement"]).arg(requirements);
    run_quietly(&mut pip, "pip install").await.map(drop)
}

fn is_installed(folder: &Path, wanted: &str) -> bool {
    fs::read_to_string(folder.join(MARKER)).is_ok_and(|installed| installed == wanted)
}
