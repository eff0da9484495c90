//! A key's item for people and programs; an item never holds the secret.

use faregate_core::{
    api_key::{KeyHash, KeyItem},
    time::Timestamp,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{output::Lines, time::show};

/// What the columns of [`KeyView::line`] are.
pub(crate) const HEADER: &str = "hash          state     ends                  consumer  name";

/// One item and what the gateway makes of it.
#[derive(Debug, Serialize)]
pub(crate) struct KeyView {
    state: State,
    /// Why the item is not believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    /// The attributes as they are stored.
    item: Map<String, Value>,
}

/// What a caller with this key gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It works.
    Active,
    /// It is switched off.
    Disabled,
    /// Its time is over.
    Expired,
    /// The item is not believed, so the key does not work.
    Invalid,
}

impl State {
    /// The word for people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Invalid => "invalid",
        }
    }
}

impl KeyView {
    /// Judges an item.
    pub(crate) fn of(item: Map<String, Value>, now: Timestamp) -> Self {
        let (state, cause) = match verdict(&item) {
            Ok(key) if !key.enabled => (State::Disabled, None),
            Ok(key) if key.expired(now) => (State::Expired, None),
            Ok(_) => (State::Active, None),
            Err(cause) => (State::Invalid, Some(cause)),
        };
        Self { state, cause, item }
    }

    /// The hash, as it is stored.
    pub(crate) fn hash(&self) -> &str {
        text(&self.item, "key_hash")
    }

    /// Hash, consumer and state in one line.
    pub(crate) fn line(&self) -> String {
        let expires = match self.item.get("expires_at").and_then(Value::as_u64) {
            Some(seconds) => show(Timestamp::from_seconds(seconds)),
            None => "-".to_owned(),
        };
        let hash: String = self.hash().chars().take(12).collect();
        let (state, consumer, name) = (self.state.as_str(), text(&self.item, "consumer"), text(&self.item, "name"));
        format!("{hash:12}  {state:8}  {expires:20}  {consumer}  {name}").trim_end().to_owned()
    }

    /// Every attribute in a line of its own.
    pub(crate) fn say(&self, lines: &mut Lines) {
        lines.add(format!("state: {}", self.state.as_str()));
        if let Some(cause) = &self.cause {
            lines.add(format!("cause: {cause}"));
        }
        for (name, value) in &self.item {
            let is_instant = matches!(name.as_str(), "created_at" | "expires_at");
            match value {
                Value::String(text) => lines.add(format!("{name}: {text}")),
                Value::Number(number) if is_instant && number.is_u64() => {
                    let seconds = Timestamp::from_seconds(number.as_u64().unwrap_or_default());
                    lines.add(format!("{name}: {number} ({})", show(seconds)));
                }
                _ => lines.add(format!("{name}: {value}")),
            }
        }
    }
}

/// What the gateway makes of an item.
///
/// # Errors
///
/// Why it is not believed.
pub(crate) fn verdict(item: &Map<String, Value>) -> Result<KeyItem, String> {
    if KeyHash::parse(text(item, "key_hash")).is_none() {
        return Err("`key_hash` is not the lower-case hexadecimal SHA-256 of a key".to_owned());
    }
    KeyItem::decode(item.clone()).map_err(|error| error.to_string())
}

/// A text attribute; empty where there is none.
pub(crate) fn text<'a>(item: &'a Map<String, Value>, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}
