//! A terminal in the checkout, into which somebody pastes what is printed or written.
#![allow(clippy::disallowed_methods, reason = "a terminal has the environment of whoever opened it")]

use std::{path::PathBuf, process::Stdio};

use faregate_tests::programs;
use tokio::process::Command;

use super::dev::{PATIENCE, workspace};

/// What cargo tells the tests that it runs, and what a terminal does not have.
const CARGOS_OWN: [&str; 6] =
    ["CARGO_BIN_", "CARGO_CRATE_NAME", "CARGO_MANIFEST", "CARGO_PKG_", "CARGO_PRIMARY_PACKAGE", "NEXTEST"];

/// How a command ended and what it printed.
#[derive(Debug)]
pub(crate) struct Pasted {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A shell with these lines, the AWS CLI that `cargo xtask test` installs first in its PATH.
pub(crate) fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-ec", script]).current_dir(workspace()).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| CARGOS_OWN.iter().any(|own| name.starts_with(own))) {
            command.env_remove(name);
        }
    }
    let others = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(aws_cli()).chain(std::env::split_paths(&others));
    command.env("PATH", std::env::join_paths(folders).expect("a PATH"));
    command
}

/// Runs the lines to their end.
pub(crate) async fn paste(script: &str) -> Pasted {
    let output = tokio::time::timeout(PATIENCE, shell(script).output()).await;
    let output = output.unwrap_or_else(|_| panic!("no end of {script}")).expect("a shell");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Pasted { success: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// The commands in a printed text: they are indented by two spaces, and go on while a quote is open or a line ends
/// with a backslash.
pub(crate) fn commands(printed: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut open = String::new();
    for line in printed.lines() {
        if open.is_empty() && !line.starts_with("  ") {
            continue;
        }
        if !open.is_empty() {
            open.push('\n');
        }
        open.push_str(line);
        if open.matches('\'').count().is_multiple_of(2) && !open.ends_with('\\') {
            commands.push(std::mem::take(&mut open).trim().to_owned());
        }
    }
    commands
}

fn aws_cli() -> PathBuf {
    let folder = programs("awscli");
    assert!(folder.join("aws").is_file(), "no aws in {}: cargo xtask test installs it", folder.display());
    folder
}
