//! `faregate key create`.

use clap::Args;
use faregate_core::{api_key::KeyHash, document::check_id};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{CREATION_IN_EFFECT, references, view};
use crate::{
    error::{CliError, Exit},
    output::{Answer, Lines, Output},
    random,
    stores::Stores,
    time::{Expiry, parse_expiry},
};

/// Make a new API key; its secret goes to standard output, once
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Who the key proves
    #[arg(long)]
    consumer: String,
    /// What to call the key, for people
    #[arg(long)]
    name: Option<String>,
    /// When it ends: 30d, 2027-01-31T00:00:00Z or seconds since 1970; default: never
    #[arg(long, value_name = "WHEN", value_parser = parse_expiry)]
    expires: Option<Expiry>,
    /// The routes that it works on; default: all
    #[arg(long, value_name = "ID,…", value_delimiter = ',', conflicts_with = "no_routes")]
    routes: Option<Vec<String>>,
    /// Let it work on no route yet
    #[arg(long)]
    no_routes: bool,
    /// The plan that its consumer is on
    #[arg(long)]
    plan: Option<String>,
    /// What the key is good for, for routes that ask for scopes
    #[arg(long, value_name = "SCOPE,…", value_delimiter = ',')]
    scopes: Option<Vec<String>>,
    /// The groups of its consumer, for routes that ask for groups
    #[arg(long, value_name = "GROUP,…", value_delimiter = ',')]
    groups: Option<Vec<String>>,
    /// A note for backends, which routes can pass on; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    metadata: Vec<(String, String)>,
    /// Make it switched off
    #[arg(long)]
    disabled: bool,
}

/// A new key.
#[derive(Serialize)]
pub(super) struct Created {
    /// The secret itself; the only place where it ever stands.
    pub(super) key: String,
    /// The stored item.
    pub(super) item: Map<String, Value>,
    /// When it works.
    pub(super) in_effect: &'static str,
    /// What may not be meant.
    pub(super) warnings: Vec<String>,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "write NAME=VALUE".to_owned())
}

impl Create {
    /// Writes one item.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let attributes = self.attributes(stores)?;
        let warnings = references::missing(stores, &attributes).await;
        let created = Created { warnings, ..Created::store(stores, attributes).await? };
        output.note(format!("key {} of {}; {CREATION_IN_EFFECT}", created.short(), created.consumer()));
        created.warnings.iter().for_each(|warning| output.note(format!("warning: {warning}")));
        output.note("this secret is shown once:");
        output.answer(&created)?;
        Ok(Exit::Done)
    }

    fn attributes(self, stores: &Stores) -> Result<Map<String, Value>, CliError> {
        let now = stores.clock.now();
        let expires_at = self.expires.map(|expiry| expiry.instant(now));
        if expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(CliError::Usage("--expires lies in the past".to_owned()));
        }
        let routes = if self.no_routes { Some(Vec::new()) } else { self.routes };
        if let Some(id) = routes.iter().flatten().find(|id| check_id(id).is_err()) {
            return Err(CliError::Usage(format!("`{id}` is no route id")));
        }
        let attributes = [
            ("consumer", Some(Value::from(self.consumer))),
            ("enabled", Some(Value::from(!self.disabled))),
            ("expires_at", expires_at.map(|expires_at| Value::from(expires_at.as_seconds()))),
            ("routes", routes.map(Value::from)),
            ("plan", self.plan.map(Value::from)),
            ("scopes", self.scopes.map(Value::from)),
            ("groups", self.groups.map(Value::from)),
            ("metadata", (!self.metadata.is_empty()).then(|| self.metadata.into_iter().collect())),
            ("name", self.name.map(Value::from)),
        ];
        let present = attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(present.collect())
    }
}

impl Created {
    /// Draws a secret and stores its hash with the attributes.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for attributes that the gateway would not believe.
    pub(super) async fn store(stores: &Stores, attributes: Map<String, Value>) -> Result<Self, CliError> {
        let key = random::api_key()?;
        let hash = KeyHash::of(key.as_bytes());
        let mut item = attributes;
        item.insert("key_hash".to_owned(), Value::from(hash.as_str()));
        item.insert("created_at".to_owned(), Value::from(stores.clock.now().as_seconds()));
        view::verdict(&item).map_err(CliError::Usage)?;
        if !stores.keys.create(item.clone()).await? {
            return Err(CliError::Failed("this key exists already; nothing was written".to_owned()));
        }
        Ok(Self { key, item, in_effect: CREATION_IN_EFFECT, warnings: Vec::new() })
    }

    /// The first digits of the hash.
    pub(super) fn short(&self) -> String {
        view::text(&self.item, "key_hash").chars().take(12).collect()
    }

    /// Who the key proves.
    pub(super) fn consumer(&self) -> &str {
        view::text(&self.item, "consumer")
    }
}

impl Answer for Created {
    fn say(&self, lines: &mut Lines) {
        lines.add(&self.key);
    }
}
