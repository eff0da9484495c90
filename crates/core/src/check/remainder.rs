//! What is left of an entry when its mistaken parts are taken out, and harmless values put where one is missing: it
//! is checked, too, so that a mistake in one field hides none in another.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::schema::Mistakes;
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
    /// JSON Pointers, in the entry as it was written, of what was taken out and what was put in.
    mistakes: Mistakes,
    /// The items that were taken out, by the pointer of their list.
    items: BTreeMap<String, BTreeSet<usize>>,
}

impl Remainder {
    /// Takes wrong values out of an entry, and puts harmless ones where one is missing.
    pub(super) fn of(entry: &Entry, mut mistakes: Mistakes) -> Self {
        let mut fields = Value::Object(entry.fields.clone());
        for pointer in &mistakes.missing {
            // What nothing can stand in for takes the mapping with it that needs it.
            if harmless(pointer).is_none()
                && let Some((parent, _)) = pointer.rsplit_once('/')
            {
                mistakes.wrong.insert(parent.to_owned());
            }
        }
        for pointer in mistakes.wrong.iter().filter(|pointer| !pointer.is_empty()) {
            if let Some(value) = fields.pointer_mut(pointer) {
                // A null is a mistake wherever it stands, so that none is meant to stay.
                *value = Value::Null;
            }
        }
        for pointer in &mistakes.missing {
            let member = pointer.rsplit_once('/').zip(harmless(pointer));
            let Some(((parent, name), value)) = member else { continue };
            if let Some(Value::Object(members)) = fields.pointer_mut(parent) {
                members.insert(name.to_owned(), value);
            }
        }
        let mut items = BTreeMap::new();
        drop_nulls(&mut fields, "", &mut items);
        let mut fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        stand_in(entry.kind, &mut fields, &mistakes);
        Self { entry: Entry { kind: entry.kind, id: entry.id.clone(), fields }, mistakes, items }
    }

    /// The same without what cannot stand now, as `mistakes` in the remainder; `None` where nothing changes.
    pub(super) fn narrowed(&self, entry: &Entry, mistakes: &Mistakes) -> Option<Self> {
        let mut all = self.mistakes.clone();
        all.wrong.extend(mistakes.wrong.iter().map(|pointer| self.original(pointer)));
        all.missing.extend(mistakes.missing.iter().map(|pointer| self.original(pointer)));
        (all != self.mistakes).then(|| Self::of(entry, all))
    }

    /// A finding of the remainder as one of the entry; `None` where it only follows from what was taken out or
    /// put in.
    pub(super) fn as_of_entry(&self, mut found: Diagnostic) -> Option<Diagnostic> {
        found.pointer = self.original(&found.pointer);
        let lies_in = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut mistaken = self.mistakes.iter().filter(|pointer| !pointer.is_empty());
        let is_about_mistaken = !found.pointer.is_empty()
            && mistaken.any(|pointer| lies_in(pointer, &found.pointer) || lies_in(&found.pointer, pointer));
        let is_about_path = ["/forward/path", "/redirect/path"].iter().any(|path| found.pointer.starts_with(path));
        // A rewrite is checked against the paths that match.
        let follows_from_match = is_about_path && self.mistakes.wrong.iter().any(|wrong| wrong.starts_with("/match"));
        // Nobody knows yet whether the caller is anonymous.
        let follows_from_caller =
            found.pointer == "/authorize" && self.mistakes.iter().any(|pointer| pointer == "/authenticate");
        (!is_about_mistaken && !follows_from_match && !follows_from_caller).then_some(found)
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

/// What can stand at a pointer where a member is missing.
fn harmless(pointer: &str) -> Option<Value> {
    let mut names = pointer.rsplit('/');
    let name = names.next()?;
    let secret = || json!({ "ssm": "unknown" });
    Some(match name {
        "id" => json!("unknown"),
        "name" | "header" => json!("x-unknown"),
        // Endpoints of one id are compared with each other: a made-up one would contradict the others.
        "url" if names.next() != Some("forward_auth") => json!("https://unknown.invalid"),
        "limit" => json!(u32::MAX),
        "issuers" => json!(["unknown"]),
        "allow_origins" => json!(["https://unknown.invalid"]),
        "values" => json!([secret()]),
        "client" => json!({ "id": "unknown", "secret": secret() }),
        "secret" if names.next() == Some("edge") => json!({ "values": [secret()] }),
        "secret" => secret(),
        _ => return None,
    })
}

/// Puts harmless values where an entry cannot be without one, its absence being reported already.
fn stand_in(kind: Kind, fields: &mut Map<String, Value>, mistakes: &Mistakes) {
    let is_mistaken = |name: &&str| mistakes.iter().any(|pointer| pointer.split('/').nth(1) == Some(name));
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
