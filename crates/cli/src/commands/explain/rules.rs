//! What a route's rules make of one credential.

use faregate_core::{policy::authorize::Subject, snapshot::RoutePolicy};
use serde::Serialize;

/// One rule of `authorize`, and whether it holds.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct RuleVerdict {
    pub(super) rule: String,
    pub(super) holds: bool,
}

/// Asks every rule.
pub(super) fn rules(route: Option<&RoutePolicy>, subject: Subject<'_>) -> Vec<RuleVerdict> {
    let rules = route.iter().flat_map(|route| route.authorize.rules());
    rules.map(|rule| RuleVerdict { rule: rule.to_string(), holds: rule.holds(&[subject], &[subject]) }).collect()
}
