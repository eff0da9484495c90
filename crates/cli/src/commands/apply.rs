//! `faregate apply`.

use clap::Args;
use faregate_core::diagnostic::Diagnostic;
use faregate_engine::publish::{Applied, ApplyError, ApplyOptions, Outcome, apply, plan};
use serde::Serialize;

use crate::{
    changes::Changes,
    consent::Consent,
    error::{CliError, Exit},
    findings,
    output::{Answer, Lines, Output},
    random,
    source::Source,
    stores::Stores,
};

/// Write a file's entries into the Config table and publish them as one change
#[derive(Args, Debug)]
pub(crate) struct Apply {
    /// The file; `-` is standard input
    #[arg(default_value = "faregate.yaml")]
    file: String,
    /// Delete entries that are not in the file
    #[arg(long)]
    prune: bool,
    /// Delete without asking; only a terminal is ever asked
    #[arg(long)]
    yes: bool,
}

/// What became of a change; of `rollback`, too.
#[derive(Debug, Serialize)]
pub(crate) struct Applying {
    #[serde(flatten)]
    changes: Changes,
    /// The version that serves.
    version: u64,
    /// Whether it is a new one.
    published: bool,
    /// Findings that are no errors.
    warnings: Vec<Diagnostic>,
}

impl Apply {
    /// Writes the Config table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let source = Source::read(&self.file)?;
        let wanted = source.wanted("nothing was written")?;
        let mut confirmed = None;
        let consent = Consent::of(self.yes, Some(&self.file), output);
        if self.prune && consent != Consent::Given {
            let plan = plan(&stores.config.entries().await?, wanted, true);
            consent.ask(&plan, output)?;
            confirmed = Some(plan);
        }
        let holder = random::holder()?;
        let options =
            ApplyOptions { prune: self.prune, confirmed: confirmed.as_ref(), holder: &holder, check: stores.check };
        let applied = apply(&*stores.config, &*stores.clock, wanted, options).await;
        let applied = applied.map_err(|error| match error {
            ApplyError::Refused(mut diagnostics) => {
                source.locate(&mut diagnostics);
                ApplyError::Refused(diagnostics)
            }
            other => other,
        });
        let mut applying = Applying::of(applied?)?;
        source.locate(&mut applying.warnings);
        output.answer(&applying)?;
        Ok(Exit::Done)
    }
}

impl Applying {
    /// Reads the outcome.
    ///
    /// # Errors
    ///
    /// [`CliError`] where the entries were written and not published.
    pub(crate) fn of(applied: Applied) -> Result<Self, CliError> {
        let changes = Changes::of(&applied.plan);
        match applied.outcome {
            Outcome::Published { head, warnings } => {
                Ok(Self { changes, version: head.version, published: true, warnings })
            }
            Outcome::Unchanged { head, warnings, .. } => {
                Ok(Self { changes, version: head.version, published: false, warnings })
            }
            Outcome::Refused { diagnostics } => Err(CliError::Refused {
                message: "the entries were written, but somebody else's change keeps them from being published"
                    .to_owned(),
                diagnostics,
            }),
            Outcome::Locked(_) => Err(CliError::Locked(
                "the entries were written, but another apply keeps them from being published; try again in a minute",
            )),
        }
    }
}

impl Answer for Applying {
    fn say(&self, lines: &mut Lines) {
        self.changes.say(lines);
        findings::say(&self.warnings, lines);
        let version = self.version;
        if self.published {
            lines.add(format!("version {version} is published; environments pick it up within `refresh_seconds`"));
        } else {
            lines.add(format!("nothing to publish: version {version} serves this already"));
        }
    }
}

#[cfg(test)]
mod tests {
    use faregate_core::time::Timestamp;
    use faregate_engine::{
        ports::ApplyLock,
        publish::{Applied, Outcome, Plan},
    };

    use super::Applying;

    #[test]
    fn what_was_written_and_not_published_is_told_as_written() {
        let lock = ApplyLock { holder: "other".to_owned(), expires_at: Timestamp::from_seconds(1) };
        for (outcome, code) in
            [(Outcome::Refused { diagnostics: Vec::new() }, "refused"), (Outcome::Locked(lock), "locked")]
        {
            let applied = Applied { plan: Plan::default(), outcome };
            let error = Applying::of(applied).expect_err("not published");
            assert_eq!(error.code(), code);
            assert!(error.to_string().starts_with("the entries were written, but "), "{error}");
        }
    }
}
