//! Who pushes whom out of memory, and what is told at the end.

use std::time::Duration;

use faregate_engine::ports::StoreError;
use faregate_testing::issuer::SigningKey;
use serde_json::{Value, json};

use super::{
    limits::{call, daily, document, from},
    support::{
        Answer, Harness, KEY, NOW,
        provider::{Provider, claims, discovering},
        request,
    },
};

/// How many counters of one crowd an environment holds.
const HELD_MAX: usize = 1024;

/// Routes for whoever comes, by address, for callers by their plan, and for callers by a header of theirs.
fn crowded() -> Value {
    let mut document = document(json!({"authenticate": "api_key"}), daily(1_000_000));
    let limit = |id: &str, by: Value| json!([{"id": id, "limit": 100, "per": "day", "by": by}]);
    let route = |id: &str, authenticate: &str, limits: Value| {
        let path = format!("/{id}");
        json!({"id": id, "match": [{"path": path}], "authenticate": authenticate, "limits": limits, "forward": {"backend": "b"}})
    };
    let routes = document["routes"].as_array_mut().expect("routes");
    routes.push(route("open", "anonymous", limit("address", json!("ip"))));
    routes.push(route("tenants", "api_key", limit("tenant", json!(["consumer", {"header": "x-tenant"}]))));
    document
}

async fn tenant(harness: &Harness, key: &str, tenant: &str) -> Answer {
    harness.send(request("GET", "https://h/tenants", &[("x-api-key", key), ("x-tenant", tenant)])).await
}

#[tokio::test]
async fn no_flood_of_addresses_or_values_pushes_out_a_caller() {
    let harness = Harness::new(crowded()).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    harness.key("other", json!({"consumer": "other", "plan": "gold"}));
    for _ in 0..20 {
        assert_eq!(call(&harness, KEY).await.status, 200);
        assert_eq!(tenant(&harness, KEY, "mine").await.status, 200);
        harness.clock.advance(Duration::from_millis(50));
    }
    for number in 0..2 * HELD_MAX {
        let address = format!("2001:db8:0:{number:x}::1");
        let peer = faregate_engine::gateway::Peer {
            address: Some(address.parse().expect("an address")),
            ..Default::default()
        };
        assert_eq!(harness.take(Ok(request("GET", "https://h/open", &[])), peer).await.status, 200);
    }
    harness.counters.faults.forget_operations();
    assert_eq!(call(&harness, KEY).await.status, 200);
    assert_eq!(tenant(&harness, KEY, "mine").await.status, 200);
    assert_eq!(harness.counters.faults.count("take"), 0, "both leases survived the addresses");
    // A caller who chooses values can push out other values, and no caller.
    for number in 0..HELD_MAX {
        assert_eq!(tenant(&harness, "other", &number.to_string()).await.status, 200);
    }
    harness.counters.faults.forget_operations();
    assert_eq!(call(&harness, KEY).await.status, 200);
    assert_eq!(harness.counters.faults.count("take"), 0);
    assert_eq!(tenant(&harness, KEY, "mine").await.status, 200);
    assert!(harness.counters.faults.count("take") > 0, "its place was taken");
}

#[tokio::test]
async fn whoever_is_pushed_out_gives_back_what_was_held() {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(1_000_000))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    for _ in 0..20 {
        assert_eq!(call(&harness, KEY).await.status, 200);
        harness.clock.advance(Duration::from_millis(50));
    }
    let granted = || {
        let counter = harness.counters.counter("plan|c#acme").expect("a counter");
        counter.slots.values().map(|slot| (slot.granted, slot.settled)).next().expect("a slot")
    };
    assert!(granted().0 > 20);
    for number in 0..HELD_MAX {
        let key = format!("key {number}");
        harness.key(&key, json!({"consumer": format!("c{number}"), "plan": "gold"}));
        assert_eq!(call(&harness, &key).await.status, 200);
    }
    assert_eq!(granted(), (20, 20));
}

#[tokio::test]
async fn a_counter_of_a_key_or_a_claim_is_nobody_elses() {
    let by = |by: Value| {
        document(
            json!({"authenticate": "api_key", "limits": [{"id": "x", "limit": 1, "per": "day", "by": by}]}),
            json!([]),
        )
    };
    let harness = Harness::new(by(json!("key"))).await;
    for key in ["one", "two"] {
        harness.key(key, json!({"consumer": "acme"}));
        assert_eq!(call(&harness, key).await.status, 200, "two keys of one consumer");
        assert_eq!(call(&harness, key).await.status, 429);
    }
    assert!(
        harness.counters.names().iter().all(|name| name.starts_with("route:r|k#")),
        "{:?}",
        harness.counters.names()
    );
    // A caller without a key is counted as a consumer, one without a consumer by address.
    let mut anonymous = by(json!("key"));
    anonymous["routes"][0]["authenticate"] = json!("anonymous");
    let harness = Harness::new(anonymous).await;
    assert_eq!([from(&harness, "192.0.2.1", &[]).await, from(&harness, "192.0.2.2", &[]).await], [200, 200]);
    assert_eq!(from(&harness, "192.0.2.1", &[]).await, 429);
}

#[tokio::test]
async fn a_claim_has_counters_of_its_own_and_none_of_a_header_of_its_name() {
    let key = SigningKey::es256("a").expect("a key");
    let mut document = discovering();
    document["routes"][0]["limits"] = json!([
        {"id": "claimed", "limit": 2, "per": "day", "by": {"claim": "tenant"}},
        {"id": "sent", "limit": 100, "per": "day", "by": {"header": "tenant"}},
    ]);
    let harness = Harness::with_outbound(document, Provider::of(&key).outbound()).await;
    let call = async |tenant: Option<&str>| {
        let mut claims = claims();
        if let Some(tenant) = tenant {
            claims["tenant"] = json!(tenant);
        }
        let token = format!("Bearer {}", key.token(&claims).expect("a token"));
        harness.send(request("GET", "https://h/", &[("authorization", &token), ("tenant", "\"a\"")])).await.status
    };
    for (tenant, status) in [
        (Some("a"), 200),
        (Some("b"), 200),
        (Some("a"), 200),
        (Some("a"), 429),
        (Some("b"), 200),
        (None, 200),
        (None, 200),
        (None, 429),
    ] {
        assert_eq!(call(tenant).await, status, "{tenant:?}");
    }
    let names = harness.counters.names();
    assert!(names.len() == 4 && names.iter().all(|name| name.starts_with("route:r|h#")), "{names:?}");
}

#[tokio::test]
async fn a_caller_who_stays_away_is_told_of_after_an_hour() {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(1))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    harness.key("one", json!({"consumer": "one", "plan": "gold"}));
    harness.key("two", json!({"consumer": "two", "plan": "gold"}));
    assert_eq!(call(&harness, KEY).await.status, 200);
    let settled = || {
        let counter = harness.counters.counter("plan|c#acme").expect("a counter");
        counter.slots.values().map(|slot| slot.settled).sum::<u64>()
    };
    for (other, seconds, told) in [("one", 1800, 0), ("two", 1801, 1)] {
        harness.clock.advance(Duration::from_secs(seconds));
        assert_eq!(call(&harness, other).await.status, 200);
        assert_eq!(settled(), told);
    }
}

#[tokio::test]
async fn what_an_outage_let_pass_is_settled_later() {
    let limit = json!({"id": "x", "limit": 50, "per": "day", "on_unavailable": "allow"});
    let harness = Harness::new(document(json!({"authenticate": "api_key", "limits": [limit]}), json!([]))).await;
    harness.key(KEY, json!({"consumer": "acme"}));
    harness.counters.faults.set_down(true);
    let mut admitted = 0;
    for _ in 0..20 {
        admitted += u64::from(call(&harness, KEY).await.status == 200);
    }
    assert_eq!(admitted, 5);
    harness.counters.faults.set_down(false);
    assert_eq!(call(&harness, KEY).await.status, 200);
    harness.gateway.leave().await;
    let month = harness.counters.sum(&format!("u#acme#{}", &NOW.rfc3339()[..7]), "route:r|x.d").unwrap_or_default();
    let counter = harness.counters.counter("route:r|c#acme").expect("a counter");
    assert_eq!(month + counter.slots.values().map(|slot| slot.settled).sum::<u64>(), admitted + 1);
}

#[tokio::test]
async fn what_was_spent_in_a_day_that_is_over_is_told_at_the_end() {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(1_000_000))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    for _ in 0..30 {
        assert_eq!(call(&harness, KEY).await.status, 200);
        harness.clock.advance(Duration::from_millis(50));
    }
    harness.clock.advance(Duration::from_secs(86_400));
    harness.gateway.leave().await;
    let month = harness.counters.sum(&format!("u#acme#{}", &NOW.rfc3339()[..7]), "plan|daily.d").unwrap_or_default();
    let counter = harness.counters.counter("plan|c#acme").expect("a counter");
    assert_eq!((month + counter.slots.values().map(|slot| slot.settled).sum::<u64>(), month > 0), (30, true));
}

#[tokio::test]
async fn of_a_counter_that_takes_no_more_the_limit_is_named_that_lacks_permits() {
    let limits =
        json!([{"id": "daily", "limit": 1_000_000, "per": "day"}, {"id": "hourly", "limit": 1_000_000, "per": "hour"}]);
    let document = document(json!({"authenticate": "api_key"}), json!([{"id": "gold", "limits": limits}]));
    let harness = Harness::new(document).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    for _ in 0..30 {
        assert_eq!(call(&harness, KEY).await.status, 200);
        harness.clock.advance(Duration::from_millis(100));
    }
    harness.clock.advance(Duration::from_secs(3600));
    harness.counters.faults.set_failing(Some(StoreError::Throttled("busy".to_owned())));
    let refused = call(&harness, KEY).await;
    assert_eq!((refused.status, &refused.json()["limit"]), (429, &json!("hourly")), "there are permits of the day");
}

#[tokio::test]
async fn a_counter_that_takes_no_more_is_named_in_the_refusal() {
    let fields = json!({"authenticate": "api_key", "limits": ["plan", {"id": "own", "limit": 50, "per": "hour", "by": "route"}]});
    let harness = Harness::new(document(fields, daily(1_000_000))).await;
    harness.key(KEY, json!({"consumer": "acme", "plan": "gold"}));
    assert_eq!(call(&harness, KEY).await.status, 200);
    harness.clock.advance(Duration::from_secs(3600));
    harness.counters.faults.set_failing(Some(StoreError::Throttled("ProvisionedThroughputExceededException".into())));
    let mut refused = call(&harness, KEY).await;
    while refused.status == 200 {
        refused = call(&harness, KEY).await;
    }
    assert_eq!(
        (refused.status, refused.code().as_str(), &refused.json()["limit"]),
        (429, "rate_limited", &json!("own"))
    );
}
