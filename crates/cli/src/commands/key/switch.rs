//! `faregate key disable` and `faregate key enable`.

use clap::Args;
use faregate_core::api_key::KeyHash;
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
    /// The hashes of those that somebody else deleted meanwhile.
    pub(super) gone: Vec<String>,
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
    let mut changed = Changed::new(change);
    for found in keys.find(&*stores.keys, yes).await? {
        let changes = Map::from_iter([("enabled".to_owned(), Value::from(enabled))]);
        changed.add(&found.hash, stores.keys.update(&found.hash, changes).await?);
    }
    changed.print(output)
}

impl Changed {
    pub(super) fn new(change: &'static str) -> Self {
        Self { change, keys: Vec::new(), gone: Vec::new(), in_effect: CHANGE_IN_EFFECT }
    }

    /// Counts a key, which was there or was not any more.
    pub(super) fn add(&mut self, hash: &KeyHash, was_there: bool) {
        let keys = if was_there { &mut self.keys } else { &mut self.gone };
        keys.push(hash.as_str().to_owned());
    }

    /// Prints it; that no key was there any more is an error.
    pub(super) fn print(&self, output: &mut Output<'_>) -> Result<Exit, CliError> {
        if self.keys.is_empty() {
            let which = if self.gone.len() > 1 { "all of them" } else { "it" };
            let error = CliError::NotFound(format!("somebody else deleted {which} meanwhile"));
            return output.answer_but(self, &error);
        }
        output.answer(self)?;
        Ok(Exit::Done)
    }
}

impl Answer for Changed {
    fn say(&self, lines: &mut Lines) {
        for hash in &self.keys {
            let short: String = hash.chars().take(12).collect();
            lines.add(format!("{short} is {}; {}", self.change, self.in_effect));
        }
        for hash in &self.gone {
            let short: String = hash.chars().take(12).collect();
            lines.add(format!("{short} is gone: somebody else deleted it meanwhile"));
        }
    }
}

#[cfg(test)]
mod tests {
    use faregate_core::api_key::KeyHash;

    use super::Changed;
    use crate::{error::Exit, output::Output};

    fn printed(changed: &Changed, json: bool) -> (Exit, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = changed.print(&mut Output::new(&mut out, &mut err, json)).expect("printed");
        (exit, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn a_key_that_somebody_else_deleted_meanwhile_is_told() {
        let mut changed = Changed::new("deleted");
        changed.add(&KeyHash::of(b"gone"), false);
        assert_eq!(printed(&changed, false).0, Exit::NotFound);
        let (exit, json) = printed(&changed, true);
        assert!(exit == Exit::NotFound && json.contains("\"not_found\"") && json.contains("\"gone\""), "{json}");
        assert!(json.contains("somebody else deleted it meanwhile"), "{json}");
        changed.add(&KeyHash::of(b"gone, too"), false);
        let (exit, json) = printed(&changed, true);
        assert!(exit == Exit::NotFound && json.contains("somebody else deleted all of them meanwhile"), "{json}");
        changed.add(&KeyHash::of(b"there"), true);
        let (exit, text) = printed(&changed, false);
        assert_eq!((exit, text.lines().count()), (Exit::Done, 3), "{text}");
        assert!(text.contains(" is gone: somebody else deleted it meanwhile\n"), "{text}");
    }
}
