//! `faregate usage`.

mod buckets;
mod cost;
mod requests;

use std::collections::BTreeMap;

use clap::Args;
use faregate_core::{
    limit::{RollUp, SlotName, Window},
    snapshot::{PlanNeed, Snapshot},
    time::Timestamp,
};
use serde::Serialize;
use serde_json::{Map, Value};

use self::{cost::CostLine, requests::RequestsLine};
use super::explain::serving;
use crate::{
    error::{CliError, Exit},
    findings,
    output::{Answer, Lines, Output},
    stores::Stores,
    time::show,
};

/// How much of a key's hash its counters' names have.
const HASH_IN_NAME: usize = 32;

/// Show what was used of each limit, of the present windows and of a month's quotas, and how many requests a month had
#[derive(Args, Debug)]
pub(crate) struct Usage {
    /// Of this consumer only
    #[arg(long)]
    consumer: Option<String>,
    /// Of this key only: its hash, in limits that count by key
    #[arg(long, value_name = "HASH", conflicts_with = "consumer")]
    key: Option<String>,
    /// The month; default: the present one
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    period: Option<String>,
    /// Also what the month's requests cost, as far as counters were told: an estimate
    #[arg(long)]
    cost: bool,
}

#[derive(Serialize)]
struct Report {
    period: String,
    /// One for each limit and window.
    limits: Vec<Used>,
    /// One for each counter, and for those of a consumer's requests that none counted.
    requests: Vec<RequestsLine>,
    /// With `--cost`: one for each counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    costs: Option<Vec<CostLine>>,
}

#[derive(Serialize)]
struct Used {
    /// Whose: `c#<consumer>`, `k#<hash>`, `ip#<address>` and so on.
    scope: String,
    /// Whose limit: `plan` or `route:<id>`.
    owner: String,
    limit: String,
    /// When the window began; absent for the sum of a month's windows that are over, and for a bucket.
    since: Option<String>,
    /// When it ends, or the bucket is full again.
    until: Option<String>,
    /// Permits that were really spent, as far as environments have told; of a bucket those that have not come back.
    used: u64,
    /// Permits that were granted, some of which environments may still hold.
    granted: Option<u64>,
    /// The limit's number, where it is known whose plan counts; of a bucket its burst.
    of: Option<u64>,
    /// Whether it is of several windows, none of which has had the limit's number in all.
    #[serde(skip)]
    is_sum: bool,
}

/// A month as `2026-11`.
fn month(text: &str) -> Result<String, String> {
    let is_digits = |part: &str, len| part.len() == len && part.bytes().all(|byte| byte.is_ascii_digit());
    let (year, month) = text.split_once('-').ok_or("write a month as 2026-11")?;
    let is_month = is_digits(year, 4) && is_digits(month, 2) && matches!(month.parse(), Ok(1..=12));
    is_month.then(|| text.to_owned()).ok_or_else(|| "write a month as 2026-11".to_owned())
}

impl Usage {
    /// Reads the Usage table: the items of one consumer or key, or all of it.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let now = stores.clock.now();
        let period = self.period.clone().unwrap_or_else(|| now.rfc3339().chars().take(7).collect());
        let snapshot = serving(stores).await?;
        let numbers = Numbers::of(stores, snapshot.as_ref(), self.consumer.as_deref()).await?;
        let items = self.items(stores, snapshot.as_ref(), &period).await?;
        let mut limits: Vec<Used> = items.iter().flat_map(|item| used(item, &period, now)).collect();
        for used in limits.iter_mut().filter(|used| !used.is_sum) {
            used.of = numbers.get(&used.owner, &used.limit, &used.scope);
        }
        if now.rfc3339().starts_with(&period) {
            let number = |owner: &str, limit: &str, scope: &str| numbers.get(owner, limit, scope);
            limits.extend(items.iter().flat_map(|item| buckets::buckets(item, snapshot.as_ref(), number, now)));
        }
        limits.sort_by(|a, b| (&a.scope, &a.owner, &a.limit, &a.since).cmp(&(&b.scope, &b.owner, &b.limit, &b.since)));
        let requests = requests::requests(&items, &period);
        let costs = self.cost.then(|| cost::costs(&items, &period));
        let report = Report { period, limits, requests, costs };
        output.answer(&report)?;
        output.note(findings::number(report.limits.len() + report.requests.len(), "line"));
        Ok(Exit::Done)
    }

    async fn items(
        &self,
        stores: &Stores,
        snapshot: Option<&Snapshot>,
        period: &str,
    ) -> Result<Vec<Map<String, Value>>, CliError> {
        let scope = match (&self.consumer, &self.key) {
            (Some(consumer), _) => format!("c#{consumer}"),
            (None, Some(hash)) => key_scope(hash),
            (None, None) => return Ok(stores.usage.all().await?),
        };
        let routes =
            snapshot.into_iter().flat_map(|snapshot| &snapshot.routes).filter(|route| !route.limits.is_empty());
        let mut ids: Vec<String> = routes.map(|route| format!("route:{}|{scope}", route.id)).collect();
        ids.push(format!("plan|{scope}"));
        ids.extend(self.consumer.iter().map(|consumer| RollUp::item_of(consumer, period)));
        let mut items = Vec::new();
        for id in ids {
            items.extend(stores.usage.get(&id).await?);
        }
        Ok(items)
    }
}

/// What an item of the Usage table says of a month.
fn used(item: &Map<String, Value>, period: &str, now: Timestamp) -> Vec<Used> {
    let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| item.get(name).and_then(Value::as_u64);
    if let Some((consumer, month)) = id.strip_prefix("u#").and_then(|rest| rest.rsplit_once('#')) {
        let sums = item.iter().filter(|_| month == period).filter_map(|(name, value)| {
            let (owner, limit) = name.rsplit_once('|')?;
            let used = value.as_u64()?;
            let (limit, unit) = limit.split_once('.')?;
            let (scope, owner, limit) = (format!("c#{consumer}"), owner.to_owned(), limit.to_owned());
            let is_sum = unit != Window::Month.unit();
            Some(Used { scope, owner, limit, since: None, until: None, used, granted: None, of: None, is_sum })
        });
        return sums.collect();
    }
    let Some((owner, scope)) = id.split_once('|').filter(|(owner, _)| *owner != "adjustment") else {
        return Vec::new();
    };
    let windows = item.keys().filter_map(|name| {
        let (limit, window, slot) = SlotName::parse(name)?;
        let index = number(name)?;
        let (since, until) = (window.start(index), window.end(index));
        // A window of a quota counts in its month for as long as its slot has it; a shorter one while it lasts.
        let is_present = since <= now && now < until;
        let counts = since.rfc3339().starts_with(period) && (window.is_quota() || is_present);
        counts.then(|| Used {
            scope: scope.to_owned(),
            owner: owner.to_owned(),
            limit: limit.to_owned(),
            since: Some(show(since)),
            until: Some(show(until)),
            used: number(&slot.settled_attribute()).unwrap_or_default(),
            granted: number(&slot.granted_attribute()),
            of: None,
            is_sum: false,
        })
    });
    windows.collect()
}

/// The numbers of limits, as far as it is known which counts.
pub(super) struct Numbers {
    /// By owner and limit; none where plans differ.
    shared: BTreeMap<(String, String), Option<u64>>,
    /// Of plans and the overrides of keys that work, by scope and limit; where keys of one consumer differ, the highest.
    own: BTreeMap<(String, String), u64>,
}

impl Numbers {
    /// Reads what the keys of one consumer, or all keys, override.
    pub(super) async fn of(
        stores: &Stores,
        snapshot: Option<&Snapshot>,
        consumer: Option<&str>,
    ) -> Result<Self, CliError> {
        let mut shared = BTreeMap::new();
        let mut add = |owner: &str, limit: &str, number: u64| {
            let known = shared.entry((owner.to_owned(), limit.to_owned())).or_insert(Some(number));
            if *known != Some(number) {
                *known = None;
            }
        };
        let snapshot_plans = snapshot.into_iter().flat_map(|snapshot| snapshot.plans.values());
        for limit in snapshot_plans.flat_map(|plan| &plan.limits) {
            add("plan", &limit.rule.id, limit.rule.limit);
        }
        for route in snapshot.into_iter().flat_map(|snapshot| &snapshot.routes) {
            route.limits.iter().for_each(|limit| add(&format!("route:{}", route.id), &limit.rule.id, limit.rule.limit));
        }
        let mut own: BTreeMap<(String, String), u64> = BTreeMap::new();
        let now = stores.clock.now().as_seconds();
        let works = |item: &&Map<String, Value>| {
            item.get("enabled") != Some(&Value::Bool(false))
                && item.get("expires_at").and_then(Value::as_u64).is_none_or(|expires_at| now < expires_at)
        };
        for item in stores.keys.list(consumer).await?.iter().filter(works) {
            let text = |name: &str| item.get(name).and_then(Value::as_str);
            let plans = match text("plan") {
                Some(own) => vec![own],
                None => snapshot.map(defaults).unwrap_or_default(),
            };
            let plans = plans.into_iter().filter_map(|id| snapshot?.plans.get(id));
            let mut numbers = BTreeMap::<&str, u64>::new();
            for limit in plans.flat_map(|plan| &plan.limits) {
                let known = numbers.entry(&limit.rule.id).or_default();
                *known = (*known).max(limit.rule.limit);
            }
            for overridden in item.get("limits").and_then(Value::as_array).into_iter().flatten() {
                let (id, number) = (overridden.get("id").and_then(Value::as_str), overridden.get("limit"));
                if let (Some(id), Some(number)) = (id, number.and_then(Value::as_u64)) {
                    numbers.insert(id, number);
                }
            }
            let consumer = text("consumer").map(|consumer| format!("c#{consumer}"));
            let key = text("key_hash").map(key_scope);
            for scope in consumer.into_iter().chain(key) {
                for (limit, number) in &numbers {
                    let known = own.entry((scope.clone(), (*limit).to_owned())).or_default();
                    *known = (*known).max(*number);
                }
            }
        }
        Ok(Self { shared, own })
    }

    /// The number of a limit for a scope.
    pub(super) fn get(&self, owner: &str, limit: &str, scope: &str) -> Option<u64> {
        let own = self.own.get(&(scope.to_owned(), limit.to_owned())).filter(|_| owner == "plan");
        own.copied().or_else(|| *self.shared.get(&(owner.to_owned(), limit.to_owned()))?)
    }
}

/// The plans of those who have none of their own.
fn defaults(snapshot: &Snapshot) -> Vec<&str> {
    let of_routes = snapshot.routes.iter().filter_map(|route| match &route.plan {
        PlanNeed::Required(default) => default.as_deref(),
        PlanNeed::Optional | PlanNeed::Exempt => None,
    });
    of_routes.chain(snapshot.settings.default_plan.as_deref()).collect()
}

/// The scope of a key in limits that count by key.
pub(super) fn key_scope(hash: &str) -> String {
    format!("k#{}", hash.get(..HASH_IN_NAME).unwrap_or(hash))
}

impl Answer for Report {
    fn say(&self, lines: &mut Lines) {
        for used in &self.limits {
            let of = match used.of {
                Some(number) => format!(" of {number}"),
                None if used.is_sum => String::new(),
                None => " of ?".to_owned(),
            };
            let granted = used.granted.map_or_else(String::new, |granted| format!(", {granted} granted"));
            let when = match (&used.since, &used.until) {
                (Some(since), Some(until)) => format!("{since} to {until}"),
                (None, Some(until)) => format!("now, all back {until}"),
                _ => format!("{}, windows that are over", self.period),
            };
            lines.add(format!("{}  {}  {}  {}{of}{granted}  {when}", used.scope, used.owner, used.limit, used.used));
        }
        requests::say(&self.requests, &self.period, lines);
        if let Some(costs) = &self.costs {
            cost::say(costs, &self.period, lines);
        }
    }
}

/// A window as the command line names it.
pub(super) fn window_of(item: &Map<String, Value>, limit: &str, now: Timestamp) -> Vec<(Window, u64, SlotName)> {
    let slots = item.keys().filter_map(|name| {
        let (id, window, slot) = SlotName::parse(name)?;
        let index = item.get(name)?.as_u64()?;
        (id == limit && window.index(now) == index).then_some((window, index, slot))
    });
    slots.collect()
}
