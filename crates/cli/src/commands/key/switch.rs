//! `faregate key disable` and `faregate key enable`.

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{CHANGE_IN_EFFECT, selector::SomeKeys};
use crate::{
    error::{CliError, Exit},
    output::{Answer, Lines, Output},
    stores::Stores,
};

/// Switch keys off; they can be switched on again
#[derive(Args, Debug)]
pub(crate) struct Disable {
    #[command(flatten)]
    keys: SomeKeys,
    /// Consent to several keys
    #[arg(long)]
    yes: bool,
}

/// Switch keys on
#[derive(Args, Debug)]
pub(crate) struct Enable {
    #[command(flatten)]
    keys: SomeKeys,
    /// Consent to several keys
    #[arg(long)]
    yes: bool,
}

/// What happened to which keys.
#[derive(Serialize)]
pub(super) struct Changed {
    /// `disabled`, `enabled` or `deleted`.
    pub(super) change: &'static str,
    /// The hashes.
    pub(super) keys: Vec<String>,
    /// When environments see it.
    pub(super) in_effect: &'static str,
}

impl Disable {
    /// Writes the Keys table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        switch(self.keys, self.yes, false, stores, output).await
    }
}

impl Enable {
    /// Writes the Keys table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        switch(self.keys, self.yes, true, stores, output).await
    }
}

async fn switch(
    keys: SomeKeys,
    yes: bool,
    enabled: bool,
    stores: &Stores,
    output: &mut Output<'_>,
) -> Result<Exit, CliError> {
    let change = if enabled { "enabled" } else { "disabled" };
    let mut changed = Changed { change, keys: Vec::new(), in_effect: CHANGE_IN_EFFECT };
    for found in keys.find(&*stores.keys, yes).await? {
        let changes = Map::from_iter([("enabled".to_owned(), Value::from(enabled))]);
        // A key that somebody deleted meanwhile needs no switch.
        if stores.keys.update(&found.hash, changes).await? {
            changed.keys.push(found.hash.as_str().to_owned());
        }
    }
    output.answer(&changed)?;
    Ok(Exit::Done)
}

impl Answer for Changed {
    fn say(&self, lines: &mut Lines) {
        for hash in &self.keys {
            let short: String = hash.chars().take(12).collect();
            lines.add(format!("{short} is {}; {}", self.change, self.in_effect));
        }
    }
}
