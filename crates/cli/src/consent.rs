//! Consent to a plan that deletes.

use std::io::{BufRead, IsTerminal};

use faregate_engine::publish::Plan;

use crate::{
    changes::Changes,
    error::CliError,
    findings,
    output::{Lines, Output},
    source::STANDARD_INPUT,
};

/// Whether somebody is there to ask, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// A script, or somebody who said `--yes`: nobody is asked.
    Given,
    /// Whoever sits at the terminal.
    Asked,
    /// Somebody sits there and cannot be asked; why.
    Needed(&'static str),
}

impl Consent {
    /// For a command that has read `file`, if it reads one.
    pub(crate) fn of(yes: bool, file: Option<&str>, output: &Output<'_>) -> Self {
        Self::decide(yes, std::io::stdin().is_terminal(), output.is_json(), file == Some(STANDARD_INPUT))
    }

    fn decide(yes: bool, at_terminal: bool, json: bool, input_is_read: bool) -> Self {
        match (yes || !at_terminal, json, input_is_read) {
            (true, _, _) => Self::Given,
            (_, true, _) => Self::Needed("with --json nothing is asked"),
            (_, _, true) => Self::Needed("the answer cannot come from where the file came from"),
            _ => Self::Asked,
        }
    }

    /// Shows what would change and asks, if something is deleted.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] where that cannot be asked, [`CliError::Failed`] for a no.
    pub(crate) fn ask(self, plan: &Plan, output: &mut Output<'_>) -> Result<(), CliError> {
        let changes = Changes::of(plan);
        if self == Self::Given || changes.deletions() == 0 {
            return Ok(());
        }
        let deleted = findings::entries(changes.deletions());
        if let Self::Needed(why) = self {
            return Err(CliError::Usage(format!("{deleted} would be deleted, and {why}: consent with --yes")));
        }
        let mut lines = Lines::default();
        changes.say(&mut lines);
        output.lines(&lines)?;
        output.ask(&format!("Delete {deleted}? [y/N]"));
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        read.map_err(|cause| CliError::File { name: "standard input".to_owned(), cause })?;
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            Ok(())
        } else {
            Err(CliError::Failed("not confirmed; nothing was written".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Consent;

    #[test]
    fn only_a_terminal_is_asked_and_only_where_it_can_answer() {
        for (yes, at_terminal, json, input_is_read, expected) in [
            (false, true, false, false, Consent::Asked),
            (true, true, true, true, Consent::Given),
            (false, false, true, true, Consent::Given),
            (false, true, true, false, Consent::Needed("with --json nothing is asked")),
            (false, true, false, true, Consent::Needed("the answer cannot come from where the file came from")),
        ] {
            assert_eq!(Consent::decide(yes, at_terminal, json, input_is_read), expected);
        }
    }
}
