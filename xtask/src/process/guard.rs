//! Programs that do not outlive this one, even if it is killed outright and can end nothing.

use std::{ffi::OsString, os::unix::process::CommandExt as _, path::Path, process};

use clap::Args;

use crate::failure::Failure;

/// What is to be run.
#[derive(Debug, Args)]
pub(crate) struct GuardArguments {
    /// Process id of who wants it.
    parent: u32,
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<OsString>,
}

/// The program and first arguments of a command that runs `program` guarded: this very program, as [`guard`].
pub(crate) fn guarded(program: &Path) -> Result<(OsString, [OsString; 3]), Failure> {
    let own = std::env::current_exe().map_err(Failure::because("this program's own file"))?;
    Ok((own.into(), ["guard".into(), process::id().to_string().into(), program.into()]))
}

/// Becomes the program; returns only if that cannot be done.
///
/// On Linux the kernel sends it SIGTERM when its parent dies. Elsewhere it is a program like any other.
pub(crate) fn guard(arguments: &GuardArguments) -> Failure {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
            return Failure::because("asking for the parent's death signal")(error);
        }
        // It may have died before the kernel was asked.
        let parent = getppid().and_then(|id| u32::try_from(id.as_raw_pid()).ok());
        if parent != Some(arguments.parent) {
            return Failure::new("the parent is gone");
        }
    }
    let Some((program, rest)) = arguments.command.split_first() else { return Failure::new("no program") };
    let failed = process::Command::new(program).args(rest).exec();
    Failure::because(program.to_string_lossy())(failed)
}
