//! `faregate rollback`.

use clap::Args;
use faregate_engine::publish::rollback;

use super::apply::Applying;
use crate::{
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
}

impl Rollback {
    /// Writes the Config table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let holder = random::holder()?;
        let applied = rollback(&*stores.config, &*stores.clock, self.version, &holder, stores.check).await?;
        output.answer(&Applying::of(applied)?)?;
        Ok(Exit::Done)
    }
}
