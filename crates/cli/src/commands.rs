//! The commands, one file each.

mod apply;
mod diff;
mod explain;
mod export;
mod key;
mod limit;
mod prices;
mod rollback;
mod schema;
mod status;
mod usage;
mod validate;

use clap::Subcommand;

use crate::{
    arguments::Cli,
    error::{CliError, Exit},
    output::Output,
    stores::{Stores, check_options},
};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Validate(validate::Validate),
    Diff(diff::Diff),
    Apply(apply::Apply),
    Export(export::Export),
    Rollback(rollback::Rollback),
    Status(status::Status),
    Schema(schema::Schema),
    Explain(explain::Explain),
    Prices(prices::ShowPrices),
    Key(key::Key),
    Usage(usage::Usage),
    Limit(limit::Limit),
}

/// Runs one command; only those that need the tables look for credentials.
pub(crate) async fn run(cli: Cli, output: &mut Output<'_>) -> Result<Exit, CliError> {
    let Cli { global, command } = cli;
    match command {
        Command::Validate(validate) => validate.run(check_options(&global), output),
        Command::Prices(prices) => prices.run(output),
        Command::Schema(schema) => schema.run(output),
        Command::Explain(explain) if explain.is_offline() => explain.run_offline(check_options(&global), output),
        Command::Explain(explain) => explain.run(&Stores::connect(&global).await, output).await,
        Command::Diff(diff) => diff.run(&Stores::connect(&global).await, output).await,
        Command::Apply(apply) => apply.run(&Stores::connect(&global).await, output).await,
        Command::Export(export) => export.run(&Stores::connect(&global).await, output).await,
        Command::Rollback(rollback) => rollback.run(&Stores::connect(&global).await, output).await,
        Command::Status(status) => status.run(&Stores::connect(&global).await, output).await,
        Command::Usage(usage) => usage.run(&Stores::connect(&global).await, output).await,
        Command::Limit(limit) => limit.run(&Stores::connect(&global).await, output).await,
        Command::Key(key) => key.run(&Stores::connect(&global).await, output).await,
    }
}
