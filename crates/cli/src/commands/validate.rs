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
            backends: count(Kind::Backend),
            routes: count(Kind::Route),
            file: source.name,
            diagnostics: checked.diagnostics,
        };
        output.answer(&verdict)?;
        Ok(if verdict.valid { Exit::Done } else { Exit::Findings })
    }
}

impl Answer for Verdict {
    fn say(&self, lines: &mut Lines) {
        findings::say_in(&self.file, &self.diagnostics, lines);
        if self.valid {
            let routes = findings::number(self.routes, "route");
            lines.add(format!("{}: valid; {routes}, {}", self.file, findings::number(self.backends, "backend")));
        } else {
            lines.add(format!("{}: {}", self.file, findings::count(&self.diagnostics)));
        }
    }
}
