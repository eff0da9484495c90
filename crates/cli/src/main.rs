//! `faregate`: configuration as code, API keys and explanations, with the operator's own credentials.
//!
//! Nothing here decides anything: documents are checked by `faregate-core` and published by the same
//! `faregate-engine` that the publisher function runs.

mod arguments;
mod changes;
mod clock;
mod commands;
mod consent;
mod error;
mod findings;
mod output;
mod random;
mod source;
mod stores;
mod time;
mod yaml;

use std::process::ExitCode;

use crate::{
    arguments::{Cli, refused_in_json},
    output::Output,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = match Cli::of_this_process() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let (mut stdout, mut stderr) = (std::io::stdout().lock(), std::io::stderr().lock());
    let mut output = Output::new(&mut stdout, &mut stderr, cli.global.json);
    let exit = match commands::run(cli, &mut output).await {
        Ok(exit) => exit,
        Err(error) => output.failure(&error),
    };
    exit.into()
}

/// Ends with what clap says of the command line.
fn refuse(error: &clap::Error) -> ExitCode {
    let Some(refused) = refused_in_json(error, std::env::args_os().skip(1)) else { error.exit() };
    let (mut stdout, mut stderr) = (std::io::stdout().lock(), std::io::stderr().lock());
    Output::new(&mut stdout, &mut stderr, true).failure(&refused).into()
}
