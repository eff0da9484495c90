//! Processes: what one takes, as Linux counts it, and one that goes with all that it started.

use std::{fs, io, path::Path, process::ExitStatus, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// A program in a process group of its own, which goes as a whole: dropping it kills whatever is in it.
#[derive(Debug)]
pub struct ProcessGroup {
    first: Child,
}

impl ProcessGroup {
    /// Starts the program.
    ///
    /// # Errors
    ///
    /// If it cannot be executed.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        Ok(Self { first: command.process_group(0).kill_on_drop(true).spawn()? })
    }

    /// The program itself: its output, its end.
    pub fn first(&mut self) -> &mut Child {
        &mut self.first
    }

    /// Interrupts all of it, as Ctrl-C does, and waits for the end of the program itself.
    ///
    /// # Errors
    ///
    /// If it has ended before.
    pub async fn interrupt(&mut self) -> io::Result<ExitStatus> {
        let group = self.id().ok_or_else(|| io::Error::other("it has ended"))?;
        kill_process_group(group, Signal::INT)?;
        self.first.wait().await
    }

    /// The group's id; none once the program was waited for, when the id can be another's.
    fn id(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.first.id()?).ok()?)
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.id() {
            // It fails only when all are gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// What all threads of a process have run for (`/proc/<pid>/task/<tid>/schedstat`).
///
/// # Errors
///
/// Where there is no such process, or no Linux.
pub fn processor_time(process: u32) -> io::Result<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(Path::new("/proc").join(process.to_string()).join("task"))? {
        // A thread may have ended since.
        let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        nanos += text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(Duration::from_nanos(nanos))
}

/// How many bytes of a process are in memory (`VmRSS` of `/proc/<pid>/status`).
///
/// # Errors
///
/// Where there is no such process, or no Linux.
pub fn resident_bytes(process: u32) -> io::Result<u64> {
    let text = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| io::Error::other("no VmRSS"))
}
