//! What rules match.

use serde_json::{Value, json};

use super::object;
use crate::model::{Match, PathMatch, ValueMatch, ValueMatchKind};

/// The match entries; `None` where there is no match, which is any request.
pub(super) fn entries(matches: &[Match]) -> Option<Value> {
    (!matches.is_empty()).then(|| matches.iter().map(entry).collect())
}

fn entry(entry: &Match) -> Value {
    object([
        ("path", entry.path.as_ref().map(path)),
        ("methods", entry.method.as_ref().map(|method| json!([method]))),
        ("headers", values(&entry.headers)),
        ("query", values(&entry.query_params)),
    ])
}

fn path(path: &PathMatch) -> Value {
    match path {
        PathMatch::Exact(path) => json!({ "exact": path }),
        PathMatch::PathPrefix(path) => json!({ "prefix": path }),
        PathMatch::RegularExpression(source) => json!({ "regex": source }),
    }
}

fn values(matches: &[ValueMatch]) -> Option<Value> {
    let value = |one: &ValueMatch| match one.kind {
        ValueMatchKind::Exact => json!({ "name": one.name, "exact": one.value }),
        ValueMatchKind::RegularExpression => json!({ "name": one.name, "regex": one.value }),
    };
    (!matches.is_empty()).then(|| matches.iter().map(value).collect())
}
