//! What the function processes write.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::wait::Changes;

/// Lines kept; the oldest are forgotten.
const LINES_MAX: usize = 65_536;

/// One line that a function process wrote, without its line feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Index of the environment.
    pub environment: usize,
    /// Where it was written.
    pub stream: LogStream,
    /// The line; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Where a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

#[derive(Debug)]
pub(crate) struct Log {
    lines: Mutex<VecDeque<LogLine>>,
    changes: Changes,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { lines: Mutex::new(VecDeque::new()), changes: Changes::new() }
    }

    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.lock().iter().cloned().collect()
    }

    /// The lines of one environment.
    pub(crate) fn of(&self, environment: usize) -> Vec<String> {
        let lines = self.lock();
        let own = lines.iter().filter(|line| line.environment == environment);
        own.map(|line| line.text.clone()).collect()
    }

    /// All lines as one text, for messages.
    pub(crate) fn text(&self) -> String {
        let lines = self.lock();
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        texts.join("\n")
    }

    pub(crate) async fn wait_for(&self, mut predicate: impl FnMut(&LogLine) -> bool) -> Option<LogLine> {
        let look = || self.lock().iter().find(|line| predicate(line)).cloned();
        self.changes.until(look).await
    }

    pub(crate) fn push(&self, line: LogLine) {
        let mut lines = self.lock();
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
        drop(lines);
        self.changes.notify();
    }

    /// Takes lines from `source` until it ends.
    pub(crate) async fn follow(&self, environment: usize, stream: LogStream, source: impl AsyncRead + Unpin) {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        while let Ok(1..) = source.read_until(b'\n', &mut line).await {
            let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line));
            self.push(LogLine { environment, stream, text: text.into_owned() });
            line.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<LogLine>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
