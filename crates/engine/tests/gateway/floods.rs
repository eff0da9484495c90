//! Floods of requests that are refused: they cost next to no reads and writes, and keep nobody else out.

use std::{net::Ipv4Addr, time::Duration};

use faregate_engine::gateway::{Gateway, Peer};
use serde_json::{Value, json};

use super::{
    limits::{document, from},
    support::{Answer, Harness, get},
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
