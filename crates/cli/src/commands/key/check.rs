//! `faregate key check`.

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::view::{text, verdict};
use crate::{
    error::{CliError, Exit},
    findings,
    output::{Answer, Lines, Output},
    stores::Stores,
};

/// Find items that the gateway does not believe, so that their keys do not work; reads the whole table
#[derive(Args, Debug)]
pub(crate) struct Check {}

#[derive(Serialize)]
struct Checked {
    /// How many items there are.
    checked: usize,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    key_hash: String,
    consumer: Option<Value>,
    cause: String,
}

impl Check {
    /// Reads the Keys table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let items = stores.keys.list(None).await?;
        let finding = |item| {
            let cause = verdict(item).err()?;
            Some(Finding {
                key_hash: text(item, "key_hash").to_owned(),
                consumer: item.get("consumer").cloned(),
                cause,
            })
        };
        let mut checked = Checked { checked: items.len(), findings: items.iter().filter_map(finding).collect() };
        checked.findings.sort_by(|a, b| a.key_hash.cmp(&b.key_hash));
        if !checked.findings.is_empty() {
            let found = findings::number(checked.findings.len(), "finding");
            return output.answer_but(&checked, &CliError::Findings(found));
        }
        output.answer(&checked)?;
        Ok(Exit::Done)
    }
}

impl Answer for Checked {
    fn say(&self, lines: &mut Lines) {
        for Finding { key_hash, consumer, cause } in &self.findings {
            let short: String = key_hash.chars().take(12).collect();
            let consumer = consumer.as_ref().map(|consumer| consumer.as_str().unwrap_or("?")).unwrap_or("?");
            lines.add(format!("{short}  {consumer}  {cause}"));
        }
        let count = findings::number(self.findings.len(), "finding");
        lines.add(format!("{} checked; {count}", findings::number(self.checked, "key")));
    }
}
