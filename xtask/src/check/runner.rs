//! Steps one after the other, with their names and times.

use std::time::Instant;

use crate::failure::Failure;

/// What became of a step that cannot be done everywhere.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It passed.
    Passed,
    /// It could not be done; why.
    NotPossible(String),
}

/// Counts the steps.
#[derive(Debug, Default)]
pub(super) struct Runner {
    passed: usize,
    not_possible: Vec<String>,
}

impl Runner {
    /// Does a step that must pass.
    pub(super) async fn step(
        &mut self,
        name: &str,
        work: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        self.optional(name, async { work.await.map(|()| Outcome::Passed) }).await
    }

    /// Does a step that may turn out not to be possible on this machine; that is said here and in the summary.
    pub(super) async fn optional(
        &mut self,
        name: &str,
        work: impl Future<Output = Result<Outcome, Failure>>,
    ) -> Result<(), Failure> {
        println!("\n── {name}");
        let started = Instant::now();
        match work.await.map_err(Failure::because(format!("xtask test: step `{name}`")))? {
            Outcome::Passed => {
                self.passed += 1;
                println!("── {name}: passed in {:.1} s", started.elapsed().as_secs_f64());
            }
            Outcome::NotPossible(reason) => {
                println!("── {name}: NOT CHECKED: {reason}");
                self.not_possible.push(name.to_owned());
            }
        }
        Ok(())
    }

    pub(super) fn summary(&self) -> String {
        let summary = format!("xtask test: {} steps passed", self.passed);
        if self.not_possible.is_empty() {
            return summary;
        }
        format!("{summary}, not checked on this machine: {}", self.not_possible.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Outcome, Runner};

    #[tokio::test]
    async fn what_was_not_checked_is_in_the_summary() {
        let mut runner = Runner::default();
        runner.step("one", async { Ok(()) }).await.expect("passes");
        assert_eq!(runner.summary(), "xtask test: 1 steps passed");
        let impossible = async { Ok(Outcome::NotPossible("no network".to_owned())) };
        runner.optional("two", impossible).await.expect("goes on");
        assert_eq!(runner.summary(), "xtask test: 1 steps passed, not checked on this machine: two");
    }

    #[tokio::test]
    async fn a_failure_names_its_step() {
        let failed = Runner::default().step("three", async { Err(Failure::new("broken")) }).await;
        assert_eq!(failed, Err(Failure::new("xtask test: step `three`: broken")));
    }
}
