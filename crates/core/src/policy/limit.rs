//! Phase *limit*: how much a caller may do in a window of time.

use std::{num::NonZeroU32, sync::Arc};

use http::{HeaderMap, HeaderName, Method};
use serde::Deserialize;

use super::credential::is_stripped;
use crate::{
    diagnostic::{Place, codes},
    document::choice,
    limit::{self, Rule, Window},
};

/// Most permits of a window: an integer of structured fields has 15 digits (RFC 9651 §3.3.1).
pub const LIMIT_MAX: u64 = 999_999_999_999_999;
/// Most properties that one limit combines.
const PARTS_MAX: usize = 8;

/// One limit: a rate limit (windows shorter than a day) or a quota (a day and longer).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Its name: `[a-z][a-z0-9-]{0,31}`. The same id in two plans has the same window, so that an upgrade keeps what was
    /// used.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 32)))]
    pub id: String,
    /// How many permits a window has.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub limit: u64,
    /// The window; or `window_seconds`.
    #[serde(default)]
    pub per: Option<Per>,
    /// The window in seconds, aligned to 1970; or `per`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 31_622_400)))]
    pub window_seconds: Option<u32>,
    /// Whose requests are counted together; a list combines. Absent: the consumer's.
    #[serde(default)]
    pub by: Option<By>,
    /// How it is kept; absent: `burst` with `per: second`, else `exact`.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// Permits that may go at once, with mode `burst`; absent: as many as a window has.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub burst: Option<u64>,
    /// What happens while the counter cannot be reached; absent: `refuse` for quotas and `exact` limits.
    #[serde(default)]
    pub on_unavailable: Option<OnUnavailable>,
    /// How many permits a request takes; absent: 1.
    #[serde(default)]
    pub permits: Option<Permits>,
    /// The methods that are counted; empty: all.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub methods: Vec<String>,
}

/// A window of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday on.
    Week,
    /// A month of the calendar.
    Month,
}

/// How a limit is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Admitted in a window ≤ limit, whatever dies or is lost.
    Exact,
    /// A token bucket: admitted in any time t ≤ burst + limit / window × t.
    Burst,
    /// Every environment counts alone and tells the others: cheap, and passed by what the others do not know yet.
    Approximate,
}

/// What happens while a counter cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnUnavailable {
    /// Nothing is admitted without a permit: 503.
    Refuse,
    /// A tenth of the limit is admitted by each environment in each window, and counted later, but for buckets.
    Allow,
}

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum By {
    /// By one property.
    One(Part),
    /// By several together.
    All(Vec<Part>),
}

/// Variants that may be written as bare names.
#[cfg(feature = "schema")]
const BARE_NAMES: &[&str] = &["consumer", "key", "ip", "route"];

/// A property of a request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = choice::BareNames(BARE_NAMES)))]
#[serde(remote = "Self", rename_all = "snake_case", deny_unknown_fields)]
pub enum Part {
    /// The consumer; without one, the address.
    Consumer {},
    /// The API key; without one, the consumer, or the address.
    Key {},
    /// The address; of IPv6 its /64.
    Ip {},
    /// The route.
    Route {},
    /// A header; requests without it are counted together.
    Header(String),
    /// A claim of the token; requests without it are counted together.
    Claim(String),
}

choice::choice!(Part);

/// How many permits a request takes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Permits {
    /// Always so many.
    Fixed(u32),
    /// As many as a header says.
    Header(PermitsHeader),
}

/// A header that says how many permits a request takes; one that only the edge may set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PermitsHeader {
    /// The header.
    pub header: String,
    /// Fewest permits, also without the header.
    #[serde(default = "one")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub min: u32,
    /// Most permits.
    #[serde(default = "hundred")]
    pub max: u32,
}

fn one() -> u32 {
    1
}

fn hundred() -> u32 {
    100
}

/// [`Limit`], compiled.
#[derive(Clone, Debug)]
pub struct LimitPolicy {
    /// Id, number and window.
    pub rule: Arc<Rule>,
    /// Whose requests are counted together.
    pub by: Box<[PartPolicy]>,
    /// Whether callers choose by what they are counted, so that they have as many counters as they like.
    pub is_chosen: bool,
    /// Whether requests are refused while the counter cannot be reached.
    pub refuses_when_unavailable: bool,
    permits: PermitsPolicy,
    methods: Box<[Method]>,
}

/// [`Part`], compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartPolicy {
    /// The consumer.
    Consumer,
    /// The API key.
    Key,
    /// The address.
    Ip,
    /// The route.
    Route,
    /// A header.
    Header(HeaderName),
    /// A claim.
    Claim(Box<str>),
}

#[derive(Clone, Debug)]
enum PermitsPolicy {
    Fixed(u32),
    Header { name: HeaderName, min: u32, max: u32 },
}

impl Limit {
    /// Reads window, scope and permits; `None` where nothing could be counted.
    pub fn compile(&self, place: &mut Place<'_>) -> Option<LimitPolicy> {
        let mut bytes = self.id.bytes();
        let is_first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
        let is_rest = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !is_first || !is_rest || self.id.len() > 32 {
            place.at("id").error(codes::INVALID_VALUE, "a limit's id is [a-z][a-z0-9-]{0,31}");
        }
        if !(1..=LIMIT_MAX).contains(&self.limit) {
            place.at("limit").error(codes::INVALID_VALUE, format!("from 1 to {LIMIT_MAX}"));
        }
        let window = self.window(place);
        let mut methods = Vec::with_capacity(self.methods.len());
        for (index, text) in self.methods.iter().enumerate() {
            match Method::from_bytes(text.as_bytes()) {
                Ok(method) => {
                    if method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) {
                        let message = format!("methods are case-sensitive: is `{method}` meant?");
                        place.item("methods", index).warning(codes::RISKY, message);
                    }
                    methods.push(method);
                }
                Err(_) => place.item("methods", index).error(codes::INVALID_VALUE, format!("`{text}` is no method")),
            }
        }
        let permits = self.compile_permits(&mut place.at("permits"));
        let by = self.compile_by(&mut place.at("by"));
        let (window, permits) = (window?, permits?);
        let mode = self.mode(window, permits.most(), place);
        Some(LimitPolicy {
            refuses_when_unavailable: match self.on_unavailable {
                Some(wish) => wish == OnUnavailable::Refuse,
                None => window.is_quota() || mode == limit::Mode::Exact,
            },
            rule: Arc::new(Rule::new(&self.id, self.limit, window, mode)),
            is_chosen: by.iter().any(|part| matches!(part, PartPolicy::Ip | PartPolicy::Header(_))),
            by,
            permits,
            methods: methods.into(),
        })
    }

    fn mode(&self, window: Window, request_max: u64, place: &mut Place<'_>) -> limit::Mode {
        let default = if window == Window::Second { Mode::Burst } else { Mode::Exact };
        let mode = self.mode.unwrap_or(default);
        if self.burst.is_some() && mode != Mode::Burst {
            place.at("burst").error(codes::CONFLICT, "only limits of mode `burst` have a burst");
        }
        match mode {
            Mode::Exact => limit::Mode::Exact,
            Mode::Approximate => limit::Mode::Approximate,
            Mode::Burst => {
                if window.is_quota() {
                    place.at("mode").error(codes::CONFLICT, "a quota has no bursts: `exact` or `approximate`");
                }
                let burst = self.burst.unwrap_or(self.limit);
                if !(request_max..=LIMIT_MAX).contains(&burst) {
                    let message = format!("from what one request takes ({request_max}) to {LIMIT_MAX}");
                    place.at("burst").error(codes::INVALID_VALUE, message);
                }
                let fills_in = u128::from(burst) * u128::from(window.longest().as_secs());
                if fills_in > 86_400 * u128::from(self.limit) {
                    place.at("burst").error(codes::INVALID_VALUE, "no more than comes back within a day");
                }
                limit::Mode::Burst { burst: self.burst, request_max }
            }
        }
    }

    /// Most permits that can go at once.
    fn most_at_once(&self) -> u64 {
        self.burst.unwrap_or(self.limit)
    }

    fn window(&self, place: &mut Place<'_>) -> Option<Window> {
        match (self.per, self.window_seconds) {
            (Some(per), None) => Some(match per {
                Per::Second => Window::Second,
                Per::Minute => Window::Minute,
                Per::Hour => Window::Hour,
                Per::Day => Window::Day,
                Per::Week => Window::Week,
                Per::Month => Window::Month,
            }),
            (None, Some(seconds)) => match NonZeroU32::new(seconds).filter(|seconds| seconds.get() <= 31_622_400) {
                Some(seconds) => Some(Window::Seconds(seconds)),
                None => {
                    place.at("window_seconds").error(codes::INVALID_VALUE, "from a second to a year");
                    None
                }
            },
            (None, None) => {
                place.error(codes::MISSING_FIELD, "one of per and window_seconds is needed");
                None
            }
            (Some(_), Some(_)) => {
                place.error(codes::CONFLICT, "per and window_seconds exclude each other");
                None
            }
        }
    }

    fn compile_by(&self, place: &mut Place<'_>) -> Box<[PartPolicy]> {
        let parts = match &self.by {
            None => return Box::new([PartPolicy::Consumer]),
            Some(By::One(part)) => std::slice::from_ref(part),
            Some(By::All(parts)) => parts,
        };
        if parts.is_empty() || parts.len() > PARTS_MAX {
            place.error(codes::INVALID_VALUE, format!("from 1 to {PARTS_MAX} properties"));
        }
        let mut compiled = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let policy = match part {
                Part::Consumer {} => PartPolicy::Consumer,
                Part::Key {} => PartPolicy::Key,
                Part::Ip {} => PartPolicy::Ip,
                Part::Route {} => PartPolicy::Route,
                Part::Claim(name) => PartPolicy::Claim(name.as_str().into()),
                Part::Header(name) => match counted_header(name, &mut place.at(index)) {
                    Some(name) => PartPolicy::Header(name),
                    None => continue,
                },
            };
            if compiled.contains(&policy) {
                place.at(index).error(codes::DUPLICATE, "a property stands once");
            }
            compiled.push(policy);
        }
        compiled.into()
    }

    fn compile_permits(&self, place: &mut Place<'_>) -> Option<PermitsPolicy> {
        match &self.permits {
            None => Some(PermitsPolicy::Fixed(1)),
            Some(Permits::Fixed(permits)) => {
                if *permits == 0 || u64::from(*permits) > self.most_at_once() {
                    place.error(codes::INVALID_VALUE, "from 1 to what may go at once");
                }
                Some(PermitsPolicy::Fixed(*permits))
            }
            Some(Permits::Header(PermitsHeader { header, min, max })) => {
                if *min == 0 || max < min || u64::from(*max) > self.most_at_once() {
                    place.error(codes::INVALID_VALUE, "1 ≤ min ≤ max ≤ what may go at once");
                }
                let name = counted_header(header, &mut place.at("header"));
                Some(PermitsPolicy::Header { name: name?, min: *min, max: *max })
            }
        }
    }
}

/// A client's header that is looked at.
fn counted_header(text: &str, place: &mut Place<'_>) -> Option<HeaderName> {
    let name = text.parse().ok().filter(|name| !is_stripped(name));
    if name.is_none() {
        place.error(codes::INVALID_VALUE, format!("no client's `{text}` is ever looked at"));
    }
    name
}

impl PermitsPolicy {
    /// Most permits that a request takes.
    fn most(&self) -> u64 {
        match self {
            Self::Fixed(permits) => u64::from(*permits),
            Self::Header { max, .. } => u64::from(*max),
        }
    }
}

impl LimitPolicy {
    /// Whether requests of a method are counted.
    #[must_use]
    pub fn counts(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }

    /// How many permits a request takes. What a header says is clamped, and one that says nothing takes the fewest.
    #[must_use]
    pub fn permits(&self, headers: &HeaderMap) -> u64 {
        match &self.permits {
            PermitsPolicy::Fixed(permits) => u64::from(*permits),
            PermitsPolicy::Header { name, min, max } => {
                let text = headers.get(name).and_then(|value| value.to_str().ok());
                let said = text.and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(u64::from(*min));
                said.clamp(u64::from(*min), u64::from(*max))
            }
        }
    }
}

/// What a route says of limits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum RouteLimit {
    /// `plan`: a plan is required here.
    Plan(PlanWord),
    /// `{ plan: … }`.
    PlanUse(PlanUse),
    /// A limit of the route's own.
    Own(Limit),
}

/// The word `plan`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PlanWord {
    /// A plan is required.
    Plan,
}

/// How a route uses plans.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlanUse {
    /// `none`, or the plan of callers without one.
    pub plan: PlanOf,
}

/// Which plan counts on a route.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PlanOf {
    /// None: requests are not counted by plan.
    None,
    /// The caller's, or else this one.
    Default(String),
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use serde_json::{Value, json};

    use super::{Limit, LimitPolicy};
    use crate::diagnostic::Report;

    fn compile(more: Value) -> (Option<LimitPolicy>, Vec<String>) {
        let mut limit = json!({"id": "daily", "limit": 100, "per": "day"});
        for (name, value) in more.as_object().expect("fields") {
            limit[name] = value.clone();
        }
        let limit: Limit = serde_json::from_value(limit).expect("a limit");
        let mut report = Report::default();
        let policy = limit.compile(&mut report.entry("plan", "p"));
        (policy, report.into_diagnostics().into_iter().map(|found| found.pointer).collect())
    }

    #[test]
    fn a_limit_per_second_is_a_bucket_and_says_no_to_what_is_none() {
        for (more, pointer) in [
            (json!({"per": "second"}), None),
            (json!({"per": "minute", "mode": "burst", "burst": 300}), None),
            (json!({"mode": "approximate"}), None),
            (json!({"mode": "burst"}), Some("/mode")),
            (json!({"per": "hour", "burst": 5}), Some("/burst")),
            (json!({"per": "second", "burst": 0}), Some("/burst")),
            (json!({"per": "second", "burst": 4, "permits": 5}), Some("/permits")),
            (json!({"per": "second", "burst": 100_000_000}), Some("/burst")),
        ] {
            let (policy, pointers) = compile(more.clone());
            assert_eq!(pointers.first().map(String::as_str), pointer, "{more}");
            let is_burst = policy.is_some_and(|policy| matches!(policy.rule.mode, crate::limit::Mode::Burst { .. }));
            assert_eq!(is_burst && pointer.is_none(), pointer.is_none() && more["mode"] != "approximate", "{more}");
        }
        let (policy, _) = compile(json!({"per": "second"}));
        assert!(!policy.expect("a policy").refuses_when_unavailable);
        let (policy, _) = compile(json!({"per": "second", "mode": "exact"}));
        assert!(policy.expect("a policy").refuses_when_unavailable);
    }

    #[test]
    fn a_client_says_no_more_and_no_fewer_permits_than_it_may() {
        let (policy, _) = compile(json!({"permits": {"header": "x-cost", "min": 2, "max": 50}}));
        let policy = policy.expect("a policy");
        for (value, permits) in
            [("7", 7), ("0", 2), ("-5", 2), ("51", 50), ("99999999999999999999", 2), ("x", 2), ("", 2), (" 9 ", 9)]
        {
            let headers = HeaderMap::from_iter([("x-cost".parse().expect("a name"), HeaderValue::from_static(value))]);
            assert_eq!(policy.permits(&headers), permits, "{value}");
        }
        assert_eq!(policy.permits(&HeaderMap::new()), 2);
    }

    #[test]
    fn every_mistake_has_its_place() {
        for (more, place) in [
            (json!({"id": "Daily"}), "/id"),
            (json!({"id": "9"}), "/id"),
            (json!({"limit": 0}), "/limit"),
            (json!({"window_seconds": 60}), ""),
            (json!({"by": []}), "/by"),
            (json!({"by": ["ip", "ip"]}), "/by/1"),
            (json!({"by": {"header": "a b"}}), "/by/0"),
            (json!({"by": {"header": "x-forwarded-for"}}), "/by/0"),
            (json!({"permits": {"header": "x_cost"}}), "/permits/header"),
            (json!({"methods": ["get"]}), "/methods/0"),
            (json!({"permits": 101}), "/permits"),
            (json!({"permits": 0}), "/permits"),
            (json!({"permits": {"header": "x", "min": 0}}), "/permits"),
            (json!({"methods": ["G ET"]}), "/methods/0"),
        ] {
            assert_eq!(compile(more.clone()).1, [place], "{more}");
        }
        for right in [
            json!({"per": "second", "mode": "exact"}),
            json!({"by": ["consumer", "ip", {"header": "x"}, {"claim": "tenant"}]}),
            json!({"by": "route", "on_unavailable": "allow", "methods": ["GET"]}),
        ] {
            assert_eq!(compile(right.clone()).1, [""; 0], "{right}");
        }
    }
}
