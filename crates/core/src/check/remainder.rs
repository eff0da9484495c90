//! What is left of an entry when its mistaken parts are taken out: it is checked, too, so that a mistake in one
//! field hides none in another.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::{
    diagnostic::Diagnostic,
    document::{Entry, Kind},
};

/// The members by one of which a route acts.
const ACTIONS: [&str; 3] = ["forward", "respond", "redirect"];

/// An entry without its mistaken parts, and where its findings lie in the entry as it was written.
pub(super) struct Remainder {
    /// What is left, with harmless values for members that cannot be absent.
    pub(super) entry: Entry,
    /// JSON Pointers of what was taken out.
    taken: BTreeSet<String>,
    /// The items that were taken out, by the pointer of their list.
    items: BTreeMap<String, BTreeSet<usize>>,
}

impl Remainder {
    /// Takes the values at `mistaken` out of an entry.
    pub(super) fn of(entry: &Entry, mistaken: BTreeSet<String>) -> Self {
        let mut fields = Value::Object(entry.fields.clone());
        for pointer in mistaken.iter().filter(|pointer| !pointer.is_empty()) {
            if let Some(value) = fields.pointer_mut(pointer) {
                // A null is a mistake wherever it stands, so that none is meant to stay.
                *value = Value::Null;
            }
        }
        let mut items = BTreeMap::new();
        drop_nulls(&mut fields, "", &mut items);
        let mut fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        stand_in(entry.kind, &mut fields, &mistaken);
        Self { entry: Entry { kind: entry.kind, id: entry.id.clone(), fields }, taken: mistaken, items }
    }

    /// The same without what cannot stand now, as `mistaken` in the remainder; `None` where nothing changes.
    pub(super) fn narrowed(&self, entry: &Entry, mistaken: &BTreeSet<String>) -> Option<Self> {
        let more = mistaken.iter().map(|pointer| self.original(pointer));
        let taken: BTreeSet<String> = self.taken.iter().cloned().chain(more).collect();
        (taken != self.taken).then(|| Self::of(entry, taken))
    }

    /// A finding of the remainder as one of the entry; `None` where it only follows from what was taken out.
    pub(super) fn as_of_entry(&self, mut found: Diagnostic) -> Option<Diagnostic> {
        found.pointer = self.original(&found.pointer);
        let holds_taken = |taken: &String| {
            taken.strip_prefix(&*found.pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_about_path = ["/forward/path", "/redirect/path"].iter().any(|path| found.pointer.starts_with(path));
        // A rewrite is checked against the paths that match.
        let follows_from_match = is_about_path && self.taken.iter().any(|taken| taken.starts_with("/match"));
        let follows = !found.pointer.is_empty() && self.taken.iter().any(holds_taken);
        (!follows && !follows_from_match).then_some(found)
    }

    /// A pointer into the remainder as one into the entry: items keep their numbers.
    fn original(&self, pointer: &str) -> String {
        let mut original = String::new();
        for segment in pointer.split('/').skip(1) {
            let taken = self.items.get(&original);
            let number = taken.and_then(|taken| Some((segment.parse::<usize>().ok()?, taken)));
            original.push('/');
            match number.and_then(|(number, taken)| (0..).filter(|item| !taken.contains(item)).nth(number)) {
                Some(item) => original.push_str(&item.to_string()),
                None => original.push_str(segment),
            }
        }
        original
    }
}

fn drop_nulls(value: &mut Value, pointer: &str, dropped: &mut BTreeMap<String, BTreeSet<usize>>) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            for (name, member) in members {
                drop_nulls(member, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), dropped);
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter_mut().enumerate() {
                match item {
                    Value::Null => _ = dropped.entry(pointer.to_owned()).or_default().insert(number),
                    item => drop_nulls(item, &format!("{pointer}/{number}"), dropped),
                }
            }
            items.retain(|item| !item.is_null());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts harmless values where an entry cannot be without one, its absence being reported already.
fn stand_in(kind: Kind, fields: &mut Map<String, Value>, mistaken: &BTreeSet<String>) {
    let is_mistaken = |name: &&str| mistaken.iter().any(|pointer| pointer.split('/').nth(1) == Some(name));
    let mut put = |name: &str, value: Value| _ = fields.entry(name).or_insert(value);
    match kind {
        Kind::Settings | Kind::Plan => {}
        Kind::Issuer => {
            put("issuer", json!("https://unknown.invalid"));
            let client = json!({ "id": "unknown", "secret": { "ssm": "unknown" } });
            for (way, harmless) in [
                ("jwks", json!({ "url": "https://unknown.invalid" })),
                ("secret", json!({ "ssm": "unknown" })),
                ("introspection", json!({ "url": "https://unknown.invalid", "client": client })),
            ] {
                if is_mistaken(&way) {
                    put(way, harmless);
                }
            }
        }
        Kind::Backend => put("targets", json!([{ "url": "http://unknown.invalid" }])),
        Kind::Route => {
            put("authenticate", json!("anonymous"));
            if ACTIONS.iter().any(is_mistaken) && !ACTIONS.iter().any(|name| fields.contains_key(*name)) {
                fields.insert("respond".to_owned(), json!({}));
            }
        }
    }
}
