//! `faregate limit …`.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use faregate_core::{
    limit::{Mode, RollUp, Rule, SlotName, Spent, Window},
    policy::limit::{LimitPolicy, PartPolicy},
    snapshot::Snapshot,
    time::Timestamp,
};
use faregate_engine::ports::{Adjustment, Beginning};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    explain::serving,
    usage::{Numbers, key_scope, window_of},
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

/// For how long after its window a counter is kept that was begun here: as long as months are.
const KEPT: Duration = Duration::from_secs(400 * 86_400);
/// How many digits of its hash name a key's counters.
const HASH_DIGITS_MIN: usize = 32;

/// Give or take permits of a limit's present window; who did so and why is recorded in the Usage table
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("change").required(true).args(["give", "take"])))]
#[command(group(ArgGroup::new("whose").required(true).args(["consumer", "key"])))]
struct Adjust {
    /// The limit's id
    limit: String,
    /// Whose permits, in limits that count by consumer
    #[arg(long)]
    consumer: Option<String>,
    /// Whose permits, in limits that count by key: the key's hash, or its first 32 digits
    #[arg(long, value_name = "HASH", value_parser = hash)]
    key: Option<String>,
    /// The route whose own limit it is; default: a limit of the consumer's plan
    #[arg(long, value_name = "ID")]
    route: Option<String>,
    /// So many permits more than are left; no more than were granted in the window
    #[arg(long, value_name = "PERMITS", value_parser = clap::value_parser!(u32).range(1..))]
    give: Option<u32>,
    /// So many permits fewer, also where none was granted yet
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
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
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

/// A key's hash, or as much of it as its counters' names have.
fn hash(text: &str) -> Result<String, String> {
    let is_hash = text.len() >= HASH_DIGITS_MIN && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hash.then(|| text.to_owned()).ok_or_else(|| "write at least 32 digits of the hash, in lower case".to_owned())
}

impl Adjust {
    async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let now = stores.clock.now();
        let owner = self.route.as_ref().map_or_else(|| "plan".to_owned(), |route| format!("route:{route}"));
        let scope = match (&self.consumer, &self.key) {
            (_, Some(hash)) => key_scope(hash),
            (consumer, None) => format!("c#{}", consumer.as_deref().unwrap_or_default()),
        };
        let counter = format!("{owner}|{scope}");
        let item = stores.usage.get(&counter).await?.unwrap_or_default();
        let snapshot = serving(stores).await?;
        let found = <[_; 1]>::try_from(window_of(&item, &self.limit, now));
        let ((window, index, slot), beginning) = match found {
            Ok([present]) => (present, None),
            Err(none) if none.is_empty() && self.take.is_some() => {
                let (present, beginning) = self.begin(snapshot.as_ref(), &counter, &item, now)?;
                (present, Some(beginning))
            }
            Err(found) => {
                let what = if found.is_empty() { "nothing was counted yet" } else { "several windows are counted" };
                let whose = self.whose();
                return Err(CliError::NotFound(format!(
                    "{what} of `{}` for {whose} in the present window",
                    self.limit
                )));
            }
        };
        let permits = i64::from(self.give.unwrap_or_default()) - i64::from(self.take.unwrap_or_default());
        let numbers = Numbers::of(stores, snapshot.as_ref(), self.consumer.as_deref()).await?;
        let limit = numbers.get(&owner, &self.limit, &scope);
        let Self { consumer, key, limit: id, by, reason, .. } = self;
        let adjustment = Adjustment { counter, slot, index, beginning, permits, limit, by, reason, at: now };
        if !stores.usage.adjust(&adjustment).await? {
            let message = "fewer permits were granted than are to be given, or the window is over or has just begun; \
                           nothing was changed";
            return Err(CliError::Failed(message.to_owned()));
        }
        let until = show(window.end(index));
        output.answer(&Adjusted { consumer, key, limit: id, permits, until })?;
        Ok(Exit::Done)
    }

    fn whose(&self) -> &str {
        self.key.as_deref().or(self.consumer.as_deref()).unwrap_or_default()
    }

    /// The present window of a limit of which no permit was granted yet, and what it takes to begin its slot.
    fn begin(
        &self,
        snapshot: Option<&Snapshot>,
        counter: &str,
        item: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<((Window, u64, SlotName), Beginning), CliError> {
        let rule = self.rule(snapshot).ok_or_else(|| {
            let (limit, whose) = (&self.limit, if self.key.is_some() { "key" } else { "consumer" });
            CliError::NotFound(format!(
                "nothing was counted yet of `{limit}`, which is no limit by {whose} with windows"
            ))
        })?;
        let index = rule.window.index(now);
        let slot = SlotName::of(&rule.id, rule.window, index);
        let number = |attribute: String| item.get(&attribute).and_then(Value::as_u64);
        let over = number(slot.index_attribute()).map(|index| {
            let permits = number(slot.settled_attribute()).unwrap_or_default();
            Spent { index, permits }
        });
        let roll_up = over.and_then(|over| RollUp::of(counter, rule, over));
        let expires_at = rule.window.end(index).plus(KEPT);
        Ok(((rule.window, index, slot), Beginning { over, roll_up, expires_at }))
    }

    /// The limit as the configuration has it; the same id has the same window in all plans. One with a bucket has no windows.
    fn rule<'a>(&self, snapshot: Option<&'a Snapshot>) -> Option<&'a Rule> {
        let part = if self.key.is_some() { PartPolicy::Key } else { PartPolicy::Consumer };
        let is_meant = |limit: &&LimitPolicy| {
            let has_windows = !matches!(limit.rule.mode, Mode::Burst { .. });
            *limit.rule.id == *self.limit && has_windows && *limit.by == [part.clone()]
        };
        let snapshot = snapshot?;
        let found = match &self.route {
            Some(id) => {
                let route = snapshot.routes.iter().find(|route| *route.id == **id)?;
                route.limits.iter().find(is_meant)
            }
            None => snapshot.plans.values().flat_map(|plan| &plan.limits).find(is_meant),
        };
        found.map(|limit| &*limit.rule)
    }
}

impl Answer for Adjusted {
    fn say(&self, lines: &mut Lines) {
        let verb = if self.permits < 0 { "took" } else { "gave" };
        let permits = self.permits.unsigned_abs();
        let whose = self.consumer.as_ref().or(self.key.as_ref()).map_or("", String::as_str);
        let Self { limit, until, .. } = self;
        lines.add(format!("{verb} {permits} permits of {limit} for {whose}, until {until}"));
    }
}
