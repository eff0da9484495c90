//! How many requests a month had, as counters were told and as environments told of those that no counter counted.

use faregate_core::cost::Cost;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::output::Lines;

/// The owner of requests that no counter of their consumer counted.
const UNCOUNTED: &str = "none";

/// A month's requests that one counter counted, or none.
#[derive(Serialize)]
pub(super) struct RequestsLine {
    /// Whose: `c#<consumer>`, `k#<hash>` and so on.
    scope: String,
    /// `plan` for those that counted against a plan, `route:<id>` for those of a route with limits of its own, `none` for
    /// those of a consumer that none of its limits counted.
    owner: String,
    /// How many.
    requests: u64,
}

/// The requests of a month in these items, by scope and owner.
pub(super) fn requests(items: &[Map<String, Value>], period: &str) -> Vec<RequestsLine> {
    let line = |item: &Map<String, Value>| {
        let (scope, owner, requests) = sum(item, period, "requests", &Cost::requests_attribute_of(period))?;
        (requests > 0).then_some(RequestsLine { scope, owner, requests })
    };
    let mut requests: Vec<RequestsLine> = items.iter().filter_map(line).collect();
    requests.sort_by(|a, b| (&a.scope, &a.owner).cmp(&(&b.scope, &b.owner)));
    requests
}

/// Whose sum of a month an item has, and the sum: in a consumer's month under one name, in a counter under another.
pub(super) fn sum(
    item: &Map<String, Value>,
    period: &str,
    in_month: &str,
    in_counter: &str,
) -> Option<(String, String, u64)> {
    let id = item.get("id")?.as_str()?;
    let number = |attribute: &str| item.get(attribute).and_then(Value::as_u64);
    if let Some((consumer, month)) = id.strip_prefix("u#").and_then(|rest| rest.rsplit_once('#')) {
        let number = number(in_month).filter(|_| month == period)?;
        return Some((format!("c#{consumer}"), UNCOUNTED.to_owned(), number));
    }
    let (owner, scope) = id.split_once('|')?;
    Some((scope.to_owned(), owner.to_owned(), number(in_counter)?))
}

pub(super) fn say(requests: &[RequestsLine], period: &str, lines: &mut Lines) {
    for RequestsLine { scope, owner, requests } in requests {
        lines.add(format!("{scope}  {owner}  {requests} requests in {period}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::requests;

    #[test]
    fn requests_are_those_of_counters_and_those_that_none_counted() {
        let item = |item: Value| -> Map<String, Value> { item.as_object().expect("an item").clone() };
        let items = [
            item(json!({"id": "plan|c#acme", "requests.2026-11": 12, "requests.2026-10": 7})),
            item(json!({"id": "u#acme#2026-11", "requests": 3, "cost": 900, "plan|daily.d": 12})),
            item(json!({"id": "u#acme#2026-10", "requests": 4})),
            item(json!({"id": "plan|c#globex", "requests.2026-11": 0})),
            // The separators of ids may stand in a consumer's name, too.
            item(json!({"id": "u#iss:a|b#c#2026-11", "requests": 5})),
        ];
        assert_eq!(
            serde_json::to_value(requests(&items, "2026-11")).expect("JSON"),
            json!([
                {"scope": "c#acme", "owner": "none", "requests": 3},
                {"scope": "c#acme", "owner": "plan", "requests": 12},
                {"scope": "c#iss:a|b#c", "owner": "none", "requests": 5},
            ])
        );
    }
}
