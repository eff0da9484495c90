//! `faregate key list`.

use clap::Args;
use serde::Serialize;

use super::view::{HEADER, KeyView, text};
use crate::{
    error::{CliError, Exit},
    findings,
    output::{Answer, Lines, Output},
    stores::Stores,
};

/// List keys: hash, state, end, consumer and name
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Of this consumer only
    #[arg(long)]
    consumer: Option<String>,
}

#[derive(Serialize)]
struct Keys {
    keys: Vec<KeyView>,
}

impl List {
    /// Reads the Keys table: one consumer's items, or all.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let mut items = stores.keys.list(self.consumer.as_deref()).await?;
        items.sort_by(|a, b| {
            (text(a, "consumer"), text(a, "key_hash")).cmp(&(text(b, "consumer"), text(b, "key_hash")))
        });
        let now = stores.clock.now();
        let keys = Keys { keys: items.into_iter().map(|item| KeyView::of(item, now)).collect() };
        output.answer(&keys)?;
        output.note(findings::number(keys.keys.len(), "key"));
        Ok(Exit::Done)
    }
}

impl Answer for Keys {
    fn say(&self, lines: &mut Lines) {
        if !self.keys.is_empty() {
            lines.add(HEADER);
        }
        for key in &self.keys {
            lines.add(key.line());
        }
    }
}
