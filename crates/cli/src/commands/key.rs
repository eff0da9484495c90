//! `faregate key …`: API keys.

mod check;
mod create;
mod delete;
mod list;
mod references;
mod rotate;
mod selector;
mod show;
mod switch;
mod view;

pub(crate) use selector::{read_key, read_secret};

use clap::{Args, Subcommand};

use crate::{
    error::{CliError, Exit},
    output::Output,
    stores::Stores,
};

/// How soon environments see a changed or deleted key: they cache hits for 60 s (SECURITY.md 24).
const CHANGE_IN_EFFECT: &str = "in effect within 60 s";
/// How soon a new key works: environments cache misses for 10 s.
const CREATION_IN_EFFECT: &str = "in effect at once; within 10 s where it was already tried";

/// Manage API keys; their secrets are shown once and never stored
#[derive(Args, Debug)]
pub(crate) struct Key {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Check(check::Check),
    Disable(switch::Disable),
    Enable(switch::Enable),
    Rotate(rotate::Rotate),
    Delete(delete::Delete),
}

impl Key {
    /// Reads and writes the Keys table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        match self.command {
            KeyCommand::Create(create) => create.run(stores, output).await,
            KeyCommand::List(list) => list.run(stores, output).await,
            KeyCommand::Show(show) => show.run(stores, output).await,
            KeyCommand::Check(check) => check.run(stores, output).await,
            KeyCommand::Disable(disable) => disable.run(stores, output).await,
            KeyCommand::Enable(enable) => enable.run(stores, output).await,
            KeyCommand::Rotate(rotate) => rotate.run(stores, output).await,
            KeyCommand::Delete(delete) => delete.run(stores, output).await,
        }
    }
}
