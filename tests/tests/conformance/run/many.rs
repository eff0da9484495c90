//! Cases that are sent many times.

use std::collections::BTreeMap;

use faregate_tests::Answer;

use super::Door;
use crate::{
    expect,
    model::{Case, Distribution},
};

/// The one invariant that the suites have.
const BACKEND_HEADER: &str =
    "upstream header 'Backend' present exactly once and is a prefix of the name of the backend that answered";

/// Sends a case `times` times; the differences of the first answer that has some.
pub(super) async fn repeat(case: &Case, times: u32, door: &Door) -> Vec<String> {
    for _ in 0..times {
        let differences = match door.send(case).await {
            Ok(answer) => {
                let mut differences = expect::differences(case, &door.scheme_of(case), &answer);
                differences.extend(case.invariant.as_deref().and_then(|invariant| broken(invariant, &answer)));
                differences
            }
            Err(error) => vec![error],
        };
        if !differences.is_empty() {
            return differences;
        }
    }
    Vec::new()
}

/// What is wrong about an invariant.
fn broken(invariant: &str, answer: &Answer) -> Option<String> {
    if invariant != BACKEND_HEADER {
        return Some(format!("the invariant `{invariant}` is not known here"));
    }
    let seen = answer.seen()?;
    let values = seen.values("backend");
    let holds = matches!(values.as_slice(), [value] if seen.backend.starts_with(*value));
    (!holds).then(|| format!("`backend` is {values:?} at {}", seen.backend))
}

/// Sends the requests until the shares of the backends fit, as often as the case allows.
pub(super) async fn distribution(case: &Case, distribution: &Distribution, door: &Door) -> Vec<String> {
    let mut differences = Vec::new();
    for _ in 0..distribution.tries {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..distribution.requests {
            match door.send(case).await {
                Ok(answer) => {
                    let differences = expect::differences(case, &door.scheme_of(case), &answer);
                    if !differences.is_empty() {
                        return differences;
                    }
                    let backend = answer.seen().map(|seen| seen.backend).unwrap_or_default();
                    *counts.entry(backend).or_default() += 1;
                }
                Err(error) => return vec![error],
            }
        }
        differences = shares_that_differ(distribution, &counts);
        if differences.is_empty() {
            break;
        }
    }
    differences
}

fn shares_that_differ(distribution: &Distribution, counts: &BTreeMap<String, u32>) -> Vec<String> {
    let total = f64::from(distribution.requests);
    let share = |name: &str| f64::from(counts.get(name).copied().unwrap_or_default()) / total;
    let fits = |name: &str, weight: f64| {
        let difference = (share(name) - weight).abs();
        // No weight is no request at all.
        if weight == 0.0 { difference == 0.0 } else { difference <= distribution.tolerance }
    };
    let listed = distribution.weights.iter().filter(|(name, weight)| !fits(name, **weight));
    let unknown = counts.keys().filter(|name| !distribution.weights.contains_key(*name));
    listed
        .map(|(name, weight)| format!("{name} has a share of {}, not {weight}", share(name)))
        .chain(unknown.map(|name| format!("`{name}` got requests")))
        .collect()
}
