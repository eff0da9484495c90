//! Lines that are counted instead of written.

use std::sync::atomic::{AtomicU64, Ordering};

use faregate_core::cost::LOG_LINE_OVERHEAD;
use faregate_lambda::telemetry::Lines;

/// How many bytes CloudWatch Logs would charge for.
#[derive(Debug, Default)]
pub(crate) struct CountedLines {
    lines: AtomicU64,
    bytes: AtomicU64,
}

impl CountedLines {
    pub(crate) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// With what is added to each line.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Lines for CountedLines {
    fn write(&self, line: &[u8]) {
        self.lines.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(line.len() as u64 + LOG_LINE_OVERHEAD, Ordering::Relaxed);
    }
}
