//! Providers that hang, and sets of keys that are no longer what they were.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use faregate_engine::{
    body::full,
    fakes::FakeOutbound,
    gateway::{Incoming, Peer, SideWork},
    ports::{Metric, OutboundRequest},
};
use faregate_testing::issuer::SigningKey;
use http::{Response, header};
use serde_json::json;
use tokio::time::Instant;

use super::support::{
    Harness, NOW,
    provider::{ISSUER, Provider, call, claims, discovering, document, provider_calls},
    request,
};

/// A gateway whose provider hangs at paths that begin so, while the flag is set.
async fn hanging_at(key: &SigningKey, path: &'static str) -> (Harness, Arc<AtomicBool>) {
    let hangs = Arc::new(AtomicBool::new(false));
    let is_hanging = Arc::clone(&hangs);
    let outbound = Provider::of(key).outbound().hanging_where(move |request| {
        request.origin == ISSUER && request.path_and_query.starts_with(path) && is_hanging.load(Ordering::Relaxed)
    });
    (Harness::with_outbound(discovering(), outbound).await, hangs)
}

/// The status where the invocation has little time left.
async fn hurried(harness: &Harness, token: &str) -> u16 {
    let request = request("GET", "https://h/", &[("authorization", &format!("Bearer {token}"))]);
    let remaining = Some(Duration::from_millis(300));
    harness
        .gateway
        .handle(Incoming { request: Ok(request), peer: Peer::default(), remaining })
        .await
        .response
        .status()
        .as_u16()
}

/// The status of an answer, how long it took, and how long the side work took after it.
async fn timed(harness: &Harness, token: &str) -> (u16, Duration, Duration) {
    let request = request("GET", "https://h/", &[("authorization", &format!("Bearer {token}"))]);
    let started = Instant::now();
    let handled =
        harness.gateway.handle(Incoming { request: Ok(request), peer: Peer::default(), remaining: None }).await;
    let (status, answered) = (handled.response.status().as_u16(), Instant::now());
    handled.side_work.join(SideWork::LIMIT).await;
    (status, answered - started, answered.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_costs_one_attempt_in_ten_seconds() {
    let key = SigningKey::es256("a").expect("a key");
    let (harness, hangs) = hanging_at(&key, "").await;
    let token = key.token(&claims()).expect("a token");
    assert_eq!(call(&harness, &token).await.status, 200);
    hangs.store(true, Ordering::Relaxed);
    let (no_time, half_a_second) = (Duration::ZERO, Duration::from_millis(500));
    // Due: the attempt goes on beside the request, and then nobody asks for a while.
    harness.clock.advance(Duration::from_secs(300));
    assert_eq!(timed(&harness, &token).await, (200, no_time, half_a_second));
    for _ in 0..3 {
        harness.clock.advance(Duration::from_secs(3));
        assert_eq!(timed(&harness, &token).await, (200, no_time, no_time));
    }
    assert_eq!((provider_calls(&harness), harness.telemetry.count(Metric::IssuerErrors)), (3, 1));
    let (_, detail) = harness.telemetry.metrics().pop().expect("a metric");
    assert_eq!(detail, "issuer main: an attempt to fetch the keys was given up unanswered");
    // Overdue: one request waits a little, too, and longer after each attempt that was given up.
    harness.clock.advance(Duration::from_secs(292));
    assert_eq!(timed(&harness, &token).await, (200, Duration::from_millis(400), half_a_second));
    for _ in 0..3 {
        harness.clock.advance(Duration::from_secs(3));
        assert_eq!(timed(&harness, &token).await, (200, no_time, no_time));
    }
    assert_eq!((provider_calls(&harness), harness.telemetry.count(Metric::IssuerErrors)), (4, 2));
    harness.clock.advance(Duration::from_secs(1));
    assert_eq!(timed(&harness, &token).await.2, half_a_second);
    assert_eq!(provider_calls(&harness), 5);
}

/// Each attempt that is given up has the next one waited for longer, so that a key which was taken back does not count
/// for a day.
#[tokio::test(start_paused = true)]
async fn a_provider_that_is_only_slow_gets_its_answer_through() {
    let [old, new] = ["a", "b"].map(|kid| SigningKey::es256(kid).expect("a key"));
    let provider = Provider::of(&old);
    let is_slow = |request: &OutboundRequest| request.path_and_query.starts_with("/keys");
    let outbound = provider.outbound().slow_where(Duration::from_millis(1000), is_slow);
    let harness = Harness::with_outbound(discovering(), outbound).await;
    let token = old.token(&claims()).expect("a token");
    assert_eq!(call(&harness, &token).await.status, 200);
    provider.rotate_to(&new);
    harness.clock.advance(Duration::from_secs(300));
    assert_eq!(timed(&harness, &token).await.0, 200, "an attempt goes on beside it, and is given up");
    harness.clock.advance(Duration::from_secs(301));
    let mut waited = Vec::new();
    for _ in 0..3 {
        waited.push(timed(&harness, &token).await);
        harness.clock.advance(Duration::from_secs(10));
    }
    let statuses: Vec<_> = waited.iter().map(|(status, wait, _)| (*status, wait.as_millis())).collect();
    assert_eq!(statuses, [(200, 400), (200, 800), (401, 1000)], "the old key is looked for once more");
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_while_overdue_keys_are_fetched_waits_as_well() {
    let key = SigningKey::es256("a").expect("a key");
    let (harness, hangs) = hanging_at(&key, "").await;
    let token = key.token(&claims()).expect("a token");
    assert_eq!(call(&harness, &token).await.status, 200);
    hangs.store(true, Ordering::Relaxed);
    harness.clock.advance(Duration::from_secs(601));
    let later = async {
        tokio::task::yield_now().await;
        timed(&harness, &token).await
    };
    let (first, second) = tokio::join!(timed(&harness, &token), later);
    let wait = Duration::from_millis(200);
    assert_eq!(((first.0, first.1), (second.0, second.1)), ((200, wait), (200, wait)));
    assert_eq!(provider_calls(&harness), 3);
}

/// A client that makes up key names keeps waiting nobody but itself.
#[tokio::test(start_paused = true)]
async fn while_an_unknown_key_is_looked_for_no_token_of_a_known_one_waits() {
    let [known, unknown] = ["a", "b"].map(|kid| SigningKey::es256(kid).expect("a key"));
    let (harness, hangs) = hanging_at(&known, "").await;
    let [remembered, stranger] = [&known, &unknown].map(|key| key.token(&claims()).expect("a token"));
    let mut others = claims();
    others["jti"] = json!("another");
    let new = known.token(&others).expect("a token");
    assert_eq!(call(&harness, &remembered).await.status, 200);
    hangs.store(true, Ordering::Relaxed);
    // The refresh is given up, and the next one due only after the keys are overdue.
    harness.clock.advance(Duration::from_secs(592));
    assert_eq!(timed(&harness, &remembered).await.0, 200);
    assert_eq!(provider_calls(&harness), 3);
    harness.clock.advance(Duration::from_secs(9));
    let later = async |token: &str| {
        while provider_calls(&harness) < 4 {
            tokio::task::yield_now().await;
        }
        timed(&harness, token).await
    };
    let (look, first, second) = tokio::join!(timed(&harness, &stranger), later(&remembered), later(&new));
    assert_eq!((look.0, look.1), (503, Duration::from_secs(2)), "the look hangs, and was going on all the time");
    for (status, waited, _) in [first, second] {
        assert_eq!((status, waited), (200, Duration::ZERO));
    }
    assert_eq!(provider_calls(&harness), 4);
}

#[tokio::test]
async fn a_set_of_keys_counts_as_long_as_its_provider_says_within_bounds() {
    let key = SigningKey::es256("a").expect("a key");
    let mut claims = claims();
    claims["exp"] = json!(NOW.as_seconds() + 100_000);
    let token = key.token(&claims).expect("a token");
    for (said, seconds) in [
        (None, 300),
        (Some("max-age=1"), 300),
        (Some("no-store"), 300),
        (Some("public, max-age=900"), 900),
        (Some("max-age=3600"), 3600),
        (Some("max-age=86400"), 3600),
    ] {
        let jwks = key.jwks().to_string();
        let outbound = FakeOutbound::answering(move |request| {
            let mut answer = Response::builder();
            if let Some(said) = said.filter(|_| request.origin == ISSUER) {
                answer = answer.header(header::CACHE_CONTROL, said);
            }
            Ok(answer.body(full(jwks.clone())).expect("an answer"))
        });
        let issuer =
            json!({"id": "main", "issuer": ISSUER, "audiences": ["orders"], "jwks": {"url": format!("{ISSUER}/keys")}});
        let harness = Harness::with_outbound(document(issuer, json!({"issuers": ["main"]})), outbound).await;
        for (advance, fetched) in [(0, 1), (seconds - 1, 1), (1, 2), (seconds - 1, 2), (1, 3)] {
            harness.clock.advance(Duration::from_secs(advance));
            assert_eq!(call(&harness, &token).await.status, 200);
            assert_eq!(provider_calls(&harness), fetched, "{said:?}, {advance} s later");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_goes_on_where_one_was_given_up() {
    let key = SigningKey::es256("a").expect("a key");
    let (harness, hangs) = hanging_at(&key, "/keys").await;
    let token = key.token(&claims()).expect("a token");
    assert_eq!(call(&harness, &token).await.status, 200);
    hangs.store(true, Ordering::Relaxed);
    harness.clock.advance(Duration::from_secs(300));
    assert_eq!(call(&harness, &token).await.status, 200);
    assert_eq!(provider_calls(&harness), 4, "the metadata came, the keys did not");
    hangs.store(false, Ordering::Relaxed);
    harness.clock.advance(Duration::from_secs(10));
    assert_eq!(call(&harness, &token).await.status, 200);
    assert_eq!(provider_calls(&harness), 5, "the keys alone");
    // What ended is forgotten: the next attempt begins with the metadata.
    harness.clock.advance(Duration::from_secs(300));
    assert_eq!(call(&harness, &token).await.status, 200);
    assert_eq!(provider_calls(&harness), 7);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ends_with_its_request_is_told_and_keeps_nobody_from_the_first_keys() {
    let [known, unknown] = ["a", "b"].map(|kid| SigningKey::es256(kid).expect("a key"));
    let [good, stranger] = [&known, &unknown].map(|key| key.token(&claims()).expect("a token"));
    let (harness, hangs) = hanging_at(&known, "").await;
    hangs.store(true, Ordering::Relaxed);
    assert_eq!(hurried(&harness, &good).await, 503);
    hangs.store(false, Ordering::Relaxed);
    assert_eq!(call(&harness, &good).await.status, 200);
    // A look for an unknown key that was given up has failed, and is not taken again at once.
    hangs.store(true, Ordering::Relaxed);
    assert_eq!(hurried(&harness, &stranger).await, 503);
    let calls = provider_calls(&harness);
    assert_eq!(call(&harness, &stranger).await.status, 503);
    assert_eq!((provider_calls(&harness), harness.telemetry.count(Metric::IssuerErrors)), (calls, 2));
}

#[tokio::test]
async fn a_provider_without_any_usable_key_has_taken_back_those_that_it_had() {
    let key = SigningKey::es256("a").expect("a key");
    let token = key.token(&claims()).expect("a token");
    let encrypting = json!([{"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"}]);
    for keys in [json!([]), json!([{"kty": "oct", "k": "c2VjcmV0"}]), encrypting] {
        let provider = Provider::of(&key);
        let harness = Harness::with_outbound(discovering(), provider.outbound()).await;
        assert_eq!(call(&harness, &token).await.status, 200);
        *provider.jwks.lock().expect("a lock") = json!({"keys": keys});
        harness.clock.advance(Duration::from_secs(300));
        assert_eq!(call(&harness, &token).await.status, 200, "the keys are fetched beside it");
        assert_eq!(call(&harness, &token).await.status, 401, "{keys}");
        let (metric, detail) = harness.telemetry.metrics().pop().expect("a metric");
        assert_eq!(metric, Metric::IssuerErrors);
        assert_eq!(detail, "issuer main: the provider has no usable key: its tokens are refused");
    }
    // What is no set of keys is no answer, and takes nothing back.
    let provider = Provider::of(&key);
    let harness = Harness::with_outbound(discovering(), provider.outbound()).await;
    assert_eq!(call(&harness, &token).await.status, 200);
    *provider.jwks.lock().expect("a lock") = json!({"keys": {}});
    harness.clock.advance(Duration::from_secs(300));
    for _ in 0..2 {
        assert_eq!(call(&harness, &token).await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_hanging_provider_waits_for_one_attempt() {
    let key = SigningKey::es256("a").expect("a key");
    let harness = Harness::with_outbound(discovering(), FakeOutbound::hanging()).await;
    let token = key.token(&claims()).expect("a token");
    let started = Instant::now();
    let answers = futures_util::future::join_all((0..20).map(|_| call(&harness, &token))).await;
    assert!(answers.iter().all(|answer| answer.status == 503));
    assert_eq!(harness.outbound.requests().len(), 1);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}
