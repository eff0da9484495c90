//! `faregate rollback`.

use clap::Args;
use faregate_engine::publish::{ApplyOptions, apply, kept_entries, plan};

use super::apply::Applying;
use crate::{
    consent::Consent,
    error::{CliError, Exit},
    output::Output,
    random,
    stores::Stores,
};

/// Write a kept version's entries back and publish them as a new version
#[derive(Args, Debug)]
pub(crate) struct Rollback {
    /// The version; `faregate status` lists those that are kept
    version: u64,
    /// Delete without asking; only a terminal is ever asked
    #[arg(long)]
    yes: bool,
}

impl Rollback {
    /// Writes the Config table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let wanted = kept_entries(&*stores.config, self.version).await?;
        let mut confirmed = None;
        let consent = Consent::of(self.yes, None, output);
        if consent != Consent::Given {
            let plan = plan(&stores.config.entries().await?, &wanted, true);
            consent.ask(&plan, output)?;
            confirmed = Some(plan);
        }
        let holder = random::holder()?;
        let options = ApplyOptions { prune: true, confirmed: confirmed.as_ref(), holder: &holder, check: stores.check };
        let applied = apply(&*stores.config, &*stores.clock, &wanted, options).await?;
        output.answer(&Applying::of(applied)?)?;
        Ok(Exit::Done)
    }
}
