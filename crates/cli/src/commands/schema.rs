//! `faregate schema`.

use clap::Args;
use faregate_core::{
    check::{document_schema, entry_schema},
    document::Kind,
};

use crate::{
    error::{CliError, Exit},
    output::Output,
};

/// Print the JSON Schema (2020-12) of the document, for editors
#[derive(Args, Debug)]
pub(crate) struct Schema {
    /// Of one kind of entry instead: settings, issuer, plan, backend or route
    #[arg(long, value_parser = kind)]
    kind: Option<Kind>,
}

fn kind(word: &str) -> Result<Kind, String> {
    Kind::parse(word).ok_or_else(|| format!("the kinds are {}", Kind::ALL.map(Kind::as_str).join(", ")))
}

impl Schema {
    /// Needs no table.
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let schema = self.kind.map_or_else(document_schema, entry_schema);
        output.object(&schema)?;
        Ok(Exit::Done)
    }
}
