//! The command line.

use std::ffi::OsString;

use clap::{Args, Command as ClapCommand, CommandFactory, FromArgMatches, Parser, error::ErrorKind};

use crate::{commands::Command, error::CliError};

/// What every command may end with; also in `docs/cli.md`.
const EXIT_CODES: &str = "\
Exit codes:
  0  done; no difference
  1  the operation failed: file, table, lock, other publishers
  2  the command line asks for something impossible
  3  the configuration has errors, or a check found something
  4  `diff` found differences
  5  there is no such version, key or route";

/// Manages a Faregate gateway: its configuration, its API keys, and why it does what it does.
#[derive(Debug, Parser)]
#[command(name = "faregate", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Reads the command line.
    ///
    /// # Errors
    ///
    /// What clap says of it; asking for help or the version is one, too.
    pub(crate) fn of_this_process() -> Result<Self, clap::Error> {
        let matches = with_exit_codes(Self::command()).try_get_matches()?;
        Self::from_arg_matches(&matches)
    }
}

/// What clap refuses, as an error of ours, where `--json` is among the program's arguments: nobody knows what a command
/// line means that cannot be read, but that much is clear. Help and version are no errors.
pub(crate) fn refused_in_json(error: &clap::Error, arguments: impl Iterator<Item = OsString>) -> Option<CliError> {
    let mut options = arguments.take_while(|argument| argument != "--");
    let is_meant = error.use_stderr() && options.any(|argument| argument == "--json");
    is_meant.then(|| CliError::Usage(in_one_line(error)))
}

/// What clap has to say, without the usage and the advice to ask for help.
fn in_one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "something is missing; --help says what there is".to_owned();
    }
    let text = error.render().to_string();
    let is_told = |part: &&str| !part.starts_with("Usage:") && !part.starts_with("For more information");
    let parts = text.strip_prefix("error: ").unwrap_or(&text).split("\n\n").map(str::trim).take_while(is_told);
    let lines: Vec<String> = parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    lines.join("; ")
}

/// The command whose help, and that of every command below it, ends with the exit codes.
fn with_exit_codes(command: ClapCommand) -> ClapCommand {
    command.after_help(EXIT_CODES).mut_subcommands(with_exit_codes)
}

/// What holds for every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Where DynamoDB answers, as http://127.0.0.1:8000; default: the region's endpoint
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// The profile of your AWS configuration; wins over credentials in the environment
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The AWS region
    #[arg(long, global = true, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// The Config table
    #[arg(long, global = true, value_name = "TABLE", env = "FAREGATE_CONFIG_TABLE", default_value = "faregate-config")]
    pub(crate) config_table: String,
    /// The Keys table
    #[arg(long, global = true, value_name = "TABLE", env = "FAREGATE_KEYS_TABLE", default_value = "faregate-keys")]
    pub(crate) keys_table: String,
    /// The Usage table
    #[arg(long, global = true, value_name = "TABLE", env = "FAREGATE_USAGE_TABLE", default_value = "faregate-usage")]
    pub(crate) usage_table: String,
    /// Accept `{ inline: … }` secrets; for development only
    #[arg(long, global = true, env = "FAREGATE_ALLOW_INLINE_SECRETS", value_parser = switch, hide = true)]
    pub(crate) allow_inline_secrets: bool,
    /// Ask issuers on this machine; for development only
    #[arg(long, global = true, env = "FAREGATE_ALLOW_LOOPBACK", value_parser = switch, hide = true)]
    pub(crate) allow_loopback: bool,
}

/// A development switch is on for `1` only, in the environment as in the functions; `true` is what clap says
/// for the flag itself.
#[allow(clippy::unnecessary_wraps, reason = "clap's value parsers are fallible")]
fn switch(text: &str) -> Result<bool, std::convert::Infallible> {
    Ok(matches!(text, "1" | "true"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Cli, with_exit_codes};

    #[test]
    fn the_command_line_is_consistent() {
        with_exit_codes(Cli::command()).debug_assert();
    }
}
