//! What is remembered of each invocation.

use std::collections::VecDeque;
use std::time::Instant;

/// What is known of one invocation that was handed to an environment.
#[derive(Debug, Clone)]
pub struct InvocationRecord {
    /// `Lambda-Runtime-Aws-Request-Id`.
    pub request_id: String,
    /// Index of the environment that got it.
    pub environment: usize,
    /// When it was asked for.
    pub queued: Instant,
    /// When an environment got it.
    pub dispatched: Instant,
    /// When the head of the response or error POST arrived.
    pub answer_started: Option<Instant>,
    /// When the whole POST had been taken, or the invocation was lost.
    pub answer_ended: Option<Instant>,
    /// When the environment asked for an invocation the next time. With a concurrency above one,
    /// each `/next` is put down to the environment's oldest answered invocation.
    pub next_asked: Option<Instant>,
    /// How it ended, absent while it runs.
    pub outcome: Option<Outcome>,
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The whole answer was posted.
    Answered,
    /// The answer ended with error trailers.
    Failed,
    /// The answer's POST broke off or was too large.
    Broken,
    /// The function posted an error.
    Reported,
    /// The process ended first.
    Exited,
    /// The deadline passed first.
    TimedOut,
}

/// The newest records, by the number of the invocation.
#[derive(Debug, Default)]
pub(crate) struct Records {
    forgotten: u64,
    kept: VecDeque<InvocationRecord>,
}

impl Records {
    /// Adds a record and yields its number.
    pub(crate) fn push(&mut self, record: InvocationRecord, kept_max: usize) -> u64 {
        if self.kept.len() == kept_max {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        self.kept.push_back(record);
        self.total() - 1
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut InvocationRecord> {
        let index = usize::try_from(number.checked_sub(self.forgotten)?).ok()?;
        self.kept.get_mut(index)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &InvocationRecord> {
        self.kept.iter()
    }

    pub(crate) fn total(&self) -> u64 {
        self.forgotten + self.kept.len() as u64
    }
}
