//! Verdicts and the table of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use crate::model::Suite;

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    /// Passed, but that a 405 says what the suite leaves at 404.
    PassedWith405,
    /// What differs from what is expected.
    Failed(Vec<String>),
    /// Why it cannot be asked of this gateway.
    NotApplicable(String),
}

/// How many cases got which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) suites: usize,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) not_applicable: usize,
}

/// All verdicts.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Scopes in order of their first suite.
    scopes: Vec<(String, Tally)>,
    /// Suite and case of those that passed with a 405.
    with_405: Vec<(String, String)>,
    /// Suite, case and what differs.
    failures: Vec<(String, String, Vec<String>)>,
    /// Cases and their suites by reason.
    reasons: BTreeMap<String, (usize, BTreeSet<String>)>,
}

impl Tally {
    /// All cases.
    pub(crate) fn cases(self) -> usize {
        self.passed + self.failed + self.not_applicable
    }

    fn plus(self, other: Self) -> Self {
        Self {
            suites: self.suites + other.suites,
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            not_applicable: self.not_applicable + other.not_applicable,
        }
    }
}

impl Report {
    /// Adds the verdicts of a suite, in the order of its cases.
    pub(crate) fn add(&mut self, suite: &Suite, verdicts: Vec<Verdict>) {
        let mut tally = Tally { suites: 1, ..Tally::default() };
        for (case, verdict) in suite.cases.iter().zip(verdicts) {
            match verdict {
                Verdict::Passed => tally.passed += 1,
                Verdict::PassedWith405 => {
                    tally.passed += 1;
                    self.with_405.push((suite.name.clone(), case.name.clone()));
                }
                Verdict::Failed(differences) => {
                    tally.failed += 1;
                    self.failures.push((suite.name.clone(), case.name.clone(), differences));
                }
                Verdict::NotApplicable(reason) => {
                    tally.not_applicable += 1;
                    let (cases, suites) = self.reasons.entry(reason).or_default();
                    *cases += 1;
                    suites.insert(suite.name.clone());
                }
            }
        }
        match self.scopes.iter_mut().find(|(scope, _)| *scope == suite.scope) {
            Some((_, sum)) => *sum = sum.plus(tally),
            None => self.scopes.push((suite.scope.clone(), tally)),
        }
    }

    /// The sum over all scopes.
    pub(crate) fn total(&self) -> Tally {
        self.scopes.iter().map(|(_, tally)| *tally).fold(Tally::default(), Tally::plus)
    }

    /// The counts by scope.
    pub(crate) fn table(&self) -> String {
        let mut text =
            String::from("| scope | suites | passed | failed | not applicable |\n| --- | --- | --- | --- | --- |\n");
        let total = ("**all**".to_owned(), self.total());
        for (scope, tally) in self.scopes.iter().chain([&total]) {
            let Tally { suites, passed, failed, not_applicable } = tally;
            let _ = writeln!(text, "| {scope} | {suites} | {passed} | {failed} | {not_applicable} |");
        }
        text
    }

    /// What the table does not show: how many cases passed with another status than the suite's.
    pub(crate) fn remark(&self) -> String {
        format!(
            "{} of those that passed are answered 405 with `allow` where the suite expects 404",
            self.with_405.len()
        )
    }

    /// The table, the reasons and the failures.
    pub(crate) fn markdown(&self) -> String {
        let mut text = self.table();
        let _ = writeln!(text, "\n{}:\n", self.remark());
        for (suite, case) in &self.with_405 {
            let _ = writeln!(text, "- {suite} / {case}");
        }
        text.push_str("\nNot applicable:\n\n");
        for (reason, (cases, suites)) in &self.reasons {
            let suites: Vec<&str> = suites.iter().map(String::as_str).collect();
            let _ = writeln!(text, "- {reason}: {cases} ({})", suites.join(", "));
        }
        if !self.failures.is_empty() {
            text.push_str("\nFailed:\n\n");
        }
        for (suite, case, differences) in &self.failures {
            let _ = writeln!(text, "- {suite} / {case}: {}", differences.join("; "));
        }
        text
    }
}
