//! What the client is told of limits (draft-ietf-httpapi-ratelimit-headers).

use faregate_core::{
    problem::{Code, Problem},
    time::Timestamp,
};
use http::{HeaderName, HeaderValue};

use super::wants::Want;
use crate::gateway::problems;

/// `RateLimit-Policy` and `RateLimit`, the tightest limit first; the latter without limits of which nothing is known.
pub(super) fn headers(wants: &[Want], now: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
    // A burst may leave more than a window has; what is told as left is never more than the quota.
    let remaining = |want: &Want| want.remaining(now).map(|remaining| remaining.min(want.rule.limit));
    let mut told: Vec<(&Want, Option<u64>)> = wants.iter().map(|want| (want, remaining(want))).collect();
    // r1 / q1 < r2 / q2, without a division.
    told.sort_by_key(|(want, remaining)| {
        let limit = want.rule.limit.max(1);
        (u128::from(remaining.unwrap_or(limit)) << 32) / u128::from(limit)
    });
    let policy = told.iter().map(|(want, _)| {
        let rule = &want.rule;
        format!("\"{}\";q={};w={}", rule.id, rule.limit, rule.window.seconds(rule.window.index(now)))
    });
    let left = told.iter().filter_map(|(want, remaining)| {
        let (id, seconds) = (&want.rule.id, seconds_to(want.resets_at(now), now));
        remaining.map(|remaining| format!("\"{id}\";r={remaining};t={seconds}"))
    });
    let value = |texts: Vec<String>| HeaderValue::from_str(&texts.join(", ")).ok().filter(|value| !value.is_empty());
    let (policy, left) = (value(policy.collect()), value(left.collect()));
    let named = |name, value: Option<HeaderValue>| value.map(|value| (HeaderName::from_static(name), value));
    named("ratelimit-policy", policy).into_iter().chain(named("ratelimit", left)).collect()
}

/// The refusal by the limit that makes the client wait longest, of those that have too little left.
pub(super) fn exhausted(empty: &[&Want], now: Timestamp) -> Problem {
    let Some(longest) = empty.iter().max_by_key(|want| want.met_at(now)) else {
        return throttled(None, "nothing is left");
    };
    let id = &longest.rule.id;
    let (code, what) = match longest.rule.window.is_quota() {
        true => (Code::QuotaExhausted, "quota"),
        false => (Code::RateLimited, "rate limit"),
    };
    let mut problem = Problem::new(code, format!("the {what} `{id}` is used up"));
    problem.limit = Some(id.clone());
    let seconds = seconds_to(longest.met_at(now), now);
    problem.retry_after_seconds = Some(u32::try_from(seconds).unwrap_or(u32::MAX).max(1));
    problem
}

/// The counter itself takes no more: whoever causes that gets nothing for it. Of several limits one is told.
pub(super) fn throttled(limit: Option<&Want>, cause: &str) -> Problem {
    let mut problem = Problem::new(Code::RateLimited, "too many requests at once").caused_by(format!("limit: {cause}"));
    problem.limit = limit.map(|want| want.rule.id.clone());
    problem.retry_after_seconds = Some(1);
    problem
}

/// What the request says makes a counter that cannot be kept: it is the request's own fault, and admits nothing.
pub(super) fn invalid(cause: &str) -> Problem {
    Problem::new(Code::RequestInvalid, "a limit cannot count this request").caused_by(format!("limit: {cause}"))
}

/// The counter cannot be reached, and the limit admits nothing without it.
pub(super) fn unavailable(cause: &str) -> Problem {
    problems::unavailable(format!("limit: {cause}"))
}

/// Whole seconds, rounded up.
fn seconds_to(at: Timestamp, now: Timestamp) -> u64 {
    at.since(now).as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}
