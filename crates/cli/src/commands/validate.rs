//! `faregate validate`.

use clap::Args;
use faregate_core::{
    check::{CheckOptions, has_errors},
    diagnostic::Diagnostic,
    document::Kind,
};
use serde::Serialize;

use crate::{
    error::{CliError, Exit},
    findings,
    output::{Answer, Lines, Output},
    source::Source,
};

/// Check a file; every mistake is reported at once
#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// The file; `-` is standard input
    #[arg(default_value = "faregate.yaml")]
    file: String,
}

#[derive(Serialize)]
struct Verdict {
    valid: bool,
    file: String,
    issuers: usize,
    plans: usize,
    backends: usize,
    routes: usize,
    diagnostics: Vec<Diagnostic>,
}

impl Validate {
    /// Needs no table.
    pub(crate) fn run(self, options: CheckOptions, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let source = Source::read(&self.file)?;
        let checked = source.check(options);
        let count = |kind| source.entries.iter().filter(|entry| entry.kind == kind).count();
        let verdict = Verdict {
            valid: !has_errors(&checked.diagnostics),
            issuers: count(Kind::Issuer),
            plans: count(Kind::Plan),
            backends: count(Kind::Backend),
            routes: count(Kind::Route),
            file: source.name,
            diagnostics: checked.diagnostics,
        };
        if !verdict.valid {
            let error = CliError::refused(format!("{} has errors", verdict.file));
            return output.answer_but(&verdict, &error);
        }
        output.answer(&verdict)?;
        Ok(Exit::Done)
    }
}

impl Answer for Verdict {
    fn say(&self, lines: &mut Lines) {
        findings::say_in(&self.file, &self.diagnostics, lines);
        if self.valid {
            let counts =
                [(self.routes, "route"), (self.backends, "backend"), (self.plans, "plan"), (self.issuers, "issuer")];
            let counts = counts.map(|(count, noun)| findings::number(count, noun)).join(", ");
            lines.add(format!("{}: valid; {counts}", self.file));
        } else {
            lines.add(format!("{}: {}", self.file, findings::count(&self.diagnostics)));
        }
    }
}
