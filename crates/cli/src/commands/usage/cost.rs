//! What requests cost, as counters were told and as environments told of those that no counter counted.

use faregate_core::cost::Cost;
use serde::Serialize;
use serde_json::{Map, Value};

use super::requests;
use crate::output::Lines;

/// What a month's requests cost that one counter counted.
#[derive(Serialize)]
pub(super) struct CostLine {
    /// Whose: `c#<consumer>`, `k#<hash>` and so on.
    scope: String,
    /// `plan` for all requests that counted against a plan, `route:<id>` for those of a route with limits of its own,
    /// `none` for those of a consumer that none of its limits counted.
    owner: String,
    /// US dollars, an estimate.
    dollars: f64,
}

/// The costs of a month in these items, by scope and owner.
pub(super) fn costs(items: &[Map<String, Value>], period: &str) -> Vec<CostLine> {
    let attribute = Cost::attribute_of(period);
    let line = |item: &Map<String, Value>| {
        let (scope, owner, nanodollars) = requests::sum(item, period, "cost", &attribute)?;
        Some(CostLine { scope, owner, dollars: nanodollars as f64 / 1e9 })
    };
    let mut costs: Vec<CostLine> = items.iter().filter_map(line).collect();
    costs.sort_by(|a, b| (&a.scope, &a.owner).cmp(&(&b.scope, &b.owner)));
    costs
}

pub(super) fn say(costs: &[CostLine], period: &str, lines: &mut Lines) {
    for CostLine { scope, owner, dollars } in costs {
        lines.add(format!("{scope}  {owner}  ${dollars:.6} in {period}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::costs;

    #[test]
    fn counters_and_months_have_costs_and_only_those_of_the_month_are_told() {
        let item = |item: Value| -> Map<String, Value> { item.as_object().expect("an item").clone() };
        let items = [
            item(json!({"id": "route:orders|c#acme", "cost.2026-11": 1_500_000_000, "cost.2026-10": 7})),
            item(json!({"id": "plan|c#acme", "cost.2026-11": 2_000})),
            item(json!({"id": "plan|c#globex", "cost.2026-10": 2_000})),
            item(json!({"id": "u#acme#2026-11", "requests": 9, "cost": 3_000})),
            item(json!({"id": "u#acme#2026-10", "requests": 9, "cost": 4_000})),
        ];
        let costs = costs(&items, "2026-11");
        assert_eq!(
            serde_json::to_value(&costs).expect("JSON"),
            json!([
                {"scope": "c#acme", "owner": "none", "dollars": 0.000_003},
                {"scope": "c#acme", "owner": "plan", "dollars": 0.000_002},
                {"scope": "c#acme", "owner": "route:orders", "dollars": 1.5},
            ])
        );
    }
}
