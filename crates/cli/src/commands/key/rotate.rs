//! `faregate key rotate`.

use std::time::Duration;

use clap::Args;
use faregate_core::time::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{CHANGE_IN_EFFECT, create::Created, selector::OneKey, view};
use crate::{
    error::{CliError, Exit},
    output::{Answer, Lines, Output},
    stores::Stores,
    time::{parse_duration, show},
};

/// Make a new key with the attributes of an old one, which goes on working for a while
#[derive(Args, Debug)]
pub(crate) struct Rotate {
    #[command(flatten)]
    key: OneKey,
    /// How long the old key goes on working
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration)]
    overlap: Duration,
}

#[derive(Serialize)]
struct Rotated {
    #[serde(flatten)]
    created: Created,
    old: Old,
}

#[derive(Serialize)]
struct Old {
    key_hash: String,
    expires_at: u64,
    in_effect: &'static str,
    /// Why the old key was not changed after all.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Rotate {
    /// Writes two items: the new one first, so that there is a working key at every moment.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let found = self.key.find(&*stores.keys).await?;
        let now = stores.clock.now();
        let old = view::verdict(&found.item)
            .map_err(|cause| CliError::Failed(format!("this key cannot be rotated: {cause}")))?;
        if old.expired(now) {
            return Err(CliError::Failed("this key has expired; create a new one".to_owned()));
        }
        let mut created = Created::store(stores, found.item).await?;
        if !old.enabled {
            created.warnings.push("the old key is disabled, and so is the new one".to_owned());
        }
        let until = now.plus(self.overlap);
        let ends = old.expires_at.map_or(until, |expires_at| expires_at.min(until));
        let changes = Map::from_iter([("expires_at".to_owned(), Value::from(ends.as_seconds()))]);
        let failure = match stores.keys.update(&found.hash, changes).await {
            Ok(true) => None,
            Ok(false) => Some("somebody else deleted it meanwhile".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        let rotated = Rotated {
            created,
            old: Old {
                key_hash: found.hash.as_str().to_owned(),
                expires_at: ends.as_seconds(),
                in_effect: CHANGE_IN_EFFECT,
                error: failure,
            },
        };
        // Whatever became of the old key: the new secret must not be lost.
        rotated.announce(output);
        if let Some(cause) = &rotated.old.error {
            let message = format!("there is a new key, but the old one was not changed: {cause}");
            return output.answer_but(&rotated, &CliError::Failed(message));
        }
        output.answer(&rotated)?;
        Ok(Exit::Done)
    }
}

impl Rotated {
    fn announce(&self, output: &mut Output<'_>) {
        let created = &self.created;
        output.note(format!("key {} of {}; {}", created.short(), created.consumer(), created.in_effect));
        created.warnings.iter().for_each(|warning| output.note(format!("warning: {warning}")));
        let short: String = self.old.key_hash.chars().take(12).collect();
        match &self.old.error {
            Some(error) => output.note(format!("error: the old key {short} was not changed: {error}")),
            None => {
                let ends = show(Timestamp::from_seconds(self.old.expires_at));
                output.note(format!("the old key {short} ends at {ends}, {CHANGE_IN_EFFECT}"));
            }
        }
        output.note("this secret is shown once:");
    }
}

impl Answer for Rotated {
    fn say(&self, lines: &mut Lines) {
        self.created.say(lines);
    }
}
