//! The entries that did not win.

use std::{cmp::Reverse, collections::HashMap};

use faregate_core::{
    matcher::{Entry, MatchRequest, Miss},
    snapshot::Snapshot,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::written::Written;

/// An entry that did not win, and the first thing that keeps it from it.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Other {
    pub(super) route: String,
    /// The entry's place in the route.
    pub(super) entry: usize,
    pub(super) missed: Missed,
    /// What the entry asks for there.
    pub(super) asks: Option<Value>,
}

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Missed {
    /// Nothing: it ranks below the winner.
    Rank,
    /// The method.
    Method,
    /// A query parameter.
    Query,
    /// A header.
    Header,
    /// The path.
    Path,
    /// The host.
    Host,
}

/// The nearest ones, at most `shown`, and how many there are in all. An entry stands under each of its
/// hosts; the nearest one counts.
pub(super) fn others(
    winner: Option<&Entry>,
    request: &MatchRequest<'_>,
    snapshot: &Snapshot,
    written: &Written<'_>,
    shown: usize,
) -> (Vec<Other>, usize) {
    let mut nearest = HashMap::new();
    for verdict in snapshot.matcher().explain(request) {
        let entry = verdict.entry;
        if winner.is_some_and(|winner| std::ptr::eq(winner, entry)) {
            continue;
        }
        let nearness = verdict.miss.as_ref().map_or(u8::MAX, Miss::nearness);
        let order = (Reverse(nearness), verdict.rank);
        let known = nearest.entry((entry.route, entry.index)).or_insert((order, verdict.miss.clone(), entry));
        if order < known.0 {
            *known = (order, verdict.miss, entry);
        }
    }
    let mut found: Vec<_> = nearest.into_values().collect();
    found.sort_by_key(|(order, ..)| *order);
    let total = found.len();
    let others = found.into_iter().take(shown);
    (others.map(|(_, miss, entry)| other(entry, miss.as_ref(), snapshot, written)).collect(), total)
}

fn other(entry: &Entry, miss: Option<&Miss<'_>>, snapshot: &Snapshot, written: &Written<'_>) -> Other {
    let id = &snapshot.route(entry).id;
    let route = written.route(id);
    let matched = written.entry(id, entry.index).and_then(Value::as_object);
    let (missed, asks) = match miss {
        None => (Missed::Rank, None),
        Some(Miss::Host) => (Missed::Host, route.and_then(|route| route.get("hosts")).cloned()),
        Some(Miss::Path) => (Missed::Path, matched.and_then(|entry| entry.get("path")).cloned()),
        Some(Miss::Header(name)) => (Missed::Header, named(matched, "headers", name.as_str())),
        Some(Miss::Query(name)) => (Missed::Query, named(matched, "query", name)),
        Some(Miss::Method(methods)) => {
            (Missed::Method, Some(methods.iter().map(ToString::to_string).map(Value::from).collect()))
        }
    };
    Other { route: id.to_string(), entry: entry.index, missed, asks }
}

/// The condition on a header or parameter as it was written.
fn named(entry: Option<&Map<String, Value>>, member: &str, name: &str) -> Option<Value> {
    let conditions = entry?.get(member)?.as_array()?;
    let is_meant = |condition: &&Value| {
        condition.get("name").and_then(Value::as_str).is_some_and(|written| written.eq_ignore_ascii_case(name))
    };
    conditions.iter().find(is_meant).cloned()
}
