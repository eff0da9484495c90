//! What the parts say, kept in files so that the terminal stays readable.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::PathBuf,
    process::Stdio,
};

use crate::{failure::Failure, workspace::Workspace};

/// Lines of a log that a failure shows, and characters of each.
const TAIL: usize = 8;
const WIDTH: usize = 400;

/// The folder of one stack's logs.
#[derive(Debug)]
pub(super) struct Logs {
    folder: PathBuf,
    shown: String,
}

impl Logs {
    /// Makes the folder; each port of a gateway has its own.
    pub(super) fn prepare(port: u16, workspace: &Workspace) -> Result<Self, Failure> {
        let folder = workspace.dev(port);
        let shown = workspace.shown(&folder);
        fs::create_dir_all(&folder).map_err(Failure::because(&shown))?;
        Ok(Self { folder, shown })
    }

    /// Begins the log of `part` anew.
    pub(super) fn begin(&self, part: &str) -> Result<Log, Failure> {
        let name = format!("{part}.log");
        let (path, shown) = (self.folder.join(&name), format!("{}/{name}", self.shown));
        let empty = File::create(&path).and_then(|_| OpenOptions::new().append(true).open(&path));
        let file = empty.map_err(Failure::because(&shown))?;
        Ok(Log { path, shown, file })
    }
}

/// One part's log.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    shown: String,
    file: File,
}

impl Log {
    /// For a program's output.
    pub(super) fn sink(&self) -> Result<Stdio, Failure> {
        self.file.try_clone().map(Stdio::from).map_err(Failure::because(&self.shown))
    }

    /// Adds a line; a full disk is no reason to stop.
    pub(super) fn line(&mut self, line: &str) {
        let _ = writeln!(self.file, "{line}");
    }

    /// Whether the log's end holds these words.
    pub(super) fn ends_with(&self, words: &str) -> bool {
        tail(&fs::read_to_string(&self.path).unwrap_or_default()).contains(words)
    }

    /// A failure that shows the log's end and names its place.
    pub(super) fn failure(&self, what: &str) -> Failure {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        Failure::new(format!("{what}\n{}The whole log: {}", tail(&text), self.shown))
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.iter().skip(lines.len().saturating_sub(TAIL));
    last.map(|line| format!("  {}\n", line.chars().take(WIDTH).collect::<String>())).collect()
}

#[cfg(test)]
mod tests {
    use super::tail;

    #[test]
    fn a_failure_shows_the_end_of_the_log() {
        let text: String = (1..=10).map(|number| format!("{number}\n\n")).collect();
        assert_eq!(tail(&text), "  3\n  4\n  5\n  6\n  7\n  8\n  9\n  10\n");
        assert_eq!(tail(""), "");
    }
}
