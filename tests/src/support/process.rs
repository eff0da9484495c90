//! What a process takes, as Linux counts it.

use std::{fs, io, path::Path, time::Duration};

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
