//! What a change does, entry by entry and field by field.

use faregate_core::document::Entry;
use faregate_engine::publish::{Change, Plan};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::output::Lines;

/// Longest value that is shown to people, in characters.
const VALUE_CHARACTERS_MAX: usize = 120;

/// A plan, ready to be shown; secrets are masked.
#[derive(Debug, Serialize)]
pub(crate) struct Changes {
    /// What is created, updated and deleted.
    pub(crate) changes: Vec<EntryChange>,
    /// What is stored, not in the file, and stays.
    pub(crate) kept: Vec<EntryName>,
}

/// An entry's name.
#[derive(Debug, Serialize)]
pub(crate) struct EntryName {
    kind: String,
    id: String,
}

/// One entry that changes.
#[derive(Debug, Serialize)]
pub(crate) struct EntryChange {
    /// What becomes of it.
    pub(crate) action: Action,
    #[serde(flatten)]
    name: EntryName,
    /// The fields that differ.
    fields: Vec<FieldChange>,
}

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// It is new.
    Create,
    /// It gets other fields.
    Update,
    /// It goes.
    Delete,
}

/// One field that differs; an absent side is a field that is not there.
#[derive(Debug, PartialEq, Serialize)]
struct FieldChange {
    /// JSON Pointer within the entry.
    pointer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
}

impl Changes {
    /// Shows a plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        let kept = plan.kept.iter().map(|(kind, id)| EntryName { kind: kind.clone(), id: id.clone() }).collect();
        Self { changes: plan.changes.iter().map(EntryChange::of).collect(), kept }
    }

    /// How many entries are deleted.
    pub(crate) fn deletions(&self) -> usize {
        self.changes.iter().filter(|change| change.action == Action::Delete).count()
    }

    /// Says what changes, and what stays although the file does not have it.
    pub(crate) fn say(&self, lines: &mut Lines) {
        for change in &self.changes {
            change.say(lines);
        }
        for EntryName { kind, id } in &self.kept {
            lines.add(format!("  {kind}/{id} stays, though it is not in the file (--prune deletes it)"));
        }
    }
}

impl EntryChange {
    fn of(change: &Change) -> Self {
        let name = |entry: &Entry| EntryName { kind: entry.kind.as_str().to_owned(), id: entry.id.clone() };
        match change {
            Change::Create(entry) => {
                Self { action: Action::Create, name: name(entry), fields: differences(&Map::new(), &entry.fields) }
            }
            Change::Update { before, after } => {
                let fields = differences(&before.fields, &after.fields);
                Self { action: Action::Update, name: name(after), fields }
            }
            Change::Delete { kind, id } => Self {
                action: Action::Delete,
                name: EntryName { kind: kind.clone(), id: id.clone() },
                fields: Vec::new(),
            },
        }
    }

    fn say(&self, lines: &mut Lines) {
        let EntryName { kind, id } = &self.name;
        let sign = match self.action {
            Action::Create => '+',
            Action::Update => '~',
            Action::Delete => '-',
        };
        lines.add(format!("{sign} {kind}/{id}"));
        for FieldChange { pointer, before, after } in &self.fields {
            match (before, after) {
                (Some(before), Some(after)) => {
                    lines.add(format!("    ~ {pointer}: {} -> {}", short(before), short(after)));
                }
                (None, Some(after)) => lines.add(format!("    + {pointer}: {}", short(after))),
                (Some(before), None) => lines.add(format!("    - {pointer}: {}", short(before))),
                (None, None) => {}
            }
        }
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn differences(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare_members("", before, after, &mut changes);
    changes
}

fn compare_members(
    pointer: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    changes: &mut Vec<FieldChange>,
) {
    for (name, old) in before {
        compare(&member(pointer, name), Some(old), after.get(name), changes);
    }
    for (name, new) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        compare(&member(pointer, name), None, Some(new), changes);
    }
}

fn compare(pointer: &str, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<FieldChange>) {
    match (before, after) {
        _ if before == after => {}
        (Some(Value::Object(old)), Some(Value::Object(new)))
            if ![before, after].into_iter().flatten().any(is_inline_secret) =>
        {
            compare_members(pointer, old, new, changes);
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{pointer}/{index}"), Some(old), Some(new), changes);
            }
        }
        _ => changes.push(FieldChange {
            pointer: pointer.to_owned(),
            before: before.map(|value| masked(field(pointer), value)),
            after: after.map(|value| masked(field(pointer), value)),
        }),
    }
}

fn member(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The name of the field in which something lies; places in lists have none.
fn field(pointer: &str) -> &str {
    pointer.rsplit('/').find(|name| name.parse::<usize>().is_err()).unwrap_or_default()
}

/// A field's value without the text of secrets (SECURITY.md 11).
fn masked(field: &str, value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| masked(field, item)).collect(),
        Value::Object(_) if is_inline_secret(value) => json!({ "inline": "***" }),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), masked(name, value))).collect(),
        Value::String(_) if holds_secrets(field) => json!("***"),
        _ => value.clone(),
    }
}

/// Whether a field's value holds the text of a secret anywhere.
pub(crate) fn has_secret_text(field: &str, value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| has_secret_text(field, item)),
        Value::Object(members) => {
            is_inline_secret(value) || members.iter().any(|(name, value)| has_secret_text(name, value))
        }
        Value::String(_) => holds_secrets(field),
        _ => false,
    }
}

/// Whether a field of this name has references to secrets, and text in it can only be a secret out of place.
fn holds_secrets(field: &str) -> bool {
    matches!(field, "secret" | "values")
}

/// `{ inline: … }`, whatever stands there and even if `ssm` stands beside it: what every kind of secret looks like,
/// and what a mistaken one looks like. A map of headers may look so, too.
fn is_inline_secret(value: &Value) -> bool {
    let Some(members) = value.as_object() else { return false };
    members.contains_key("inline") && members.keys().all(|name| name == "inline" || name == "ssm")
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{FieldChange, differences};

    fn changes(before: Value, after: Value) -> Vec<(String, Option<Value>, Option<Value>)> {
        let members = |value: Value| -> Map<String, Value> { value.as_object().cloned().expect("an object") };
        let changes = differences(&members(before), &members(after));
        changes.into_iter().map(|FieldChange { pointer, before, after }| (pointer, before, after)).collect()
    }

    #[test]
    fn only_what_differs_is_shown() {
        let before = json!({"a": 1, "b": {"c": [1, 2], "x/y": "old"}, "gone": true});
        let after = json!({"a": 1, "b": {"c": [1, 3], "x/y": "new"}, "new": []});
        assert_eq!(
            changes(before, after),
            [
                ("/b/c/1".into(), Some(json!(2)), Some(json!(3))),
                ("/b/x~1y".into(), Some(json!("old")), Some(json!("new"))),
                ("/gone".into(), Some(json!(true)), None),
                ("/new".into(), None, Some(json!([]))),
            ]
        );
        assert_eq!(changes(json!({"a": [1]}), json!({"a": [1, 2]})).len(), 1);
    }

    #[test]
    fn a_secret_is_never_shown_and_its_change_is() {
        let settings = |secret: &str| json!({"edge": {"secret": {"values": [{"ssm": "/a"}, {"inline": secret}]}}});
        let found = changes(settings("first-secret"), settings("second-secret"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "/edge/secret/values/1");
        let all = changes(json!({}), settings("first-secret"));
        assert!(!format!("{found:?}{all:?}").contains("-secret"), "{found:?} {all:?}");
        // Text where a reference should be is a mistake, and a secret all the same.
        let misplaced = [
            (json!({"secret": "first-secret"}), json!({"secret": "second-secret"})),
            (
                json!({"edge": {"secret": {"values": ["first-secret"]}}}),
                json!({"edge": {"secret": {"values": ["second-secret"]}}}),
            ),
            (json!({}), json!({"introspection": {"client": {"id": "a", "secret": "first-secret"}}})),
        ];
        for (before, after) in misplaced {
            let found = changes(before, after);
            assert_eq!(found.len(), 1);
            assert!(!format!("{found:?}").contains("-secret"), "{found:?}");
        }
    }
}
