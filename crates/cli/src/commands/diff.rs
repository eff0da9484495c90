//! `faregate diff`.

use clap::Args;
use faregate_core::{
    check::{Checked, has_errors},
    diagnostic::Diagnostic,
    document::Entry,
};
use faregate_engine::{
    ports::StoredEntry,
    publish::{Plan, check_stored, plan},
};
use serde::Serialize;

use crate::{
    changes::Changes,
    error::{CliError, Exit},
    findings,
    output::{Answer, Lines, Output},
    source::Source,
    stores::Stores,
};

/// Show what `apply` would change; nothing is written
#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// The file; `-` is standard input
    #[arg(default_value = "faregate.yaml")]
    file: String,
    /// Count entries that are not in the file as deleted
    #[arg(long)]
    prune: bool,
}

#[derive(Serialize)]
struct Difference {
    #[serde(flatten)]
    changes: Changes,
    diagnostics: Vec<Diagnostic>,
}

impl Diff {
    /// Reads the Config table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let source = Source::read(&self.file)?;
        let wanted = source.wanted("nothing was compared")?;
        let stored = stores.config.entries().await?;
        let plan = plan(&stored, wanted, self.prune);
        let checked = check_result(&stored, wanted, &plan, stores);
        let mut diagnostics = checked.diagnostics;
        source.locate(&mut diagnostics);
        let difference = Difference { changes: Changes::of(&plan), diagnostics };
        if has_errors(&difference.diagnostics) {
            return output.answer_but(&difference, &CliError::refused("apply would refuse this"));
        }
        output.answer(&difference)?;
        Ok(if plan.changes.is_empty() { Exit::Done } else { Exit::Differences })
    }
}

/// Checks what the table would hold.
fn check_result(stored: &[StoredEntry], wanted: &[Entry], plan: &Plan, stores: &Stores) -> Checked {
    let is_kept = |item: &&StoredEntry| plan.kept.iter().any(|(kind, id)| *kind == item.kind && *id == item.id);
    let kept = stored.iter().filter(is_kept).cloned();
    let wanted = wanted.iter().map(|entry| StoredEntry {
        kind: entry.kind.as_str().to_owned(),
        id: entry.id.clone(),
        fields: Ok(entry.fields.clone()),
    });
    check_stored(&kept.chain(wanted).collect::<Vec<_>>(), stores.check)
}

impl Answer for Difference {
    fn say(&self, lines: &mut Lines) {
        self.changes.say(lines);
        if self.changes.changes.is_empty() {
            lines.add("no difference");
        }
        findings::say(&self.diagnostics, lines);
        if has_errors(&self.diagnostics) {
            lines.add(format!("apply would refuse this: {}", findings::count(&self.diagnostics)));
        }
    }
}
