//! `faregate key show`.

use clap::Args;
use serde::Serialize;

use super::{selector::OneKey, view::KeyView};
use crate::{
    error::{CliError, Exit},
    output::{Answer, Lines, Output},
    stores::Stores,
};

/// Show one key's attributes and whether it works
#[derive(Args, Debug)]
pub(crate) struct Show {
    #[command(flatten)]
    key: OneKey,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(KeyView);

impl Show {
    /// Reads the Keys table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let found = self.key.find(&*stores.keys).await?;
        output.answer(&Shown(KeyView::of(found.item, stores.clock.now())))?;
        Ok(Exit::Done)
    }
}

impl Answer for Shown {
    fn say(&self, lines: &mut Lines) {
        self.0.say(lines);
    }
}
