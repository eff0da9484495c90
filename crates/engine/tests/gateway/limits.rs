//! Limits: exact over all environments, almost free, and honest about what is left.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use faregate_core::limit::{Ask, Counter, Return, RollUp, SlotName};
use faregate_core::time::Timestamp;
use faregate_engine::{
    gateway::Peer,
    ports::{Counters, OutboundError, StoreError, Taken, Terms},
};
use serde_json::{Value, json};

use super::support::{Answer, Harness, KEY, NOW, forwarding, request};

/// A route `r` with these fields, and plans.
pub(super) fn document(fields: Value, plans: Value) -> Value {
    let mut document = forwarding(fields);
    document["plans"] = plans;
    document
}

pub(super) fn daily(limit: u64) -> Value {
    json!([{"id": "gold", "limits": [{"id": "daily", "limit": limit, "per": "day"}]}])
}

pub(super) async fn call(harness: &Harness, key: &str) -> Answer {
    harness.send(request("GET", "https://h/", &[("x-api-key", key)])).await
}

pub(super) async fn from(harness: &Harness, address: &str, headers: &[(&str, &str)]) -> u16 {
    let peer = Peer { address: Some(address.parse::<IpAddr>().expect("an address")), ..Peer::default() };
    harness.take(Ok(request("GET", "https://h/", headers)), peer).await.status
}

#[tokio::test]
async fn a_quota_is_a_consumers_whatever_key_it_uses_and_begins_anew_each_day() {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(3))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    harness.key("another", json!({"consumer": "acme", "plan": "gold"}));
    harness.key("other", json!({"consumer": "globex", "plan": "gold"}));
    for (key, left) in [(KEY, 2), ("another", 1), (KEY, 0)] {
        let answer = call(&harness, key).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"daily\";q=3;w=86400"));
        assert_eq!(answer.header("ratelimit"), Some(&*format!("\"daily\";r={left};t=57600")));
    }
    let answer = call(&harness, "another").await;
    assert_eq!(
        (answer.status, answer.code().as_str(), answer.header("retry-after")),
        (429, "quota_exhausted", Some("57600"))
    );
    assert_eq!((&answer.json()["limit"], answer.header("ratelimit")), (&json!("daily"), Some("\"daily\";r=0;t=57600")));
    assert_eq!(harness.outbound.requests().len(), 3);
    assert_eq!(harness.outbound.requests()[0].headers["x-faregate-plan"], "gold");
    assert_eq!(call(&harness, "other").await.status, 200);
    harness.clock.advance(Duration::from_secs(57_600));
    assert_eq!(call(&harness, KEY).await.status, 200);
}

#[tokio::test]
async fn two_environments_never_pass_a_limit_together() {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(100))).await;
    let second = harness.second();
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    let mut admitted = 0;
    for _ in 0..200 {
        for environment in [&harness.gateway, &second] {
            let answer = harness.through(environment, request("GET", "https://h/", &[("x-api-key", KEY)])).await;
            admitted += u32::from(answer.status == 200);
        }
        harness.clock.advance(Duration::from_millis(50));
    }
    assert_eq!(admitted, 100);
    let name = &harness.counters.names()[0];
    assert_eq!(name, "plan|c#acme");
}

#[tokio::test]
async fn a_busy_key_costs_a_hundredth_of_a_write() {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(1_000_000))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    for _ in 0..2000 {
        assert_eq!(call(&harness, KEY).await.status, 200);
        harness.clock.advance(Duration::from_millis(100));
    }
    let writes = harness.counters.faults.operations().len();
    assert!(writes <= 32, "{writes} calls for 2,000 requests");
}

#[tokio::test]
async fn all_limits_or_none_are_deducted_and_the_longest_wait_is_told() {
    let fields = json!({"authenticate": "api_key", "limits": [
        "plan",
        {"id": "hourly", "limit": 5, "per": "hour"},
        {"id": "minutely", "limit": 2, "per": "minute"},
    ]});
    let harness = Harness::new(document(fields, daily(4))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(call(&harness, KEY).await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
    let answer = call(&harness, KEY).await;
    assert_eq!((answer.code().as_str(), &answer.json()["limit"]), ("rate_limited", &json!("minutely")));
    let told = answer.header("ratelimit").expect("a header");
    assert!(told.starts_with("\"minutely\";r=0"), "{told}");
    // What was refused took nothing from the others.
    harness.clock.advance(Duration::from_secs(60));
    assert_eq!([call(&harness, KEY).await.status, call(&harness, KEY).await.status], [200, 200]);
    harness.clock.advance(Duration::from_secs(60));
    assert_eq!(call(&harness, KEY).await.json()["limit"], "daily");
    assert_eq!(harness.outbound.requests().len(), 4);
}

#[tokio::test]
async fn of_a_limit_of_which_nothing_is_known_only_the_policy_is_told() {
    let plans = json!([{"id": "gold", "limits": [
        {"id": "minutely", "limit": 50, "per": "minute"},
        {"id": "monthly", "limit": 1000, "per": "month"},
    ]}]);
    let fields = json!({"authenticate": "api_key", "limits": ["plan", {"id": "own", "limit": 7, "per": "day"}]});
    let harness = Harness::new(document(fields, plans)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    harness.counters.faults.set_down(true);
    let answer = call(&harness, KEY).await;
    assert_eq!((answer.status, answer.header("ratelimit")), (503, None), "nothing is known");
    assert_eq!(answer.header("ratelimit-policy").map(|policy| policy.matches("q=").count()), Some(3));
}

#[tokio::test]
async fn a_cold_environment_that_refuses_tells_what_is_left_of_the_other_limits() {
    let plans = json!([{"id": "gold", "limits": [
        {"id": "minutely", "limit": 50, "per": "minute"},
        {"id": "monthly", "limit": 1000, "per": "month"},
    ]}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    for _ in 0..50 {
        assert_eq!(call(&harness, KEY).await.status, 200);
    }
    let answer = harness.through(&harness.second(), request("GET", "https://h/", &[("x-api-key", KEY)])).await;
    let told = answer.header("ratelimit").expect("a header");
    assert!(answer.status == 429 && told.starts_with("\"minutely\";r=0;"), "{told}");
    let monthly = told.split_once("\"monthly\";r=").expect("a limit").1.split_once(';').expect("a number").0;
    assert!(monthly.parse::<u64>().expect("a number") <= 950, "{told}");
}

#[tokio::test]
async fn plans_count_are_required_defaulted_exempt_and_never_unknown() {
    let plans = || {
        json!([
            {"id": "gold", "limits": [{"id": "daily", "limit": 1000, "per": "day"}]},
            {"id": "free", "limits": [{"id": "daily", "limit": 10, "per": "day"}]},
        ])
    };
    let (gold, none, lost) =
        (json!({"consumer": "a", "plan": "gold"}), json!({"consumer": "b"}), json!({"consumer": "c", "plan": "lost"}));
    for (limits, default, item, expected) in [
        (json!([]), None, &gold, Ok(Some("q=1000"))),
        (json!([]), None, &none, Ok(None)),
        (json!([]), Some("free"), &none, Ok(None)),
        (json!([]), None, &lost, Err("access_denied")),
        (json!(["plan"]), None, &gold, Ok(Some("q=1000"))),
        (json!(["plan"]), None, &none, Err("access_denied")),
        (json!(["plan"]), Some("free"), &none, Ok(Some("q=10;"))),
        (json!([{"plan": {"default": "free"}}]), None, &none, Ok(Some("q=10;"))),
        (json!([{"plan": {"default": "free"}}]), None, &gold, Ok(Some("q=1000"))),
        (json!([{"plan": "none"}]), Some("free"), &gold, Ok(None)),
        (json!([{"plan": "none"}]), None, &lost, Ok(None)),
    ] {
        let mut document = document(json!({"authenticate": "api_key", "limits": limits}), plans());
        if let Some(default) = default {
            document["settings"] = json!({"default_plan": default});
        }
        let harness = Harness::new(document).await;
        harness.key(KEY, item.clone());
        let answer = call(&harness, KEY).await;
        let what = format!("{limits} {default:?} {item}");
        match expected {
            Err(code) => assert_eq!((answer.status, answer.code().as_str()), (403, code), "{what}"),
            Ok(policy) => {
                assert_eq!(answer.status, 200, "{what}");
                let told = answer.header("ratelimit-policy");
                assert_eq!(told.is_some(), policy.is_some(), "{what}");
                assert!(told.unwrap_or_default().contains(policy.unwrap_or_default()), "{what} {told:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_key_overrides_its_plan_and_a_new_number_keeps_what_was_used() {
    let fields = || json!({"authenticate": "api_key"});
    let harness = Harness::new(document(fields(), daily(2))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold", "limits": [{"id": "daily", "limit": 3}]}));
    for status in [200, 200, 200, 429] {
        assert_eq!(call(&harness, KEY).await.status, status);
    }
    harness.key("plain", json!({"consumer": "globex", "plan": "gold"}));
    for status in [200, 200, 429] {
        assert_eq!(call(&harness, "plain").await.status, status);
    }
    harness.publish(document(fields(), daily(5))).await;
    harness.clock.advance(Duration::from_secs(61));
    for status in [200, 200, 200, 429] {
        assert_eq!(call(&harness, "plain").await.status, status);
    }
}

#[tokio::test]
async fn scopes_are_addresses_headers_claims_and_combinations() {
    let by = |by: Value| document(json!({"limits": [{"id": "x", "limit": 1, "per": "day", "by": by}]}), json!([]));
    let harness = Harness::new(by(json!("consumer"))).await;
    // Nobody is known: addresses count, those of one IPv6 network together.
    for (address, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.2", 200),
        ("192.0.2.1", 429),
        ("2001:db8::1", 200),
        ("2001:db8::2", 429),
        ("2001:db8:0:1::1", 200),
        ("::ffff:192.0.2.1", 429),
    ] {
        assert_eq!(from(&harness, address, &[]).await, status, "{address}");
    }
    let harness = Harness::new(by(json!({"header": "x-tenant"}))).await;
    let long = "t".repeat(3000);
    for (value, status) in [(&*long, 200), ("", 200), ("a", 200), (&*long, 429), ("", 429), ("a", 429)] {
        assert_eq!(from(&harness, "192.0.2.1", &[("x-tenant", value)]).await, status);
    }
    assert_eq!([from(&harness, "192.0.2.1", &[]).await, from(&harness, "192.0.2.2", &[]).await], [200, 429]);
    assert!(harness.counters.names().iter().all(|name| name.len() < 100), "{:?}", harness.counters.names());
    let harness = Harness::new(by(json!(["ip", {"header": "x-tenant"}]))).await;
    for (address, tenant, status) in
        [("192.0.2.1", "a", 200), ("192.0.2.1", "b", 200), ("192.0.2.2", "a", 200), ("192.0.2.1", "a", 429)]
    {
        assert_eq!(from(&harness, address, &[("x-tenant", tenant)]).await, status);
    }
    let harness = Harness::new(by(json!("route"))).await;
    assert_eq!([from(&harness, "192.0.2.1", &[]).await, from(&harness, "192.0.2.2", &[]).await], [200, 429]);
}

#[tokio::test]
async fn a_request_takes_what_it_says_within_bounds_and_only_by_counted_methods() {
    let permits = json!({"header": "x-cost", "min": 2, "max": 50});
    let fields = json!({"limits": [{"id": "x", "limit": 100, "per": "day", "by": "route", "permits": permits, "methods": ["POST"]}]});
    let harness = Harness::new(document(fields, json!([]))).await;
    let left = async |method: &str, headers: &[(&str, &str)]| {
        let answer = harness.send(request(method, "https://h/", headers)).await;
        answer.header("ratelimit").map(|told| told.split(['=', ';']).nth(2).expect("r").to_owned())
    };
    assert_eq!(left("GET", &[]).await, None);
    for (cost, expected) in [("7", "93"), ("0", "91"), ("1000", "41"), ("x", "39")] {
        assert_eq!(left("POST", &[("x-cost", cost)]).await.as_deref(), Some(expected), "{cost}");
    }
}

#[tokio::test]
async fn an_outage_refuses_or_admits_a_tenth_and_throttling_always_refuses() {
    let limit = |more: Value| {
        let mut limit = json!({"id": "x", "limit": 50, "per": "hour", "by": "route"});
        for (name, value) in more.as_object().expect("fields") {
            limit[name] = value.clone();
        }
        document(json!({"limits": [limit]}), json!([]))
    };
    let get = || request("GET", "https://h/", &[]);
    let harness = Harness::new(limit(json!({}))).await;
    harness.counters.faults.set_down(true);
    let answer = harness.send(get()).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "dependency_unavailable"));
    harness.counters.faults.set_down(false);
    assert_eq!(harness.send(get()).await.status, 200);

    let harness = Harness::new(limit(json!({"on_unavailable": "allow"}))).await;
    harness.counters.faults.set_down(true);
    let mut admitted = 0;
    for _ in 0..20 {
        admitted += u32::from(harness.send(get()).await.status == 200);
    }
    assert_eq!(admitted, 5);
    harness.counters.faults.set_failing(Some(StoreError::Throttled("ProvisionedThroughputExceededException".into())));
    harness.clock.advance(Duration::from_secs(3600));
    let answer = harness.send(get()).await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "rate_limited"));
    assert_eq!(harness.outbound.requests().len(), 5);
}

#[tokio::test]
async fn an_answer_that_is_lost_grants_nothing_and_held_permits_go_on() {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(1_000_000))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    for _ in 0..200 {
        assert_eq!(call(&harness, KEY).await.status, 200);
        harness.clock.advance(Duration::from_millis(100));
    }
    harness.counters.faults.set_down(true);
    let mut served = 0;
    while call(&harness, KEY).await.status == 200 {
        served += 1;
        harness.clock.advance(Duration::from_millis(100));
    }
    assert!(served >= 5, "{served} from what was held");
}

#[tokio::test]
async fn a_route_without_limits_says_and_asks_nothing() {
    let harness = Harness::new(forwarding(json!({}))).await;
    let answer = harness.get("https://h/").await;
    assert!(!answer.headers.contains_key("ratelimit") && harness.counters.faults.operations().is_empty());
}

#[tokio::test]
async fn a_limit_that_rides_along_refuses_nothing_that_it_has() {
    let plans = json!([{"id": "gold", "limits": [
        {"id": "minutely", "limit": 3, "per": "minute"},
        {"id": "daily", "limit": 12, "per": "day"},
    ]}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
    let second = harness.second();
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    let mut admitted = 0;
    for _ in 0..20 {
        for environment in [&harness.gateway, &second] {
            for _ in 0..4 {
                let answer = harness.through(environment, request("GET", "https://h/", &[("x-api-key", KEY)])).await;
                admitted += u32::from(answer.status == 200);
                if answer.status != 200 {
                    let limit = answer.json()["limit"].clone();
                    assert!(limit == "minutely" || limit == "daily", "{}", answer.json());
                }
            }
        }
        harness.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(admitted, 12);
}

#[tokio::test]
async fn of_limits_that_refuse_together_the_longest_wait_is_told_as_long_as_they_do() {
    let plans = json!([{"id": "gold", "limits": [
        {"id": "minutely", "limit": 2, "per": "minute"},
        {"id": "daily", "limit": 2, "per": "day"},
    ]}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    for _ in 0..2 {
        assert_eq!(call(&harness, KEY).await.status, 200);
    }
    for second in 0..90 {
        let answer = call(&harness, KEY).await;
        assert_eq!((answer.status, &answer.json()["limit"]), (429, &json!("daily")), "{second}");
        harness.clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn a_permit_is_spent_whatever_the_backend_does() {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(2))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        harness.outbound.then(Err(OutboundError::Connect("refused".into())));
        statuses.push(call(&harness, KEY).await.status);
    }
    assert_eq!(statuses, [502, 502, 429]);
}

#[tokio::test]
async fn what_an_outage_lets_pass_is_for_one_request_alone() {
    let limits = json!([
        {"id": "allows", "limit": 100, "per": "hour", "by": "route", "on_unavailable": "allow"},
        {"id": "refuses", "limit": 100, "per": "hour", "by": {"header": "x-other"}},
    ]);
    let harness = Harness::new(document(json!({"limits": limits}), json!([]))).await;
    harness.counters.faults.set_down(true);
    assert_eq!(harness.get("https://h/").await.status, 503);
    harness.counters.faults.set_down(false);
    assert_eq!(harness.get("https://h/").await.status, 200);
    let counter = harness.counters.counter("route:r|r#r").expect("a counter");
    assert!(counter.slots.values().all(|slot| slot.granted > 0), "the permit was leased, not owed");
}

#[tokio::test]
async fn a_store_that_says_no_admits_nothing() {
    let limit = json!({"id": "x", "limit": 100, "per": "hour", "by": "route", "on_unavailable": "allow"});
    let harness = Harness::new(document(json!({"limits": [limit]}), json!([]))).await;
    harness.counters.faults.set_failing(Some(StoreError::Rejected("AccessDeniedException".into())));
    for _ in 0..3 {
        assert_eq!(harness.get("https://h/").await.status, 503);
    }
    assert!(harness.outbound.requests().is_empty());
}

#[tokio::test]
async fn a_request_that_the_store_cannot_count_is_refused_whatever_an_outage_would_allow() {
    let limits = json!([
        {"id": "x", "limit": 100, "per": "hour", "by": "route", "on_unavailable": "allow"},
        {"id": "y", "limit": 100, "per": "hour", "by": {"header": "x-tenant"}, "on_unavailable": "allow"},
    ]);
    let harness = Harness::new(document(json!({"limits": limits}), json!([]))).await;
    // Whichever of the two counters is asked first.
    for others in [None, Some(StoreError::Unavailable("down".to_owned()))] {
        harness.counters.faults.set_failing(others);
        harness.counters.faults.fail_next(StoreError::Invalid("ValidationException: too long".into()));
        let answer = harness.get("https://h/").await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "request_invalid"));
        let cause = harness.last_record().cause.expect("a cause");
        assert!(cause.contains("too long"), "{cause}");
        assert!(!answer.json().to_string().contains("too long"), "for the operator alone");
    }
    assert!(harness.outbound.requests().is_empty());
}

#[tokio::test]
async fn a_counter_outlives_every_limit_that_shares_it() {
    let plans = json!([
        {"id": "gold", "limits": [{"id": "minutely", "limit": 600, "per": "minute"}]},
        {"id": "free", "limits": [{"id": "monthly", "limit": 10, "per": "month"}]},
    ]);
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    assert_eq!(call(&harness, KEY).await.status, 200);
    let month = Duration::from_secs(31 * 86_400);
    assert!(harness.counters.expires_at("plan|c#acme").expect("a time").since(NOW) > month);
}

#[tokio::test]
async fn one_request_of_a_key_holds_no_permit_back() {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(10))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    let environments: Vec<_> = (0..10).map(|_| harness.second()).collect();
    for environment in &environments {
        let answer = harness.through(environment, request("GET", "https://h/", &[("x-api-key", KEY)])).await;
        assert_eq!(answer.status, 200);
    }
}

/// Counters that nobody reaches, which takes half a second to find out.
#[derive(Default)]
struct Away(AtomicUsize);

#[async_trait]
impl Counters for Away {
    async fn take(&self, _: &str, _: &[Ask], _: Terms) -> Result<Taken, StoreError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let answer = std::future::pending::<()>();
        let _ = tokio::time::timeout(Duration::from_millis(500), answer).await;
        Err(StoreError::Unavailable("away".to_owned()))
    }

    async fn roll_up(&self, _: &RollUp, _: Timestamp) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("away".to_owned()))
    }

    async fn give_back(&self, _: &str, _: &Return) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn read(&self, _: &str, _: &[SlotName]) -> Result<Counter, StoreError> {
        Ok(Counter::default())
    }

    fn skew_millis(&self) -> i64 {
        0
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_counter_that_is_away_waits_for_one_attempt() {
    let limit = json!({"id": "x", "limit": 100, "per": "hour", "by": "route"});
    let harness = Harness::new(document(json!({"limits": [limit]}), json!([]))).await;
    let away = Arc::new(Away::default());
    let gateway = harness.with_counters(Arc::<Away>::clone(&away));
    let started = tokio::time::Instant::now();
    let calls = (0..20).map(|_| harness.through(&gateway, request("GET", "https://h/", &[])));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.status == 503));
    assert_eq!(away.0.load(Ordering::Relaxed), 1);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

/// Sends a request to both environments every so many milliseconds; when each was admitted, in milliseconds.
async fn admitted_at(harness: &Harness, every: u64, times: u64) -> Vec<u64> {
    let second = harness.second();
    let mut admitted = Vec::new();
    for number in 0..times {
        for environment in [&harness.gateway, &second] {
            let answer = harness.through(environment, request("GET", "https://h/", &[("x-api-key", KEY)])).await;
            match answer.status {
                200 => admitted.push(number * every),
                status => assert_eq!((status, answer.header("retry-after")), (429, Some("1"))),
            }
        }
        harness.clock.advance(Duration::from_millis(every));
    }
    admitted
}

#[tokio::test]
async fn a_burst_is_never_passed_in_any_time_and_its_rate_is_reached() {
    let plans = json!([{"id": "gold", "limits": [{"id": "fast", "limit": 20, "per": "second", "burst": 40}]}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    let admitted = admitted_at(&harness, 10, 1000).await;
    for (number, start) in admitted.iter().enumerate() {
        for (more, end) in admitted[number..].iter().enumerate() {
            assert!((more as u64 + 1) * 1000 <= 40_000 + 20 * (end - start), "{} from {start} to {end}", more + 1);
        }
    }
    // Ten seconds of twenty, and the part of the burst that the counter gives at once; less what leases let lapse.
    assert!((190..=240).contains(&admitted.len()), "{}", admitted.len());
}

#[tokio::test]
async fn an_override_scales_the_burst_and_the_answer_tells_no_more_than_the_quota() {
    let plans = json!([{"id": "gold", "limits": [{"id": "fast", "limit": 20, "per": "second", "burst": 40}]}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold", "limits": [{"id": "fast", "limit": 2}]}));
    let answer = call(&harness, KEY).await;
    assert_eq!(answer.header("ratelimit-policy"), Some("\"fast\";q=2;w=1"));
    assert!(answer.header("ratelimit").expect("a header").starts_with("\"fast\";r=1;"));
    let statuses = [call(&harness, KEY).await.status, call(&harness, KEY).await.status];
    assert_eq!(statuses, [200, 429]);
    let answer = call(&harness, KEY).await;
    assert_eq!((answer.code().as_str(), &answer.json()["limit"]), ("rate_limited", &json!("fast")));
}

#[tokio::test]
async fn an_approximate_limit_asks_nobody_before_it_admits() {
    let plans =
        json!([{"id": "gold", "limits": [{"id": "soft", "limit": 100, "per": "minute", "mode": "approximate"}]}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    let mut admitted = 0;
    let second = harness.second();
    for _ in 0..200 {
        for environment in [&harness.gateway, &second] {
            let answer = harness.through(environment, request("GET", "https://h/", &[("x-api-key", KEY)])).await;
            admitted += u32::from(answer.status == 200);
        }
        harness.clock.advance(Duration::from_millis(100));
    }
    // Each may miss what the other admitted in a second.
    assert!((100..=120).contains(&admitted), "{admitted}");
    let writes = harness.counters.faults.operations().len();
    assert!(writes <= 45, "{writes} writes in twenty seconds");
}

#[tokio::test]
async fn while_the_store_is_down_an_approximate_limit_that_refuses_admits_what_it_has_not_told() {
    let limit = json!({"id": "soft", "limit": 100, "per": "minute", "mode": "approximate", "on_unavailable": "refuse"});
    let plans = json!([{"id": "gold", "limits": [limit]}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    assert_eq!(call(&harness, KEY).await.status, 200);
    harness.counters.faults.set_down(true);
    harness.clock.advance(Duration::from_secs(2));
    // It tells beside this request, and hears nothing.
    assert_eq!(call(&harness, KEY).await.status, 200);
    assert_eq!(call(&harness, KEY).await.status, 503);
    harness.counters.faults.set_down(false);
    assert_eq!(call(&harness, KEY).await.status, 200);
}

#[tokio::test]
async fn a_days_figures_are_added_to_its_month_when_the_slot_is_needed_again() {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(100))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    for spent in [3, 2, 1, 1] {
        for _ in 0..spent {
            assert_eq!(call(&harness, KEY).await.status, 200);
        }
        harness.clock.advance(Duration::from_secs(86_400));
    }
    assert_eq!(call(&harness, KEY).await.status, 200);
    harness.gateway.leave().await;
    let month = |at: Timestamp| harness.counters.sum(&format!("u#acme#{}", &at.rfc3339()[..7]), "plan|daily.d");
    let counter = harness.counters.counter("plan|c#acme").expect("a counter");
    let in_slots: u64 = counter.slots.values().map(|slot| slot.settled).sum();
    let rolled = month(NOW).expect("a sum");
    // What was spent in a window is told with a take, or rolled up when the window is over: none is missing, none twice.
    assert_eq!((rolled + in_slots, rolled > 0), (8, true));
}
