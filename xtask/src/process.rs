//! Other programs: how they are run, and that none is left behind.

mod guard;
mod tree;

pub(crate) use guard::{GuardArguments, guard, guarded};
pub(crate) use tree::is_alone;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use crate::{failure::Failure, workspace::Workspace};

/// Time that programs get to end by themselves.
const GRACE: Duration = Duration::from_secs(4);

/// What cargo tells a program that it runs; to a cargo inside it these say things that are not so.
const CARGOS_OWN: [&str; 6] =
    ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_MANIFEST", "CARGO_PKG_", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];

/// Runs `work` until it ends or somebody wants it to: SIGINT, SIGTERM, SIGHUP. Either way no program that it
/// started is left afterwards.
pub(crate) async fn until_interrupted(work: impl Future<Output = Result<(), Failure>>) -> Result<ExitCode, Failure> {
    let (mut interrupt, mut terminate, mut hangup) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?);
    // Orphans come to us instead of to init, so that the sweep below sees them.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let ended = tokio::select! {
        ended = work => ended.map(|()| ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(interrupted(Signal::INT)),
        _ = terminate.recv() => Ok(interrupted(Signal::TERM)),
        _ = hangup.recv() => Ok(interrupted(Signal::HUP)),
    };
    sweep().await;
    ended
}

/// A command in the checkout's folder, without standard input and without what cargo set for this program.
pub(crate) fn command(program: impl AsRef<OsStr>, workspace: &Workspace) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace.root()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| CARGOS_OWN.iter().any(|own| name.starts_with(own))) {
            command.env_remove(name);
        }
    }
    command
}

/// The cargo that runs this program.
pub(crate) fn cargo(workspace: &Workspace) -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), workspace)
}

/// Runs it to its end, its output on the terminal.
pub(crate) async fn run(command: &mut Command, what: &str) -> Result<(), Failure> {
    let status = command.status().await.map_err(Failure::because(format!("{what} cannot be started")))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{what} failed ({status})"))) }
}

/// Runs it to its end and gives its standard output; standard error goes to the terminal.
pub(crate) async fn output_of(command: &mut Command, what: &str) -> Result<String, Failure> {
    let child = command.stdout(Stdio::piped()).spawn();
    let child = child.map_err(Failure::because(format!("{what} cannot be started")))?;
    let output = child.wait_with_output().await.map_err(Failure::because(what))?;
    if !output.status.success() {
        return Err(Failure::new(format!("{what} failed ({})", output.status)));
    }
    String::from_utf8(output.stdout).map_err(Failure::because(format!("{what} does not speak UTF-8")))
}

/// Runs it to its end without a sound; what it said is in the failure.
pub(crate) async fn run_quietly(command: &mut Command, what: &str) -> Result<String, Failure> {
    let output = command.output().await.map_err(Failure::because(format!("{what} cannot be started")))?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        return Ok(stdout.into_owned());
    }
    Err(Failure::new(format!("{what} failed ({})\n{}{}", output.status, stdout, stderr).trim_end().to_owned()))
}

/// Where `program` is in PATH.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

fn listen(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Failure> {
    signal(kind).map_err(Failure::because("signals cannot be listened to"))
}

fn interrupted(signal: Signal) -> ExitCode {
    ExitCode::from(u8::try_from(128 + signal.as_raw()).unwrap_or(u8::MAX))
}

/// Ends every program below this one: politely first, then not.
async fn sweep() {
    let started = tree::descendants();
    tree::send(&started, Signal::TERM);
    if timeout(GRACE, gone()).await.is_err() {
        // Those that were orphaned meanwhile are below us only on Linux; elsewhere the first look has them.
        tree::send(&started, Signal::KILL);
        tree::send(&tree::descendants(), Signal::KILL);
        let _ = timeout(GRACE, gone()).await;
    }
}

async fn gone() {
    while !tree::descendants().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
