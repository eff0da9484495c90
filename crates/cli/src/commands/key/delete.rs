//! `faregate key delete`.

use clap::Args;

use super::{selector::SomeKeys, switch::Changed};
use crate::{
    error::{CliError, Exit},
    output::Output,
    stores::Stores,
};

/// Delete keys for good
#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    keys: SomeKeys,
    /// Consent to several keys
    #[arg(long)]
    yes: bool,
}

impl Delete {
    /// Writes the Keys table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let mut changed = Changed::new("deleted");
        for found in self.keys.find(&*stores.keys, self.yes).await? {
            changed.add(&found.hash, stores.keys.delete(&found.hash).await?);
        }
        changed.print(output)
    }
}
