//! Buckets of limits in mode `burst`: they have no windows, only what has not come back yet.

use faregate_core::{
    limit::{Mode, Rule},
    snapshot::Snapshot,
    time::Timestamp,
};
use serde_json::{Map, Value};

use super::Used;
use crate::time::show;

/// What is drawn of the buckets of a counter now; `number` knows the numbers of limits by owner, limit and scope.
pub(super) fn buckets(
    item: &Map<String, Value>,
    snapshot: Option<&Snapshot>,
    number: impl Fn(&str, &str, &str) -> Option<u64>,
    now: Timestamp,
) -> Vec<Used> {
    let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
    let Some((owner, scope)) = id.split_once('|') else { return Vec::new() };
    let bucket = |(name, value): (&String, &Value)| {
        let (limit, full_at) = (name.strip_suffix(".b")?, value.as_u64()?);
        let rule = rule(snapshot?, owner, limit)?;
        let rule = number(owner, limit, scope).map_or_else(|| rule.clone(), |number| rule.with_limit(number));
        let Mode::Burst { burst, .. } = rule.mode else { return None };
        Some(Used {
            scope: scope.to_owned(),
            owner: owner.to_owned(),
            limit: limit.to_owned(),
            since: None,
            until: Some(show(Timestamp::from_millis(full_at.div_ceil(1000)))),
            used: rule.drawn(full_at, now)?,
            granted: None,
            of: Some(burst.unwrap_or(rule.limit)),
            is_sum: false,
        })
    };
    item.iter().filter_map(bucket).collect()
}

/// The rule of a plan or route; where plans differ, that of one of them.
fn rule<'a>(snapshot: &'a Snapshot, owner: &str, limit: &str) -> Option<&'a Rule> {
    let of_plans = snapshot.plans.values().flat_map(|plan| &plan.limits).filter(|_| owner == "plan");
    let of_routes = snapshot.routes.iter().filter(|route| owner == format!("route:{}", route.id));
    let all = of_plans.chain(of_routes.flat_map(|route| &route.limits)).map(|limit| &*limit.rule);
    all.into_iter().find(|rule| &*rule.id == limit && matches!(rule.mode, Mode::Burst { .. }))
}
