//! Tokens: signatures, keys that rotate, providers that are down, and what is remembered.

use std::{sync::atomic::Ordering, time::Duration};

use faregate_engine::{body::full, fakes::FakeOutbound};
use faregate_testing::issuer::SigningKey;
use http::Response;
use serde_json::{Value, json};

use super::support::{
    Harness, NOW,
    provider::{ISSUER, Provider, call, claims, discovering, document, provider_calls},
    request,
};

#[tokio::test]
async fn a_token_proves_a_consumer_and_is_passed_on() {
    for key in [SigningKey::rs256("a"), SigningKey::es256("a"), SigningKey::eddsa("a")] {
        let key = key.expect("a key");
        let harness = Harness::with_outbound(discovering(), Provider::of(&key).outbound()).await;
        let token = key.token(&claims()).expect("a token");
        let answer = call(&harness, &token).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("private")), "{}", answer.json());
        let sent = harness.outbound.requests().pop().expect("a request").headers;
        for (name, value) in [
            ("x-faregate-consumer", "main:alice"),
            ("x-faregate-credential", "jwt:main:alice"),
            ("x-faregate-scopes", "read write"),
            ("x-user", "alice"),
            ("x-level", "3"),
            ("authorization", &format!("Bearer {token}")),
        ] {
            assert_eq!(sent[name], value);
        }
        assert_eq!(harness.last_record().consumer.as_deref(), Some("main:alice"));
    }
}

#[tokio::test]
async fn a_claim_that_is_missing_sets_no_header() {
    let key = SigningKey::es256("a").expect("a key");
    let harness = Harness::with_outbound(discovering(), Provider::of(&key).outbound()).await;
    let (mut missing, mut null) = (claims(), claims());
    missing.as_object_mut().expect("claims").remove("level");
    null["level"] = Value::Null;
    for (claims, level) in [(claims(), Some("3")), (missing, None), (null, None)] {
        let bearer = format!("Bearer {}", key.token(&claims).expect("a token"));
        let headers = [("authorization", bearer.as_str()), ("x-level", "9"), ("x_level", "9")];
        assert_eq!(harness.send(request("GET", "https://h/", &headers)).await.status, 200);
        let sent = harness.outbound.requests().pop().expect("a request").headers;
        let levels: Vec<_> = sent.get_all("x-level").iter().map(|value| value.to_str().expect("text")).collect();
        assert_eq!(levels, Vec::from_iter(level), "{claims}");
        assert!(!sent.contains_key("x_level") && sent["x-user"] == "alice");
    }
}

#[tokio::test]
async fn refusals_look_alike_but_the_expired() {
    let key = SigningKey::es256("a").expect("a key");
    let harness = Harness::with_outbound(discovering(), Provider::of(&key).outbound()).await;
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        key.token(&claims).expect("a token")
    };
    let foreign = SigningKey::es256("a").expect("a key").token(&claims()).expect("a token");
    let mut bodies = Vec::new();
    for token in [
        foreign,
        with("iss", json!("https://other.example.com")),
        with("aud", json!("billing")),
        with("sub", json!(7)),
        with("nbf", json!(NOW.as_seconds() + 61)),
        "e30.e30.AAAA".to_owned(),
        "opaque".to_owned(),
        "x".repeat(17_000),
        String::new(),
    ] {
        let answer = call(&harness, &token).await;
        let (challenge, mut body) = (answer.header("www-authenticate").map(str::to_owned), answer.json());
        body["request_id"] = Value::Null;
        bodies.push((answer.status, challenge, body));
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    assert_eq!(bodies[0].0, 401);
    let expected = "Bearer realm=\"faregate\", error=\"invalid_token\", error_description=\"the token is not valid\"";
    assert_eq!(bodies[0].1.as_deref(), Some(expected));

    let answer = call(&harness, &with("exp", json!(NOW.as_seconds() - 61))).await;
    assert_eq!((answer.status, &answer.json()["detail"]), (401, &json!("the token has expired")));
    let answer = harness.get("https://h/").await;
    assert_eq!(
        (answer.code().as_str(), answer.header("www-authenticate")),
        ("credentials_missing", Some("Bearer realm=\"faregate\""))
    );
}

#[tokio::test]
async fn rotated_keys_are_found_at_once_and_looked_for_only_so_often() {
    let keys = ["a", "b", "c"].map(|kid| SigningKey::es256(kid).expect("a key"));
    let provider = Provider::of(&keys[0]);
    let harness = Harness::with_outbound(discovering(), provider.outbound()).await;
    let token = |key: &SigningKey| key.token(&claims()).expect("a token");
    assert_eq!(call(&harness, &token(&keys[0])).await.status, 200);
    provider.rotate_to(&keys[1]);
    assert_eq!(call(&harness, &token(&keys[1])).await.status, 200);
    assert_eq!(provider_calls(&harness), 4);
    // The old key is gone, and with it what it had signed.
    assert_eq!(call(&harness, &token(&keys[0])).await.status, 401);
    // Nobody's key: no look within 30 s, then one, then none within another 30 s, then within 60 s.
    for (advance, calls) in [(0, 4), (29, 4), (1, 6), (29, 6), (1, 8), (59, 8), (1, 10)] {
        harness.clock.advance(Duration::from_secs(advance));
        assert_eq!(call(&harness, &token(&keys[2])).await.status, 401);
        assert_eq!(provider_calls(&harness), calls, "after {advance} s");
    }
}

#[tokio::test]
async fn the_first_look_in_vain_keeps_away_the_next_for_thirty_seconds_and_each_for_twice_as_long() {
    let [known, unknown] = ["a", "b"].map(|kid| SigningKey::es256(kid).expect("a key"));
    let harness = Harness::with_outbound(discovering(), Provider::of(&known).outbound()).await;
    let stranger = unknown.token(&claims()).expect("a token");
    // The first one fetches the keys, and looks once more for one that has come since.
    for (advance, calls) in [(0, 4), (29, 4), (1, 6), (59, 6), (1, 8), (119, 8), (1, 10)] {
        harness.clock.advance(Duration::from_secs(advance));
        assert_eq!(call(&harness, &stranger).await.status, 401);
        assert_eq!(provider_calls(&harness), calls, "after {advance} s");
    }
}

#[tokio::test]
async fn looks_in_vain_delay_no_rotation_that_begins_after_them() {
    let keys = ["a", "b", "c", "nobody's"].map(|kid| SigningKey::es256(kid).expect("a key"));
    let provider = Provider::of(&keys[0]);
    let harness = Harness::with_outbound(discovering(), provider.outbound()).await;
    let [old, new, newest, unknown] = keys.each_ref().map(|key| {
        let claims = json!({"iss": ISSUER, "aud": "orders", "sub": "alice", "exp": NOW.as_seconds() + 100_000});
        key.token(&claims).expect("a token")
    });
    assert_eq!(call(&harness, &old).await.status, 200);
    for pause in [0, 30, 60, 120, 240, 480] {
        harness.clock.advance(Duration::from_secs(pause));
        assert_eq!(call(&harness, &unknown).await.status, 401);
    }
    // Ten minutes at most; the ordinary refresh of every five goes on.
    let calls = provider_calls(&harness);
    harness.clock.advance(Duration::from_secs(599));
    assert_eq!((call(&harness, &unknown).await.status, provider_calls(&harness)), (401, calls + 2));
    harness.clock.advance(Duration::from_secs(1));
    assert_eq!((call(&harness, &unknown).await.status, provider_calls(&harness)), (401, calls + 4));
    provider.rotate_to(&keys[1]);
    harness.clock.advance(Duration::from_secs(301));
    assert_eq!(call(&harness, &old).await.status, 200, "the refresh goes on beside it");
    assert_eq!(call(&harness, &new).await.status, 200);
    provider.rotate_to(&keys[2]);
    harness.clock.advance(Duration::from_secs(29));
    assert_eq!(call(&harness, &newest).await.status, 200);
}

#[tokio::test]
async fn a_remembered_token_is_checked_for_its_beginning_each_time() {
    let key = SigningKey::es256("a").expect("a key");
    let harness = Harness::with_outbound(discovering(), Provider::of(&key).outbound()).await;
    let mut claims = claims();
    claims["nbf"] = json!(NOW.as_seconds());
    let token = key.token(&claims).expect("a token");
    for (seconds, status) in [(0, 200), (60, 200), (61, 401), (0, 200)] {
        harness.clock.set(faregate_core::time::Timestamp::from_seconds(NOW.as_seconds() - seconds));
        assert_eq!(call(&harness, &token).await.status, status, "{seconds} s before");
    }
}

#[tokio::test]
async fn a_provider_that_is_down_loses_no_token_for_a_day() {
    let key = SigningKey::es256("a").expect("a key");
    let provider = Provider::of(&key);
    let harness = Harness::with_outbound(discovering(), provider.outbound()).await;
    let token = || {
        let claims = json!({"iss": ISSUER, "aud": "orders", "sub": "alice", "exp": NOW.as_seconds() + 1_000_000});
        key.token(&claims).expect("a token")
    };
    provider.is_down.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        let answer = call(&harness, &token()).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "dependency_unavailable"));
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(provider_calls(&harness), 1, "one attempt a second");
    provider.is_down.store(false, Ordering::Relaxed);
    harness.clock.advance(Duration::from_secs(1));
    assert_eq!(call(&harness, &token()).await.status, 200);

    provider.is_down.store(true, Ordering::Relaxed);
    harness.clock.advance(Duration::from_secs(23 * 3600));
    assert_eq!(call(&harness, &token()).await.status, 200);
    harness.clock.advance(Duration::from_secs(3600));
    assert_eq!(call(&harness, &token()).await.status, 503);
    provider.is_down.store(false, Ordering::Relaxed);
    harness.clock.advance(Duration::from_secs(10));
    assert_eq!(call(&harness, &token()).await.status, 200);
}

#[tokio::test]
async fn a_hot_token_is_verified_once_and_forgotten_with_keys_snapshot_and_time() {
    let key = SigningKey::es256("a").expect("a key");
    let provider = Provider::of(&key);
    let harness = Harness::with_outbound(discovering(), provider.outbound()).await;
    let token = key.token(&claims()).expect("a token");
    for _ in 0..3 {
        assert_eq!(call(&harness, &token).await.status, 200);
    }
    assert_eq!(provider_calls(&harness), 2);
    // Another signature over the same claims is another token.
    let (message, _) = token.rsplit_once('.').expect("a signature");
    assert_eq!(call(&harness, &format!("{message}.{}", "A".repeat(86))).await.status, 401);
    // The provider takes the key back: after the set's age the first poll sees it.
    provider.rotate_to(&SigningKey::es256("b").expect("a key"));
    harness.clock.advance(Duration::from_secs(300));
    assert_eq!(call(&harness, &token).await.status, 200, "the poll goes on beside this request");
    assert_eq!(call(&harness, &token).await.status, 401);
    provider.rotate_to(&key);
    harness.clock.advance(Duration::from_secs(300));
    assert_eq!(call(&harness, &token).await.status, 200, "its key is looked for");
    harness.clock.advance(Duration::from_secs(3600));
    assert_eq!(call(&harness, &token).await.json()["detail"], "the token has expired");
}

#[tokio::test]
async fn an_issuer_that_changes_believes_nothing_that_it_did_before() {
    let key = SigningKey::es256("a").expect("a key");
    let issuer = |audience: &str| json!({"id": "main", "issuer": ISSUER, "audiences": [audience], "jwks": {"inline": key.jwks()}});
    let harness = Harness::new(document(issuer("orders"), json!({"issuers": ["main"]}))).await;
    let token = key.token(&claims()).expect("a token");
    assert_eq!(call(&harness, &token).await.status, 200);
    harness.publish(document(issuer("billing"), json!({"issuers": ["main"]}))).await;
    harness.clock.advance(Duration::from_secs(60));
    assert_eq!(call(&harness, &token).await.status, 401);
}

#[tokio::test]
async fn metadata_of_another_issuer_is_no_metadata() {
    let outbound = FakeOutbound::answering(|_| {
        Ok(Response::new(full(
            json!({"issuer": "https://evil.example.com", "jwks_uri": "https://evil.example.com"}).to_string(),
        )))
    });
    let harness = Harness::with_outbound(discovering(), outbound).await;
    let token = SigningKey::es256("a").expect("a key").token(&claims()).expect("a token");
    assert_eq!(call(&harness, &token).await.status, 503);
    assert_eq!(harness.outbound.requests().len(), 1);
}

/// The keys of an issuer that is one over HTTPS come over HTTPS, too, whatever its metadata says.
#[tokio::test]
async fn keys_at_an_address_that_is_not_trustworthy_are_not_fetched() {
    let key = SigningKey::es256("a").expect("a key");
    let token = key.token(&claims()).expect("a token");
    for (address, is_taken) in [
        (json!("https://keys.example.com/set"), true),
        (json!("http://keys.example.com/set"), false),
        (json!("ftp://keys.example.com/set"), false),
        (json!("https://user:password@keys.example.com/set"), false),
        (json!("https://keys.example.com/set#first"), false),
        (json!("/set"), false),
        (json!(7), false),
        (Value::Null, false),
    ] {
        let metadata = json!({"issuer": ISSUER, "jwks_uri": address}).to_string();
        let jwks = key.jwks().to_string();
        let outbound = FakeOutbound::answering(move |request| {
            let is_metadata = request.path_and_query == "/.well-known/openid-configuration";
            Ok(Response::new(full(if is_metadata { metadata.clone() } else { jwks.clone() })))
        });
        let harness = Harness::with_outbound(discovering(), outbound).await;
        let answer = call(&harness, &token).await;
        let calls = harness.outbound.requests().len();
        if is_taken {
            assert_eq!((answer.status, calls), (200, 3), "{address}");
            continue;
        }
        assert_eq!((answer.status, answer.code().as_str(), calls), (503, "dependency_unavailable", 1), "{address}");
        let (_, detail) = harness.telemetry.metrics().pop().expect("a metric");
        assert_eq!(detail, "issuer main: the metadata has no jwks_uri over HTTPS", "{address}");
    }
}

#[tokio::test]
async fn a_shared_secret_signs_and_is_read_anew_when_it_was_changed() {
    let (old, new) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210");
    let issuer =
        json!({"id": "partner", "issuer": "partner", "audiences": ["orders"], "secret": {"ssm": "/faregate/partner"}});
    let harness = Harness::new(document(issuer, json!({"issuers": ["partner"]}))).await;
    let token = |secret: &str| {
        let claims = json!({"iss": "partner", "aud": ["x", "orders"], "sub": "p", "exp": NOW.as_seconds() + 3600});
        SigningKey::hs256(secret.as_bytes()).expect("a key").token(&claims).expect("a token")
    };
    assert_eq!(call(&harness, &token(old)).await.status, 503, "the secret cannot be read");
    harness.secrets.set("/faregate/partner", old);
    assert_eq!(call(&harness, &token(old)).await.status, 200);
    assert_eq!(call(&harness, &token(new)).await.status, 401);
    harness.secrets.then("/faregate/partner", new);
    assert_eq!(call(&harness, &token(new)).await.status, 200);
    assert_eq!(call(&harness, &token(old)).await.status, 401);
    harness.secrets.set("/faregate/partner", "short");
    let short = SigningKey::hs256(b"short").expect("a key");
    let claims = json!({"iss": "partner", "aud": "orders", "sub": "p", "exp": NOW.as_seconds() + 3600});
    assert_eq!(call(&harness, &short.token(&claims).expect("a token")).await.status, 401);
    let cause = harness.last_record().cause;
    assert_eq!(cause.as_deref(), Some("issuer partner has no usable key or secret"));
}

#[tokio::test]
async fn keys_without_a_name_rotate_too() {
    let [old, new] = [SigningKey::es256("a").expect("a key"), SigningKey::es256("a").expect("a key")];
    let provider = Provider::default();
    let nameless = |key: &SigningKey| {
        let mut jwks = key.jwks();
        jwks["keys"][0].as_object_mut().expect("a key").remove("kid");
        *provider.jwks.lock().expect("a lock") = jwks;
    };
    nameless(&old);
    let harness = Harness::with_outbound(discovering(), provider.outbound()).await;
    assert_eq!(call(&harness, &old.token(&claims()).expect("a token")).await.status, 200);
    nameless(&new);
    assert_eq!(call(&harness, &new.token(&claims()).expect("a token")).await.status, 200);
    // A key that the token names exactly, and that did not sign it, is no reason to look again.
    *provider.jwks.lock().expect("a lock") = new.jwks();
    harness.clock.advance(Duration::from_secs(600));
    assert_eq!(call(&harness, &new.token(&claims()).expect("a token")).await.status, 200);
    let calls = provider_calls(&harness);
    assert_eq!(call(&harness, &old.token(&claims()).expect("a token")).await.status, 401);
    assert_eq!(provider_calls(&harness), calls);
}

#[tokio::test]
async fn an_unknown_key_is_no_refusal_while_nobody_can_be_asked() {
    let [known, unknown] = ["a", "b"].map(|kid| SigningKey::es256(kid).expect("a key"));
    let provider = Provider::of(&known);
    let harness = Harness::with_outbound(discovering(), provider.outbound()).await;
    assert_eq!(call(&harness, &known.token(&claims()).expect("a token")).await.status, 200);
    provider.is_down.store(true, Ordering::Relaxed);
    let token = unknown.token(&claims()).expect("a token");
    for _ in 0..2 {
        assert_eq!(call(&harness, &token).await.status, 503);
    }
    assert_eq!(provider_calls(&harness), 3, "asked once in thirty seconds");
    assert_eq!(call(&harness, &known.token(&claims()).expect("a token")).await.status, 200);
    provider.is_down.store(false, Ordering::Relaxed);
    provider.rotate_to(&unknown);
    harness.clock.advance(Duration::from_secs(29));
    assert_eq!(call(&harness, &token).await.status, 503);
    harness.clock.advance(Duration::from_secs(1));
    assert_eq!(call(&harness, &token).await.status, 200);
}

#[tokio::test]
async fn another_description_of_an_issuer_keeps_its_keys() {
    let key = SigningKey::es256("a").expect("a key");
    let provider = Provider::of(&key);
    let harness = Harness::with_outbound(discovering(), provider.outbound()).await;
    assert_eq!(call(&harness, &key.token(&claims()).expect("a token")).await.status, 200);
    provider.is_down.store(true, Ordering::Relaxed);
    let mut document = discovering();
    document["issuers"][0]["description"] = json!("another one");
    harness.publish(document).await;
    harness.clock.advance(Duration::from_secs(61));
    assert_eq!(call(&harness, &key.token(&claims()).expect("a token")).await.status, 200);
}

#[tokio::test]
async fn a_set_of_keys_is_fetched_from_its_own_address() {
    let key = SigningKey::es384("a").expect("a key");
    let url = "https://keys.example.com/set?tenant=1";
    let issuer = json!({"id": "main", "issuer": ISSUER, "audiences": ["orders"], "jwks": {"url": url}});
    let jwks = key.jwks().to_string();
    let outbound = FakeOutbound::answering(move |request| {
        let is_provider = request.origin == "https://keys.example.com";
        Ok(Response::new(full(if is_provider { jwks.clone() } else { "hello".to_owned() })))
    });
    let harness = Harness::with_outbound(document(issuer, json!({"issuers": ["main"]})), outbound).await;
    for _ in 0..2 {
        assert_eq!(call(&harness, &key.token(&claims()).expect("a token")).await.status, 200);
    }
    let requests = harness.outbound.requests();
    let asked: Vec<_> = requests.iter().filter(|sent| sent.origin != "http://backend.internal:8080").collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(format!("{} {}{}", asked[0].method, asked[0].origin, asked[0].path_and_query), format!("GET {url}"));
}

#[tokio::test]
async fn an_issuer_says_which_claims_mean_what() {
    let key = SigningKey::es256("a").expect("a key");
    let issuer = json!({
        "id": "main", "issuer": ISSUER, "audiences": ["orders"], "jwks": {"inline": key.jwks()},
        "consumer_claim": "azp", "plan_claim": "tier", "scopes_claim": "permissions", "groups_claim": "teams",
    });
    let mut document = document(issuer, json!({"issuers": ["main"]}));
    document["plans"] = json!([{"id": "gold", "limits": [{"id": "daily", "limit": 9, "per": "day"}]}]);
    document["routes"][0]["authorize"] = json!({"scopes": {"all": ["write"]}, "groups": {"allow": ["staff"]}});
    let harness = Harness::new(document).await;
    let token = |more: Value| {
        let mut claims = claims();
        let named = json!({"azp": "shop", "tier": "gold", "permissions": ["read", "write"], "teams": ["staff"]});
        claims.as_object_mut().expect("claims").extend(named.as_object().expect("claims").clone());
        claims.as_object_mut().expect("claims").extend(more.as_object().expect("claims").clone());
        key.token(&claims).expect("a token")
    };
    let answer = call(&harness, &token(json!({}))).await;
    assert_eq!((answer.status, answer.header("ratelimit-policy")), (200, Some("\"daily\";q=9;w=86400")));
    let sent = harness.outbound.requests().pop().expect("a request").headers;
    for (name, value) in [
        ("x-faregate-consumer", "main:shop"),
        ("x-faregate-credential", "jwt:main:alice"),
        ("x-faregate-plan", "gold"),
        ("x-faregate-scopes", "read write"),
    ] {
        assert_eq!(sent[name], value);
    }
    for (changed, status, code) in [
        (json!({"permissions": "read write"}), 200, ""),
        (json!({"teams": "staff"}), 200, ""),
        // The usual claims mean nothing here: `sub` is no consumer, `scope` no scope.
        (json!({"azp": null}), 401, "credentials_invalid"),
        (json!({"permissions": null, "scope": "write"}), 401, "credentials_invalid"),
        (json!({"permissions": [], "scope": "write"}), 403, "permission_denied"),
        (json!({"teams": [], "groups": ["staff"]}), 403, "permission_denied"),
        (json!({"tier": "none"}), 403, "access_denied"),
        (json!({"tier": 7}), 401, "credentials_invalid"),
        (json!({"teams": [7]}), 401, "credentials_invalid"),
    ] {
        let answer = call(&harness, &token(changed.clone())).await;
        assert_eq!(answer.status, status, "{changed}");
        assert!(status == 200 || answer.code() == code, "{changed}");
    }
}
