//! Plans and limits, compiled.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{LimitSet, PlanNeed, PlanPolicy, compile::unknown};
use crate::{
    diagnostic::{Place, Report, codes},
    document::{Document, Kind, Route, SETTINGS_ID},
    policy::limit::{Limit, LimitPolicy, PlanOf, RouteLimit},
};

/// Compiles the plans; the same id in two of them has one window.
pub(super) fn plans(document: &Document, report: &mut Report) -> BTreeMap<Box<str>, PlanPolicy> {
    let mut plans = BTreeMap::new();
    let mut windows: HashMap<&str, (Arc<str>, &str)> = HashMap::new();
    for plan in &document.plans {
        let mut place = report.entry(Kind::Plan.as_str(), &plan.id);
        if plan.id == "none" {
            place.at("id").error(codes::INVALID_VALUE, "`none` means no plan");
        }
        let limits = compile_limits(plan.limits.iter().enumerate(), &mut place.at("limits"));
        for limit in &limits {
            // Another window or mode is another counter.
            let counter = limit.rule.key();
            let written = plan.limits.iter().enumerate().find(|(_, written)| written.id == *limit.rule.id);
            let Some((index, id)) = written.map(|(index, written)| (index, written.id.as_str())) else { continue };
            let (known, other) = windows.entry(id).or_insert_with(|| (Arc::clone(counter), &plan.id));
            if known != counter {
                let message =
                    format!("`{id}` has another window or mode in plan `{other}`, and an upgrade keeps what was used");
                place.item("limits", index).error(codes::CONFLICT, message);
            }
        }
        let limits = LimitSet::of_plan(limits);
        plans.insert(plan.id.as_str().into(), PlanPolicy { id: plan.id.as_str().into(), limits });
    }
    // The counters are the same for all plans.
    let longest = plans.values().map(|plan| plan.limits.longest).max().unwrap_or_default();
    plans.values_mut().for_each(|plan| plan.limits.longest = longest);
    if let Some(id) = document.settings.default_plan.as_deref().filter(|id| !plans.contains_key(*id)) {
        let known = plans.keys().map(AsRef::as_ref);
        let mut place = report.entry(Kind::Settings.as_str(), SETTINGS_ID);
        unknown("plan", id, known, &mut place.at("default_plan"));
    }
    plans
}

fn compile_limits<'a>(limits: impl Iterator<Item = (usize, &'a Limit)>, place: &mut Place<'_>) -> Box<[LimitPolicy]> {
    let mut compiled: Vec<LimitPolicy> = Vec::new();
    for (index, limit) in limits {
        let mut place = place.at(index);
        let Some(policy) = limit.compile(&mut place) else { continue };
        if compiled.iter().any(|other| other.rule.id == policy.rule.id) {
            place.at("id").error(codes::DUPLICATE, format!("another limit has the id `{}`", limit.id));
        }
        compiled.push(policy);
    }
    compiled.into()
}

/// The limits of a route's own.
pub(super) fn own(route: &Route, place: &mut Place<'_>) -> LimitSet {
    let own = route.limits.iter().enumerate().filter_map(|(index, limit)| match limit {
        RouteLimit::Own(limit) => Some((index, limit)),
        RouteLimit::Plan(_) | RouteLimit::PlanUse(_) => None,
    });
    LimitSet::of_route(&route.id, compile_limits(own, place))
}

/// Which plan counts on a route.
pub(super) fn plan_need(route: &Route, plans: &BTreeMap<Box<str>, PlanPolicy>, place: &mut Place<'_>) -> PlanNeed {
    let mut need = PlanNeed::Optional;
    for (index, limit) in route.limits.iter().enumerate() {
        let wanted = match limit {
            RouteLimit::Own(_) => continue,
            RouteLimit::Plan(_) => PlanNeed::Required(None),
            RouteLimit::PlanUse(wish) => match &wish.plan {
                PlanOf::None => PlanNeed::Exempt,
                PlanOf::Default(id) => {
                    if !plans.contains_key(id.as_str()) {
                        let mut place = place.at(index);
                        let mut place = place.at("plan");
                        unknown("plan", id, plans.keys().map(AsRef::as_ref), &mut place.at("default"));
                    }
                    PlanNeed::Required(Some(id.as_str().into()))
                }
            },
        };
        if need != PlanNeed::Optional {
            place.at(index).error(codes::DUPLICATE, "`plan` stands once");
        }
        need = wanted;
    }
    need
}
