//! Credentials of several kinds: combined, authorised, and passed on.

use faregate_engine::gateway::Peer;
use faregate_testing::issuer::SigningKey;
use serde_json::{Value, json};

use super::support::{Answer, Harness, KEY, NOW, forwarding, request};

const ISSUER: &str = "https://auth.example.com";

fn document(key: &SigningKey, fields: Value) -> Value {
    let mut document = forwarding(fields);
    document["issuers"] = json!([{"id": "main", "issuer": ISSUER, "audiences": ["a"], "jwks": {"inline": key.jwks()}, "groups_claim": "groups"}]);
    document
}

fn token(key: &SigningKey, more: &Value) -> String {
    let mut claims = json!({"iss": ISSUER, "aud": "a", "sub": "alice", "exp": NOW.as_seconds() + 3600});
    for (name, value) in more.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    format!("Bearer {}", key.token(&claims).expect("a token"))
}

async fn call(harness: &Harness, headers: &[(&str, &str)]) -> Answer {
    harness.send(request("GET", "https://h/path?q=1", headers)).await
}

#[tokio::test]
async fn any_of_takes_one_and_refuses_every_bad_one() {
    let key = SigningKey::es256("k").expect("a key");
    let either = json!({"authenticate": {"any_of": ["api_key", {"jwt": {"issuers": ["main"]}}, "anonymous"]}});
    let harness = Harness::new(document(&key, either)).await;
    harness.key(KEY, json!({"consumer": "acme"}));
    let good = token(&key, &json!({}));
    let consumer = || harness.last_record().consumer;
    assert_eq!((call(&harness, &[]).await.status, consumer()), (200, None));
    assert_eq!(
        (call(&harness, &[("authorization", &good)]).await.status, consumer().as_deref()),
        (200, Some("main:alice"))
    );
    assert_eq!(
        (call(&harness, &[("authorization", &good), ("x-api-key", KEY)]).await.status, consumer().as_deref()),
        (200, Some("acme"))
    );
    assert_eq!(call(&harness, &[("authorization", &good), ("x-api-key", "wrong")]).await.status, 401);
    let answer = call(&harness, &[("authorization", "Bearer e30.e30.AAAA"), ("x-api-key", KEY)]).await;
    assert_eq!(answer.status, 401);
    let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges.len(), 2);
    assert_eq!(challenges[0], "ApiKey name=\"x-api-key\"");
    // Another scheme is another credential.
    assert_eq!((call(&harness, &[("authorization", "Basic eDp5")]).await.status, consumer()), (200, None));
}

#[tokio::test]
async fn all_of_takes_all_and_the_first_says_who_calls() {
    let key = SigningKey::es256("k").expect("a key");
    let both = json!({
        "authenticate": {"all_of": [{"jwt": {"issuers": ["main"]}}, {"api_key": {"forward_metadata": {"x-tier": "tier", "x-groups": "groups"}}}]},
        "authorize": {"scopes": {"all": ["read"]}, "groups": {"allow": ["staff"]}},
    });
    let harness = Harness::new(document(&key, both)).await;
    harness.key(
        KEY,
        json!({"consumer": "acme", "scopes": ["read"], "groups": ["dev ops", "x"], "metadata": {"tier": "göld"}}),
    );
    let staff = token(&key, &json!({"groups": ["staff"]}));
    for headers in [&[][..], &[("authorization", &*staff)], &[("x-api-key", KEY)]] {
        assert_eq!(call(&harness, headers).await.code(), "credentials_missing");
    }
    assert_eq!(
        call(&harness, &[("authorization", &staff), ("x-api-key", "wrong")]).await.code(),
        "credentials_invalid"
    );
    assert_eq!(call(&harness, &[("authorization", &staff), ("x-api-key", KEY)]).await.status, 200);
    let sent = harness.outbound.requests().pop().expect("a request").headers;
    assert_eq!(
        (&sent["x-faregate-consumer"], &sent["x-tier"]),
        (&"main:alice".parse().expect("a value"), &"g%C3%B6ld".parse().expect("a value"))
    );
    assert_eq!(sent["x-groups"], "dev%20ops x");
    assert!(!sent.contains_key("x-faregate-scopes"), "the scopes are the key's, not the caller's");
    // No client sends what a credential proves, on any route.
    let forged =
        call(&harness, &[("authorization", &staff), ("x-api-key", KEY), ("x_tier", "a"), ("X-Tier", "b")]).await;
    assert_eq!(forged.status, 200);
    let sent = harness.outbound.requests().pop().expect("a request").headers;
    assert_eq!(sent.get_all("x-tier").iter().collect::<Vec<_>>(), ["g%C3%B6ld"]);
    assert!(!sent.contains_key("x_tier"));
    let other = token(&key, &json!({"groups": ["guests"]}));
    let answer = call(&harness, &[("authorization", &other), ("x-api-key", KEY)]).await;
    assert_eq!(
        (answer.status, answer.code().as_str(), answer.header("www-authenticate")),
        (403, "permission_denied", None)
    );
    assert_eq!(harness.last_record().cause.as_deref(), Some("authorize: groups one of staff"));
}

#[tokio::test]
async fn missing_scopes_are_told() {
    let key = SigningKey::es256("k").expect("a key");
    let scoped = json!({"authenticate": {"jwt": {"issuers": ["main"]}}, "authorize": {"scopes": {"all": ["a", "b"]}}});
    let harness = Harness::new(document(&key, scoped)).await;
    let answer = call(&harness, &[("authorization", &token(&key, &json!({"scp": ["a"]})))]).await;
    let expected = "Bearer realm=\"faregate\", error=\"insufficient_scope\", scope=\"a b\"";
    assert_eq!((answer.status, answer.header("www-authenticate")), (403, Some(expected)));
    assert_eq!(call(&harness, &[("authorization", &token(&key, &json!({"scp": ["b", "a"]})))]).await.status, 200);
}

#[tokio::test]
async fn an_llm_sdk_sends_its_key_as_a_bearer_token() {
    let key = SigningKey::es256("k").expect("a key");
    let bearer = json!({"api_key": {"header": "authorization", "scheme": "Bearer"}});
    let both = json!({"authenticate": {"any_of": [bearer, {"jwt": {"issuers": ["main"], "hide_credentials": true}}]}});
    let harness = Harness::new(document(&key, both)).await;
    harness.key(KEY, json!({"consumer": "acme"}));
    for (header, consumer) in [(format!("Bearer {KEY}"), "acme"), (token(&key, &json!({})), "main:alice")] {
        assert_eq!(call(&harness, &[("authorization", &header)]).await.status, 200);
        assert_eq!(harness.last_record().consumer.as_deref(), Some(consumer));
        assert!(!harness.outbound.requests().pop().expect("a request").headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn a_key_and_a_token_that_are_both_needed_stand_in_two_lines_of_one_header() {
    let key = SigningKey::es256("k").expect("a key");
    let bearer = json!({"api_key": {"header": "authorization", "scheme": "Bearer"}});
    let both = json!({"authenticate": {"all_of": [bearer, {"jwt": {"issuers": ["main"]}}]}});
    let harness = Harness::new(document(&key, both)).await;
    harness.key(KEY, json!({"consumer": "acme"}));
    let (token, secret) = (token(&key, &json!({})), format!("Bearer {KEY}"));
    for (lines, status) in [(vec![&token, &secret], 200), (vec![&secret, &token], 200), (vec![&token], 401)] {
        let headers: Vec<_> = lines.into_iter().map(|line| ("authorization", &**line)).collect();
        assert_eq!(call(&harness, &headers).await.status, status, "{headers:?}");
    }
}

#[tokio::test]
async fn an_iam_principal_is_the_hosts_word_alone() {
    let harness = Harness::new(forwarding(json!({"authenticate": "iam"}))).await;
    let answer = call(&harness, &[("x-faregate-consumer", "iam:arn:aws:iam::1:user/u")]).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("AWS4-HMAC-SHA256 realm=\"faregate\"")));
    let arn = "arn:aws:sts::1:assumed-role/Role/session";
    let peer = Peer { iam_arn: Some(arn.to_owned()), ..Peer::default() };
    assert_eq!(harness.take(Ok(request("GET", "https://h/", &[])), peer).await.status, 200);
    let sent = harness.outbound.requests().pop().expect("a request").headers;
    assert_eq!(sent["x-faregate-consumer"], "iam:arn:aws:sts::1:assumed-role/Role");
    assert_eq!(sent["x-faregate-credential"], format!("iam:{arn}"));
}

/// A bound that is the same for every consumer; here the host's word is refused, not believed in part.
#[tokio::test]
async fn an_iam_principal_of_impossible_length_is_refused() {
    let harness = Harness::new(forwarding(json!({"authenticate": "iam"}))).await;
    let prefix = "arn:aws:iam::1:user/";
    let longest = 256 - "iam:".len() - prefix.len();
    for (length, status) in [(longest, 200), (longest + 1, 401)] {
        let peer = Peer { iam_arn: Some(format!("{prefix}{}", "x".repeat(length))), ..Peer::default() };
        let answer = harness.take(Ok(request("GET", "https://h/", &[])), peer).await;
        assert_eq!(answer.status, status, "{length}");
        assert!(status == 200 || answer.code() == "credentials_invalid");
    }
    assert_eq!(harness.outbound.requests().len(), 1);
    let peer = Peer { iam_arn: Some(String::new()), ..Peer::default() };
    assert_eq!(harness.take(Ok(request("GET", "https://h/", &[])), peer).await.code(), "credentials_invalid");
}

#[tokio::test]
async fn an_iam_principal_stands_beside_a_key() {
    const ARN: &str = "arn:aws:iam::1:user/u";
    let any = Harness::new(forwarding(json!({"authenticate": {"any_of": ["iam", "api_key"]}}))).await;
    let all = Harness::new(forwarding(json!({"authenticate": {"all_of": ["api_key", "iam"]}}))).await;
    let iam = Some("iam:arn:aws:iam::1:user/u");
    for (harness, arn, key, status, consumer) in [
        (&any, None, None, 401, None),
        (&any, Some(ARN), None, 200, iam),
        (&any, None, Some(KEY), 200, Some("acme")),
        (&any, Some(ARN), Some(KEY), 200, iam),
        (&any, Some(ARN), Some("wrong"), 401, None),
        (&all, Some(ARN), None, 401, None),
        (&all, None, Some(KEY), 401, None),
        (&all, Some(ARN), Some(KEY), 200, Some("acme")),
    ] {
        harness.key(KEY, json!({"consumer": "acme"}));
        let headers: Vec<_> = key.into_iter().map(|key| ("x-api-key", key)).collect();
        let peer = Peer { iam_arn: arn.map(str::to_owned), ..Peer::default() };
        let answer = harness.take(Ok(request("GET", "https://h/", &headers)), peer).await;
        assert_eq!(answer.status, status, "{arn:?} {key:?}");
        assert_eq!(harness.last_record().consumer.as_deref(), consumer, "{arn:?} {key:?}");
        let challenges = answer.headers.get_all("www-authenticate").iter().count();
        assert_eq!(challenges, if status == 401 { 2 } else { 0 }, "one for each way");
    }
}

#[tokio::test]
async fn the_lists_of_a_keys_item_are_passed_on_by_name() {
    let named = json!({"x-scopes": "scopes", "x-groups": "groups", "x-tier": "tier"});
    let harness = Harness::new(forwarding(json!({"authenticate": {"api_key": {"forward_metadata": named}}}))).await;
    // A member of the metadata with such a name is not the list.
    let metadata = json!({"scopes": "all", "groups": "all", "tier": 1});
    harness.key("full", json!({"consumer": "a", "scopes": ["read", "write"], "groups": ["ops"], "metadata": metadata}));
    harness.key("bare", json!({"consumer": "b", "metadata": metadata}));
    for (key, scopes, groups) in [("full", Some("read write"), Some("ops")), ("bare", None, None)] {
        let headers = [("x-api-key", key), ("x-scopes", "forged"), ("x-groups", "forged")];
        assert_eq!(call(&harness, &headers).await.status, 200);
        let sent = harness.outbound.requests().pop().expect("a request").headers;
        for (name, value) in [("x-scopes", scopes), ("x-groups", groups), ("x-tier", Some("1"))] {
            let found: Vec<_> = sent.get_all(name).iter().map(|value| value.to_str().expect("text")).collect();
            assert_eq!(found, Vec::from_iter(value), "{key} {name}");
        }
    }
}

#[tokio::test]
async fn a_header_that_no_backend_would_take_is_not_sent() {
    let named = json!({"x-tier": "tier", "x-groups": "groups"});
    let harness = Harness::new(forwarding(json!({"authenticate": {"api_key": {"forward_metadata": named}}}))).await;
    for (key, length, is_sent) in [("long", 8192, true), ("longer", 8193, false)] {
        let text = "x".repeat(length);
        let item = json!({"consumer": "acme", "scopes": [text], "groups": [text], "metadata": {"tier": text}});
        harness.key(key, item);
        assert_eq!(call(&harness, &[("x-api-key", key)]).await.status, 200, "{length}");
        let sent = harness.outbound.requests().pop().expect("a request").headers;
        for name in ["x-tier", "x-groups", "x-faregate-scopes"] {
            assert_eq!(sent.get(name).map(|value| value.len()), is_sent.then_some(length), "{name}");
        }
    }
}

#[tokio::test]
async fn no_credential_lends_another_what_it_has_not() {
    let key = SigningKey::es256("k").expect("a key");
    let either = json!({
        "authenticate": {"any_of": ["api_key", {"jwt": {"issuers": ["main"]}}]},
        "authorize": {"scopes": {"all": ["write"]}, "consumers": {"deny": ["main:mallory"]}},
    });
    let harness = Harness::new(document(&key, either)).await;
    harness.key(KEY, json!({"consumer": "acme"}));
    harness.key("writer", json!({"consumer": "acme", "scopes": ["write"]}));
    let writer = token(&key, &json!({"scope": "write"}));
    assert_eq!(call(&harness, &[("authorization", &writer)]).await.status, 200);
    // The caller is the key's consumer, and the key has no such scope.
    assert_eq!(call(&harness, &[("x-api-key", KEY), ("authorization", &writer)]).await.status, 403);
    assert_eq!(call(&harness, &[("x-api-key", "writer"), ("authorization", &writer)]).await.status, 200);
    let mallory = token(&key, &json!({"sub": "mallory", "scope": "write"}));
    assert_eq!(call(&harness, &[("x-api-key", "writer"), ("authorization", &mallory)]).await.status, 403);
}

#[tokio::test]
async fn a_disabled_routes_identity_headers_stay_its_own() {
    let key = SigningKey::es256("k").expect("a key");
    let mut document = document(&key, json!({}));
    let jwt = json!({"jwt": {"issuers": ["main"], "forward_claims": {"x-user-id": "sub"}}});
    let routes = document["routes"].as_array_mut().expect("routes");
    routes.push(json!({"id": "off", "enabled": false, "authenticate": jwt, "respond": {}}));
    let harness = Harness::new(document).await;
    assert_eq!(call(&harness, &[("x-user-id", "admin")]).await.status, 200);
    assert!(!harness.outbound.requests().pop().expect("a request").headers.contains_key("x-user-id"));
}

#[tokio::test]
async fn a_plan_that_nobody_proved_counts_and_is_not_passed_on() {
    let mut document = forwarding(json!({
        "authenticate": {"any_of": ["api_key", "anonymous"]}, "limits": [{"plan": {"default": "free"}}],
    }));
    let plan = |id: &str| json!({"id": id, "limits": [{"id": "daily", "limit": 9, "per": "day"}]});
    document["plans"] = json!([plan("free"), plan("gold")]);
    let harness = Harness::new(document).await;
    harness.key(KEY, json!({"consumer": "acme"}));
    harness.key("gold", json!({"consumer": "globex", "plan": "gold"}));
    for (headers, plan) in [
        (&[("x-faregate-plan", "forged")][..], None),
        (&[("x-api-key", KEY)], Some("free")),
        (&[("x-api-key", "gold"), ("x-faregate-plan", "forged")], Some("gold")),
    ] {
        let answer = call(&harness, headers).await;
        assert_eq!((answer.status, answer.header("ratelimit-policy")), (200, Some("\"daily\";q=9;w=86400")));
        let sent = harness.outbound.requests().pop().expect("a request").headers;
        assert_eq!(sent.get("x-faregate-plan").map(|value| value.to_str().expect("text")), plan);
    }
}
