//! Floods of requests that are refused: they cost next to no reads and writes, and keep nobody else out.

use std::{net::Ipv4Addr, time::Duration};

use faregate_engine::{
    body::full,
    fakes::FakeOutbound,
    gateway::{Gateway, Peer},
    ports::StoreError,
};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{
    limits::{call, document, from},
    support::{
        Answer, Harness, KEY, get,
        provider::{self, ISSUER},
        request,
    },
};

/// Calls of the store that are given in advance: to each environment, and to each neighbourhood of addresses.
const GIVEN: usize = 100;
const GIVEN_TO_NEIGHBOURS: usize = 30;

/// For whoever comes, with these limits.
async fn open(limits: Value) -> Harness {
    Harness::new(document(json!({"authenticate": "anonymous", "limits": limits}), json!([]))).await
}

fn by_address(limit: u64, per: &str) -> Value {
    json!({"id": "address", "limit": limit, "per": per, "by": "ip"})
}

async fn send(harness: &Harness, gateway: &Gateway, address: Ipv4Addr) -> Answer {
    let peer = Peer { address: Some(address.into()), ..Peer::default() };
    harness.through_from(gateway, get("https://h/"), peer).await
}

fn calls(harness: &Harness) -> usize {
    harness.counters.faults.operations().len()
}

#[tokio::test]
async fn a_flood_of_addresses_costs_a_tenth_of_a_call_each_and_all_have_what_is_theirs() {
    const ADDRESSES: u32 = 5000;
    const TIMES: u32 = 10;
    // New ones come while others have nothing left.
    const WAVES: u32 = 5;
    let harness = open(json!([by_address(1, "day")])).await;
    let gateways = [&harness.gateway, &harness.second()];
    let (mut admitted, mut refused) = (vec![0_u32; ADDRESSES as usize], 0);
    let address = |number: u32| Ipv4Addr::from(0x0b00_0000 + number);
    for round in 0..TIMES + WAVES {
        let is_sent = |number: &u32| (number % WAVES..number % WAVES + TIMES).contains(&round);
        for number in (0..ADDRESSES).filter(is_sent) {
            let answer = send(&harness, gateways[((number + round) % 2) as usize], address(number)).await;
            let counter = harness.counters.counter(&format!("route:r|ip#{}", address(number)));
            let is_full = counter.is_some_and(|counter| counter.slots.values().any(|slot| slot.granted >= 1));
            match answer.status {
                200 => admitted[number as usize] += 1,
                429 => assert!(is_full, "refused without the counter's word"),
                503 => assert_eq!(
                    (answer.code().as_str(), answer.header("retry-after")),
                    ("dependency_unavailable", Some("1"))
                ),
                other => panic!("{other}"),
            }
            refused += usize::from(answer.status != 200);
        }
    }
    // Whoever was told to try again does.
    for number in 0..ADDRESSES {
        for _ in 0..20 {
            if admitted[number as usize] == 0 {
                let status = send(&harness, gateways[0], address(number)).await.status;
                admitted[number as usize] += u32::from(status == 200);
                refused += usize::from(status != 200);
            }
        }
    }
    assert!(admitted.iter().all(|times| *times == 1), "{} were", admitted.iter().filter(|times| **times == 1).count());
    // A new address begins its counter with one call.
    let cost = calls(&harness) - ADDRESSES as usize;
    assert!(cost <= 2 * GIVEN + refused / 10, "{cost} calls for {refused} refused requests");
}

#[tokio::test]
async fn an_address_that_goes_on_after_its_last_permit_is_asked_for_less_and_less() {
    let harness = open(json!([by_address(5, "minute")])).await;
    let (mut admitted, mut refused) = (0, 0);
    for _ in 0..3600 {
        match from(&harness, "192.0.2.1", &[]).await {
            200 => admitted += 1,
            429 => refused += 1,
            other => panic!("{other}"),
        }
        harness.clock.advance(Duration::from_secs(1));
    }
    assert_eq!((admitted, refused), (300, 3300));
    // One for each permit, and one more for each slot that begins anew.
    let cost = calls(&harness) - 360;
    assert!(cost <= GIVEN_TO_NEIGHBOURS + refused / 10, "{cost} calls for {refused} refused requests");
}

#[tokio::test]
async fn addresses_that_have_nothing_left_keep_no_other_one_out() {
    let harness = open(json!([by_address(2, "day")])).await;
    // More of them than what is given in advance pays for, each in a neighbourhood of its own.
    for _ in 0..50 {
        for network in 0..20 {
            let status = from(&harness, &format!("198.51.{network}.1"), &[]).await;
            assert!([200, 429].contains(&status), "{status}");
        }
        harness.clock.advance(Duration::from_secs(1800));
    }
    for network in 0..200 {
        assert_eq!(from(&harness, &format!("203.0.{network}.1"), &[]).await, 200, "{network}");
    }
}

#[tokio::test]
async fn what_one_limit_grants_to_a_request_that_another_one_refuses_is_paid_for_by_refusals() {
    let of_all = json!({"id": "all", "limit": 10, "per": "day", "by": "route"});
    let harness = open(json!([by_address(5, "day"), of_all])).await;
    let mut refused = 0;
    for number in 0..3000_u32 {
        let status = send(&harness, &harness.gateway, Ipv4Addr::from(0x0b00_0000 + 256 * number)).await.status;
        refused += usize::from(status != 200);
        harness.clock.advance(Duration::from_secs(2));
    }
    assert_eq!(refused, 2990);
    let cost = calls(&harness) - 2 * 10;
    assert!(cost <= GIVEN + refused / 10, "{cost} calls for {refused} refused requests");
}

#[tokio::test]
async fn while_the_store_is_down_what_may_pass_without_it_does_whoever_was_refused_before() {
    let mut limit = by_address(10, "hour");
    limit["on_unavailable"] = json!("allow");
    let harness = open(json!([limit])).await;
    harness.counters.faults.set_down(true);
    for number in 0..2000_u32 {
        let address = Ipv4Addr::from(0x0b00_0000 + number);
        assert_eq!(send(&harness, &harness.gateway, address).await.status, 200, "{number}");
    }
}

#[tokio::test]
async fn an_outage_lets_pass_a_tenth_of_a_limit_however_many_others_come_between() {
    // An approximate limit admits a permit that nobody is told of, and one beside which it finds that nobody can be told.
    for (more, rounds, most) in [(json!({}), 20, 10), (json!({"mode": "approximate"}), 14, 12)] {
        let mut limit = by_address(100, "hour");
        limit["on_unavailable"] = json!("allow");
        limit.as_object_mut().expect("a limit").extend(more.as_object().expect("fields").clone());
        let harness = open(json!([limit])).await;
        harness.counters.faults.set_down(true);
        // More than an environment holds accounts of.
        let mut admitted = vec![0; 1100];
        for _ in 0..rounds {
            for (number, admitted) in admitted.iter_mut().enumerate() {
                let address = Ipv4Addr::from(0x0b00_0000 + number as u32);
                *admitted += u32::from(send(&harness, &harness.gateway, address).await.status == 200);
            }
        }
        assert!(admitted.iter().all(|times| (10..=most).contains(times)), "{more}: {:?}", admitted.iter().max());
    }
}

#[tokio::test]
async fn an_outage_lets_pass_a_tenth_for_callers_whose_accounts_had_to_go() {
    let plan = json!([{"id": "gold", "limits": [{"id": "x", "limit": 20, "per": "hour", "on_unavailable": "allow"}]}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), plan)).await;
    harness.counters.faults.set_down(true);
    let keys: Vec<String> = (0..1100).map(|number| format!("key {number}")).collect();
    for key in &keys {
        harness.key(key, json!({"consumer": key, "plan": "gold"}));
    }
    for round in 0..4 {
        for key in &keys {
            let status = call(&harness, key).await.status;
            assert_eq!(status, if round < 2 { 200 } else { 503 }, "{key}, {round}");
        }
    }
}

#[tokio::test]
async fn whoever_was_refused_while_the_store_was_down_passes_as_soon_as_it_is_back() {
    let mut limit = by_address(10, "hour");
    limit["on_unavailable"] = json!("refuse");
    let harness = open(json!([limit])).await;
    harness.counters.faults.set_down(true);
    for _ in 0..500 {
        assert_eq!(send(&harness, &harness.gateway, Ipv4Addr::new(11, 0, 0, 1)).await.status, 503);
    }
    harness.counters.faults.set_down(false);
    assert_eq!(send(&harness, &harness.gateway, Ipv4Addr::new(11, 0, 0, 1)).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_flood_while_a_counter_is_throttled_or_says_no_costs_a_tenth_of_a_call_each() {
    for error in [
        StoreError::Throttled("busy".to_owned()),
        StoreError::Rejected("no permission".to_owned()),
        StoreError::Invalid("not so".to_owned()),
    ] {
        let mut limit = by_address(10, "hour");
        limit["on_unavailable"] = json!("refuse");
        let harness = open(json!([limit])).await;
        harness.counters.faults.set_failing(Some(error.clone()));
        for number in 0..3000_u32 {
            let status = send(&harness, &harness.gateway, Ipv4Addr::from(0x0b00_0000 + 256 * number)).await.status;
            assert_ne!(status, 200);
        }
        // The last one that was asked for may have made two more calls than it could pay for.
        assert!(calls(&harness) <= GIVEN + 3000 / 10 + 2, "{error:?}: {} calls", calls(&harness));
    }
}

#[tokio::test]
async fn a_flood_of_whoever_comes_keeps_no_proven_caller_out() {
    let mut document = document(json!({"authenticate": "anonymous", "limits": [by_address(2, "day")]}), json!([]));
    let own = json!({"id": "own", "match": [{"path": "/own"}], "authenticate": "api_key", "limits": [by_address(2, "day")],
                     "forward": {"backend": "b"}});
    document["routes"].as_array_mut().expect("routes").push(own);
    let harness = Harness::new(document).await;
    harness.key(KEY, json!({"consumer": "acme"}));
    let second = harness.second();
    let address = |network: u32, last: u32| Ipv4Addr::from(0x0b00_0000 + 256 * network + last);
    // Addresses that another environment used up: of which this one knows nothing.
    for network in 0..40 {
        for last in 0..10 {
            for _ in 0..2 {
                assert_eq!(send(&harness, &second, address(network, last)).await.status, 200);
            }
        }
    }
    let mut statuses = Vec::new();
    for network in 0..40 {
        for last in 0..10 {
            statuses.push(send(&harness, &harness.gateway, address(network, last)).await.status);
        }
    }
    assert!(statuses.contains(&503), "what was given in advance is used up");
    for network in 0..20 {
        let peer = Peer { address: Some(address(1000 + network, 1).into()), ..Peer::default() };
        let request = request("GET", "https://h/own", &[("x-api-key", KEY)]);
        assert_eq!(harness.through_from(&harness.gateway, request, peer).await.status, 200, "{network}");
    }
}

#[tokio::test]
async fn addresses_that_come_now_and_then_have_blocks_of_permits() {
    for (limit, every, at_most) in [(by_address(600, "minute"), 2, 0.25), (by_address(600, "hour"), 100, 1.2)] {
        let harness = open(json!([limit])).await;
        let mut requests = 0;
        for second in 0..6000 / every {
            for number in 1..=2 {
                requests += 1;
                assert_eq!(
                    send(&harness, &harness.gateway, Ipv4Addr::new(192, 0, 2, number)).await.status,
                    200,
                    "{second}"
                );
            }
            harness.clock.advance(Duration::from_secs(every));
        }
        let writes = harness.counters.faults.count("take") as f64 / f64::from(requests);
        assert!(writes <= at_most, "{writes} writes for a request every {every} seconds");
    }
}

#[tokio::test]
async fn a_flood_of_tokens_that_an_issuer_does_not_take_is_told_once_a_second() {
    let introspection =
        json!({"url": format!("{ISSUER}/introspect"), "client": {"id": "a", "secret": {"ssm": "/faregate/client"}}});
    let issuer = json!({"id": "opaque", "issuer": ISSUER, "introspection": introspection});
    let outbound = FakeOutbound::answering(|_| {
        Ok(Response::builder().status(StatusCode::UNPROCESSABLE_ENTITY).body(full("{}")).expect("an answer"))
    });
    let harness = Harness::with_outbound(provider::document(issuer, json!({"issuers": ["opaque"]})), outbound).await;
    harness.secrets.set("/faregate/client", "secret");
    for number in 0..300 {
        assert_eq!(provider::call(&harness, &format!("garbage-{number}")).await.status, 503);
        harness.clock.advance(Duration::from_millis(10));
    }
    let told: Vec<String> = harness.telemetry.metrics().into_iter().map(|(_, detail)| detail).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[1].ends_with("(99 more since the last line)"), "{told:?}");
}
