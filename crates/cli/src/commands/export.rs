//! `faregate export`.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
};

use clap::Args;
use faregate_core::{
    check::CheckOptions,
    document::{Entry, Kind, RawDocument, SETTINGS_ID},
};
use faregate_engine::{ports::StoredEntry, publish::check_stored};
use serde_json::{Map, Value, json};

use crate::{
    changes::has_secret_text,
    error::{CliError, Exit},
    findings,
    output::Output,
    source::STANDARD_INPUT,
    stores::Stores,
    yaml,
};

/// Write the stored entries as a file that `apply` takes
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// The file; absent or `-`: standard output
    file: Option<String>,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

impl Export {
    /// Reads the Config table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let entries = entries(&stores.config.entries().await?)?;
        let count = entries.len();
        let document = document(&entries);
        match self.file.as_deref().filter(|name| *name != STANDARD_INPUT) {
            None if output.is_json() => output.object(&document)?,
            None => output.text(&yaml::emit(&document))?,
            Some(name) => {
                let text = if output.is_json() { format!("{document:#}\n") } else { yaml::emit(&document) };
                write(name, &text, self.force)?;
                if output.is_json() {
                    output.object(&json!({ "file": name, "entries": count }))?;
                } else {
                    output.note(format!("{name}: {}", findings::entries(count)));
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// The stored items as entries; all of them, or none, so that nothing is lost in silence.
fn entries(stored: &[StoredEntry]) -> Result<Vec<Entry>, CliError> {
    let mut entries = Vec::with_capacity(stored.len());
    let mut unfit: Vec<&StoredEntry> = Vec::new();
    for item in stored {
        let kind = Kind::parse(&item.kind).filter(|kind| *kind != Kind::Settings || item.id == SETTINGS_ID);
        match (kind, &item.fields) {
            (Some(kind), Ok(fields)) => {
                entries.push(Entry { kind, id: item.id.clone(), fields: fields.clone() });
            }
            _ => unfit.push(item),
        }
    }
    if !unfit.is_empty() {
        let unfit: Vec<StoredEntry> = unfit.into_iter().cloned().collect();
        let diagnostics = check_stored(&unfit, CheckOptions::default()).diagnostics;
        return Err(CliError::Refused {
            message: "items that are no entries cannot be exported".to_owned(),
            diagnostics,
        });
    }
    // Routes hold no secrets, but may well set a header of such a name.
    let holds_secret = |entry: &&Entry| {
        entry.kind != Kind::Route && entry.fields.iter().any(|(name, value)| has_secret_text(name, value))
    };
    match entries.iter().find(holds_secret) {
        Some(entry) => Err(CliError::Failed(format!(
            "{}/{} holds a secret, and no secret is ever exported; put it into SSM and write {{ ssm: NAME }}",
            entry.kind.as_str(),
            entry.id
        ))),
        None => Ok(entries),
    }
}

fn document(entries: &[Entry]) -> Value {
    let RawDocument { settings, issuers, plans, backends, routes } = RawDocument::from_entries(entries);
    let list = |section: Vec<Map<String, Value>>| section.into_iter().map(Value::Object).collect::<Value>();
    let sections = [
        (Kind::Settings, Value::Object(settings)),
        (Kind::Issuer, list(issuers)),
        (Kind::Plan, list(plans)),
        (Kind::Backend, list(backends)),
        (Kind::Route, list(routes)),
    ];
    let is_empty = |section: &Value| *section == Value::Array(Vec::new()) || *section == Value::Object(Map::new());
    let sections = sections.into_iter().filter(|(_, section)| !is_empty(section));
    sections.map(|(kind, section)| (kind.section().to_owned(), section)).collect()
}

fn write(name: &str, text: &str, force: bool) -> Result<(), CliError> {
    let mut options = OpenOptions::new();
    options.write(true).create(force).truncate(force).create_new(!force);
    let written = options.open(name).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => CliError::Usage(format!("{name} exists; --force replaces it")),
        _ => CliError::File { name: name.to_owned(), cause },
    })
}
