//! `faregate limit …`.

use clap::{ArgGroup, Args, Subcommand};
use faregate_engine::ports::Adjustment;
use serde::Serialize;

use super::{
    explain::serving,
    usage::{Numbers, window_of},
};
use crate::{
    error::{CliError, Exit},
    output::{Answer, Lines, Output},
    stores::Stores,
    time::show,
};

/// Change what is counted
#[derive(Args, Debug)]
pub(crate) struct Limit {
    #[command(subcommand)]
    command: LimitCommand,
}

#[derive(Debug, Subcommand)]
enum LimitCommand {
    Adjust(Adjust),
}

/// Give or take permits of a limit's present window; who did so and why is recorded in the Usage table
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("change").required(true).args(["give", "take"])))]
struct Adjust {
    /// The limit's id
    limit: String,
    /// Whose permits
    #[arg(long)]
    consumer: String,
    /// The route whose own limit it is; default: a limit of the consumer's plan
    #[arg(long, value_name = "ID")]
    route: Option<String>,
    /// So many permits more than are left
    #[arg(long, value_name = "PERMITS", value_parser = clap::value_parser!(u32).range(1..))]
    give: Option<u32>,
    /// So many permits fewer
    #[arg(long, value_name = "PERMITS", value_parser = clap::value_parser!(u32).range(1..))]
    take: Option<u32>,
    /// Why
    #[arg(long)]
    reason: String,
    /// Who; default: the user of this machine
    #[arg(long, env = "USER")]
    by: String,
}

#[derive(Serialize)]
struct Adjusted {
    consumer: String,
    limit: String,
    permits: i64,
    /// When the window ends, and the adjustment with it.
    until: String,
}

impl Limit {
    /// Changes the Usage table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        match self.command {
            LimitCommand::Adjust(adjust) => adjust.run(stores, output).await,
        }
    }
}

impl Adjust {
    async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let now = stores.clock.now();
        let owner = self.route.as_ref().map_or_else(|| "plan".to_owned(), |route| format!("route:{route}"));
        let counter = format!("{owner}|c#{}", self.consumer);
        let item = stores.usage.get(&counter).await?.unwrap_or_default();
        let [(window, index, slot)] = <[_; 1]>::try_from(window_of(&item, &self.limit, now)).map_err(|found| {
            let what = if found.is_empty() { "nothing was counted yet" } else { "several windows are counted" };
            CliError::NotFound(format!("{what} of `{}` for {} in the present window", self.limit, self.consumer))
        })?;
        let permits = i64::from(self.give.unwrap_or_default()) - i64::from(self.take.unwrap_or_default());
        let snapshot = serving(stores).await?;
        let numbers = Numbers::of(stores, snapshot.as_ref(), Some(&self.consumer)).await?;
        let limit = numbers.get(&owner, &self.limit, &format!("c#{}", self.consumer));
        let Self { by, reason, .. } = self;
        let adjustment = Adjustment { counter, slot, index, permits, limit, by, reason, at: now };
        if !stores.usage.adjust(&adjustment).await? {
            let message = "fewer permits were granted than are to be given, or the window is over; nothing was changed";
            return Err(CliError::Failed(message.to_owned()));
        }
        let until = show(window.end(index));
        output.answer(&Adjusted { consumer: self.consumer, limit: self.limit, permits, until })?;
        Ok(Exit::Done)
    }
}

impl Answer for Adjusted {
    fn say(&self, lines: &mut Lines) {
        let verb = if self.permits < 0 { "took" } else { "gave" };
        let permits = self.permits.unsigned_abs();
        let Self { consumer, limit, until, .. } = self;
        lines.add(format!("{verb} {permits} permits of {limit} for {consumer}, until {until}"));
    }
}
