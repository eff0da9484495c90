//! Tokens that an issuer is asked about (RFC 7662).

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use faregate_engine::{body::full, fakes::FakeOutbound};
use faregate_testing::issuer::SigningKey;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::support::{
    Harness, NOW,
    provider::{ISSUER, call, claims, document, provider_calls},
};

fn introspecting() -> Value {
    let client = json!({"id": "gate way", "secret": {"ssm": "/faregate/client"}});
    let introspection = json!({"url": format!("{ISSUER}/introspect"), "client": client});
    document(json!({"id": "opaque", "issuer": ISSUER, "introspection": introspection}), json!({"issuers": ["opaque"]}))
}

#[tokio::test]
async fn an_opaque_token_is_asked_about_and_remembered_for_a_minute() {
    let answer = Arc::new(Mutex::new((StatusCode::OK, json!({"active": true, "sub": "alice", "scope": "a b"}))));
    let said = Arc::clone(&answer);
    let outbound = FakeOutbound::answering(move |request| {
        if request.path_and_query != "/introspect" {
            return Ok(Response::new(full("hello")));
        }
        let (status, body) = said.lock().expect("a lock").clone();
        Ok(Response::builder().status(status).body(full(body.to_string())).expect("an answer"))
    });
    let harness = Harness::with_outbound(introspecting(), outbound).await;
    harness.secrets.set("/faregate/client", "s:cret");
    let say = |status: StatusCode, body: Value| *answer.lock().expect("a lock") = (status, body);
    assert_eq!(call(&harness, "token-one").await.status, 200);
    let asked = harness.outbound.requests().remove(0);
    assert_eq!(asked.body, "token=token-one&token_type_hint=access_token");
    // `gate+way:s%3Acret`
    assert_eq!(asked.headers["authorization"], "Basic Z2F0ZSt3YXk6cyUzQWNyZXQ=");
    let sent = harness.outbound.requests().pop().expect("a request").headers;
    assert_eq!(
        (&sent["x-faregate-consumer"], &sent["x-faregate-scopes"]),
        (&"opaque:alice".parse().expect("a value"), &"a b".parse().expect("a value"))
    );

    // Revoked: known for 60 s at most, the refusal for 10 s.
    say(StatusCode::OK, json!({"active": false}));
    harness.clock.advance(Duration::from_millis(59_999));
    assert_eq!(call(&harness, "token-one").await.status, 200);
    harness.clock.advance(Duration::from_millis(1));
    assert_eq!(call(&harness, "token-one").await.status, 401);
    say(StatusCode::OK, json!({"active": true, "sub": "alice", "exp": NOW.as_seconds() + 100}));
    harness.clock.advance(Duration::from_millis(9_999));
    assert_eq!(call(&harness, "token-one").await.status, 401);
    harness.clock.advance(Duration::from_millis(1));
    assert_eq!(call(&harness, "token-one").await.status, 200);
    // 70 s have passed: the token's own time ends at 100 s and 60 s of leeway.
    harness.clock.advance(Duration::from_secs(30 + 60));
    assert_eq!(call(&harness, "token-one").await.status, 401);

    for (number, wrong) in [
        json!({"active": false, "sub": "alice"}),
        json!({"active": true}),
        json!({"active": true, "sub": "alice", "iss": "https://other.example.com"}),
        json!({"active": true, "sub": "alice", "exp": NOW.as_seconds() - 1000}),
        json!({"active": true, "sub": "alice", "scope": 7}),
        json!({"active": true, "sub": "alice", "tenant": 1, "exp": "soon"}),
    ]
    .into_iter()
    .enumerate()
    {
        say(StatusCode::OK, wrong.clone());
        assert_eq!(call(&harness, &format!("wrong-{number}")).await.status, 401, "{wrong}");
    }
    // No token at all: nobody is asked.
    let asked = provider_calls(&harness);
    assert_eq!(call(&harness, "two words").await.status, 401);
    assert_eq!(provider_calls(&harness), asked);
    for (status, body) in [
        (StatusCode::INTERNAL_SERVER_ERROR, json!({})),
        (StatusCode::UNAUTHORIZED, json!({"active": true, "sub": "alice"})),
        (StatusCode::FOUND, json!({"active": true, "sub": "alice"})),
        (StatusCode::OK, json!([])),
    ] {
        say(status, body.clone());
        for _ in 0..3 {
            let answer = call(&harness, &format!("down-{}", status.as_u16())).await;
            assert_eq!((answer.status, answer.code().as_str()), (503, "dependency_unavailable"), "{status}");
        }
        harness.clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn an_answer_for_another_audience_is_no_answer_for_this_one() {
    let mut document = introspecting();
    document["issuers"][0]["audiences"] = json!(["orders"]);
    let outbound = FakeOutbound::default();
    for aud in [json!("billing"), Value::Null, json!(["billing", "orders"])] {
        let body = json!({"active": true, "sub": "alice", "aud": aud});
        outbound.then_status(StatusCode::OK, body.to_string());
    }
    outbound.then_status(StatusCode::OK, "hello");
    let harness = Harness::with_outbound(document, outbound).await;
    harness.secrets.set("/faregate/client", "secret");
    for (token, status) in [("a", 401), ("b", 401), ("c", 200)] {
        assert_eq!(call(&harness, token).await.status, status, "{token}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_answer_young() {
    let outbound = FakeOutbound::default();
    outbound.then_status(StatusCode::OK, json!({"active": true, "sub": "alice"}).to_string());
    outbound.then_status(StatusCode::OK, "hello");
    outbound.then_status(StatusCode::OK, json!({"active": false}).to_string());
    let harness = Harness::with_outbound(introspecting(), outbound).await;
    harness.secrets.set("/faregate/client", "secret");
    assert_eq!(call(&harness, "a").await.status, 200);
    harness.clock.set(faregate_core::time::Timestamp::from_seconds(NOW.as_seconds() - 600));
    assert_eq!(call(&harness, "a").await.status, 401);
}

#[tokio::test]
async fn a_clients_secret_that_was_changed_is_read_anew() {
    for said in [
        (StatusCode::UNAUTHORIZED, json!({})),
        (StatusCode::FORBIDDEN, json!({})),
        (StatusCode::BAD_REQUEST, json!({"error": "invalid_client"})),
    ] {
        let refusal = said.clone();
        let harness = Harness::with_outbound(
            introspecting(),
            FakeOutbound::answering(move |request| {
                if request.path_and_query != "/introspect" {
                    return Ok(Response::new(full("hello")));
                }
                // `gate+way:new`
                let is_new = request.headers["authorization"] == "Basic Z2F0ZSt3YXk6bmV3";
                let good = (StatusCode::OK, json!({"active": true, "sub": "alice"}));
                let (status, body) = if is_new { good } else { refusal.clone() };
                Ok(Response::builder().status(status).body(full(body.to_string())).expect("an answer"))
            }),
        )
        .await;
        harness.secrets.set("/faregate/client", "old");
        harness.secrets.then("/faregate/client", "new");
        assert_eq!(call(&harness, "a").await.status, 200, "{said:?}");
    }
}

#[tokio::test]
async fn a_new_snapshot_asks_anew_though_nothing_of_the_issuer_changed() {
    let outbound = FakeOutbound::answering(|request| {
        let body = match request.path_and_query.as_str() {
            "/introspect" => json!({"active": true, "sub": "alice"}).to_string(),
            _ => "hello".to_owned(),
        };
        Ok(Response::new(full(body)))
    });
    let harness = Harness::with_outbound(introspecting(), outbound).await;
    harness.secrets.set("/faregate/client", "secret");
    let send = async || {
        assert_eq!(call(&harness, "a").await.status, 200);
        provider_calls(&harness)
    };
    assert_eq!((send().await, send().await), (1, 1));
    harness.clock.advance(Duration::from_secs(10));
    assert_eq!((send().await, send().await), (1, 1), "the same snapshot, looked for again");
    let mut other = introspecting();
    other["backends"][0]["description"] = json!("another one");
    harness.publish(other).await;
    harness.clock.advance(Duration::from_secs(10));
    assert_eq!((send().await, send().await, send().await), (1, 2, 2), "it is found beside the first request");
}

/// A gateway whose provider answers by the body of the question.
async fn answering(answer: impl Fn(&str) -> (StatusCode, Value) + Send + Sync + 'static) -> Harness {
    let outbound = FakeOutbound::answering(move |request| {
        if request.path_and_query != "/introspect" {
            return Ok(Response::new(full("hello")));
        }
        let (status, body) = answer(std::str::from_utf8(&request.body).expect("a form"));
        Ok(Response::builder().status(status).body(full(body.to_string())).expect("an answer"))
    });
    let harness = Harness::with_outbound(introspecting(), outbound).await;
    harness.secrets.set("/faregate/client", "secret");
    harness
}

#[tokio::test]
async fn a_question_that_is_not_taken_is_no_outage_for_other_tokens() {
    let good = || (StatusCode::OK, json!({"active": true, "sub": "alice"}));
    for (status, body, others) in [
        // `active` is required, and a boolean.
        (StatusCode::OK, json!({}), 200),
        (StatusCode::OK, json!({"sub": "alice"}), 200),
        (StatusCode::OK, json!({"active": "true", "sub": "alice"}), 200),
        (StatusCode::OK, json!({"active": "false"}), 200),
        (StatusCode::OK, json!({"active": 0}), 200),
        (StatusCode::OK, json!({"active": null}), 200),
        (StatusCode::FORBIDDEN, json!({}), 200),
        (StatusCode::BAD_REQUEST, json!({"error": "invalid_request"}), 200),
        (StatusCode::PAYLOAD_TOO_LARGE, json!({}), 200),
        (StatusCode::OK, json!([]), 200),
        (StatusCode::UNAUTHORIZED, json!({}), 503),
        (StatusCode::BAD_REQUEST, json!({"error": "invalid_client"}), 503),
        (StatusCode::TOO_MANY_REQUESTS, json!({}), 503),
        (StatusCode::INTERNAL_SERVER_ERROR, json!({}), 503),
    ] {
        let said = (status, body);
        let refusal = said.clone();
        let harness = answering(move |form| if form.contains("disliked") { refusal.clone() } else { good() }).await;
        for _ in 0..2 {
            let answer = call(&harness, "disliked").await;
            assert_eq!((answer.status, answer.code().as_str()), (503, "dependency_unavailable"), "{said:?}");
        }
        assert_eq!(provider_calls(&harness), 1, "asked once in a second: {said:?}");
        assert_eq!(call(&harness, "other").await.status, others, "{said:?}");
        harness.clock.advance(Duration::from_secs(1));
        assert_eq!(call(&harness, "other").await.status, 200, "{said:?}");
    }
}

/// What is no answer was no refusal either: the next second asks again.
#[tokio::test]
async fn an_answer_that_does_not_say_whether_a_token_is_active_is_forgotten_after_a_second() {
    let said = Arc::new(Mutex::new(json!({"sub": "alice"})));
    let answer = Arc::clone(&said);
    let harness = answering(move |_| (StatusCode::OK, answer.lock().expect("a lock").clone())).await;
    assert_eq!(call(&harness, "a").await.status, 503);
    let cause = harness.last_record().cause;
    assert_eq!(cause.as_deref(), Some("issuer opaque: the answer to introspection has no boolean `active`"));
    *said.lock().expect("a lock") = json!({"active": true, "sub": "alice"});
    harness.clock.advance(Duration::from_secs(1));
    assert_eq!(call(&harness, "a").await.status, 200);
    assert_eq!(provider_calls(&harness), 2);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_a_503_after_two_seconds_and_keeps_waiting_nobody_else() {
    let outbound = FakeOutbound::hanging();
    let harness = Harness::with_outbound(introspecting(), outbound).await;
    harness.secrets.set("/faregate/client", "secret");
    for round in 1..=2 {
        for (token, waits) in [("a", 2), ("a", 0), ("b", 0)] {
            let started = Instant::now();
            let answer = call(&harness, token).await;
            assert_eq!((answer.status, answer.code().as_str()), (503, "dependency_unavailable"));
            assert_eq!(started.elapsed(), Duration::from_secs(waits), "{token}");
            let cause = harness.last_record().cause;
            assert_eq!(cause.as_deref(), Some("issuer opaque: no answer in time"));
        }
        assert_eq!(harness.outbound.requests().len(), round, "asked once in a second, and no backend at all");
        harness.clock.advance(Duration::from_secs(1));
    }
}

/// SECURITY.md 7: a token that names an issuer is shown to no other one, whatever its header says.
#[tokio::test]
async fn a_token_whose_header_is_refused_is_nobody_elses_to_judge() {
    let key = SigningKey::es256("a").expect("a key");
    let mut document = introspecting();
    let main = json!({"id": "main", "issuer": "https://main.example.com", "audiences": ["orders"], "jwks": {"inline": key.jwks()}});
    document["issuers"].as_array_mut().expect("issuers").push(main);
    document["routes"][0]["authenticate"]["jwt"]["issuers"] = json!(["main", "opaque"]);
    let outbound = FakeOutbound::answering(|request| {
        let body = if request.origin == ISSUER { json!({"active": true, "sub": "alice"}) } else { json!("hello") };
        Ok(Response::new(full(body.to_string())))
    });
    let harness = Harness::with_outbound(document, outbound).await;
    harness.secrets.set("/faregate/client", "secret");
    let mut claims = claims();
    claims["iss"] = json!("https://main.example.com");
    assert_eq!(call(&harness, &key.token(&claims).expect("a token")).await.status, 200);
    let forged = |header: &str, payload: &str| {
        let [header, payload] = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
        format!("{header}.{payload}.AAAA")
    };
    let payload = claims.to_string();
    let twice = payload.replacen('{', r#"{"iss":"https://other.example.com","#, 1);
    for token in [
        forged(r#"{"alg":"none"}"#, &payload),
        forged(r#"{"alg":"ES512","kid":"a"}"#, &payload),
        forged(r#"{"alg":"ES256","jwk":{}}"#, &payload),
        forged(r#"{"alg":"ES256","crit":["x"]}"#, &payload),
        forged(r#"{"alg":"ES256","kid":7}"#, &payload),
        forged(r#"{"alg":"ES256","alg":"ES256"}"#, &payload),
        forged(r#"{"alg":"ES256","kid":"a"}"#, &twice),
    ] {
        assert_eq!(call(&harness, &token).await.status, 401, "{token}");
    }
    assert_eq!(provider_calls(&harness), 0, "nobody was shown a token of main");
    // What names nobody is the introspecting issuer's, whatever it looks like.
    for token in ["opaque".to_owned(), forged(r#"{"alg":"none"}"#, r#"{"sub":"x"}"#), "a.b.c".to_owned()] {
        assert_eq!(call(&harness, &token).await.status, 200, "{token}");
    }
}
