//! What users write: `faregate.yaml`, and, entry by entry, the items of the Config table.
//!
//! A document holds only what was written, defaults filled in. Nothing here is resolved or compiled: that
//! is [`crate::snapshot`]. Unknown fields are errors everywhere. A choice without fields may be written as
//! its bare name (see [`choice`]). The policies' own types stand with their policies in [`crate::policy`].

mod backend;
pub mod choice;
mod id;
mod issuer;
mod matching;
mod plan;
mod route;
mod settings;

pub use backend::{Backend, Target, Timeouts};
pub use id::{InvalidId, check_id};
pub(crate) use issuer::https_url;
pub use issuer::{Introspection, IntrospectionClient, Issuer, Jwks, is_trustworthy};
pub use matching::{HeaderMatch, MatchEntry, PathMatch, QueryMatch};
pub use plan::Plan;
pub use route::Route;
pub use settings::Settings;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The kinds of entries that users write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The one entry `gateway` with what holds for the gateway as a whole.
    Settings,
    /// Who vouches for tokens.
    Issuer,
    /// A named set of limits.
    Plan,
    /// A named service that requests are forwarded to.
    Backend,
    /// What to match, who may call, and what to do.
    Route,
}

impl Kind {
    /// Every kind, in the order in which entries depend on each other.
    pub const ALL: [Self; 5] = [Self::Settings, Self::Issuer, Self::Plan, Self::Backend, Self::Route];

    /// The word in the `kind` attribute.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Issuer => "issuer",
            Self::Plan => "plan",
            Self::Backend => "backend",
            Self::Route => "route",
        }
    }

    /// The member of a file that holds the entries of this kind.
    #[must_use]
    pub fn section(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Issuer => "issuers",
            Self::Plan => "plans",
            Self::Backend => "backends",
            Self::Route => "routes",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The id of the one settings entry.
pub const SETTINGS_ID: &str = "gateway";

/// One entry as it was written: its fields, without `kind` and `id`.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its name among its kind.
    pub id: String,
    /// Its fields.
    pub fields: Map<String, Value>,
}

/// A whole document. The snapshot's content is the JSON of [`RawDocument`], which deserialises to this.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    /// What holds for the gateway as a whole.
    pub settings: Settings,
    /// Who vouches for tokens.
    pub issuers: Vec<Issuer>,
    /// Named sets of limits.
    pub plans: Vec<Plan>,
    /// Named services that requests are forwarded to.
    pub backends: Vec<Backend>,
    /// What to match, who may call, and what to do.
    pub routes: Vec<Route>,
}

/// A document as it was written, entries in order of their ids, so that the same entries have the same
/// bytes however they were stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawDocument {
    /// The settings entry without its id.
    pub settings: Map<String, Value>,
    /// The issuers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<Map<String, Value>>,
    /// The plans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<Map<String, Value>>,
    /// The backends.
    pub backends: Vec<Map<String, Value>>,
    /// The routes.
    pub routes: Vec<Map<String, Value>>,
}

impl RawDocument {
    /// Collects entries, sorted by id.
    #[must_use]
    pub fn from_entries(entries: &[Entry]) -> Self {
        let mut sorted: Vec<&Entry> = entries.iter().collect();
        sorted.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
        let mut document = Self::default();
        for entry in sorted {
            let mut fields = entry.fields.clone();
            if entry.kind != Kind::Settings {
                fields.insert("id".to_owned(), Value::String(entry.id.clone()));
            }
            match entry.kind {
                Kind::Settings => document.settings = fields,
                Kind::Issuer => document.issuers.push(fields),
                Kind::Plan => document.plans.push(fields),
                Kind::Backend => document.backends.push(fields),
                Kind::Route => document.routes.push(fields),
            }
        }
        document
    }

    /// The entries again; one without a string `id` is left out (a checked document has none).
    #[must_use]
    pub fn into_entries(self) -> Vec<Entry> {
        let mut entries = Vec::new();
        if !self.settings.is_empty() {
            entries.push(Entry { kind: Kind::Settings, id: SETTINGS_ID.to_owned(), fields: self.settings });
        }
        let sections = [
            (Kind::Issuer, self.issuers),
            (Kind::Plan, self.plans),
            (Kind::Backend, self.backends),
            (Kind::Route, self.routes),
        ];
        for (kind, section) in sections {
            for mut fields in section {
                if let Some(Value::String(id)) = fields.remove("id") {
                    entries.push(Entry { kind, id, fields });
                }
            }
        }
        entries
    }
}
