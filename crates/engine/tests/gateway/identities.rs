//! Credentials of several kinds: combined, authorised, and passed on.

use faregate_engine::{body::full, fakes::FakeOutbound, gateway::Peer};
use faregate_testing::issuer::SigningKey;
use http::{Response, StatusCode};
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

fn asking(more: Value) -> Value {
    let mut asked = json!({
        "id": "sso", "url": "https://sso.example.com/check?a=b", "send": ["cookie"], "copy": ["x-user"], "consumer_header": "x-consumer",
    });
    for (name, value) in more.as_object().expect("fields") {
        asked[name] = value.clone();
    }
    forwarding(json!({"authenticate": {"forward_auth": asked}}))
}

#[tokio::test]
async fn an_endpoint_lets_pass_and_refuses_and_never_fails_open() {
    let outbound = FakeOutbound::answering(|request| {
        if request.origin != "https://sso.example.com" {
            return Ok(Response::new(full("hello")));
        }
        let cookie = request.headers.get("cookie").map(|value| value.to_str().expect("text").to_owned());
        let answer = match cookie.as_deref() {
            Some("good") => Response::builder()
                .status(204)
                .header("x-consumer", "bob")
                .header("x-user", "Bob")
                .header("x-other", "x"),
            Some("bad") => Response::builder().status(401).header("www-authenticate", "Cookie realm=\"sso\""),
            Some("denied") => Response::builder().status(403),
            Some("nobody") => Response::builder().status(200),
            Some("moved") => Response::builder().status(302).header("location", "https://login"),
            _ => Response::builder().status(500),
        };
        Ok(answer.body(full("")).expect("an answer"))
    });
    let harness = Harness::with_outbound(asking(json!({})), outbound).await;
    assert_eq!(call(&harness, &[("cookie", "good"), ("x-user", "forged"), ("x-secret", "1")]).await.status, 200);
    let requests = harness.outbound.requests();
    let asked = &requests[0];
    assert_eq!((asked.method.as_str(), asked.path_and_query.as_str()), ("GET", "/check?a=b"));
    for (name, value) in [
        ("cookie", "good"),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "h"),
        ("x-forwarded-uri", "/path?q=1"),
    ] {
        assert_eq!(asked.headers[name], value);
    }
    assert!(!asked.headers.contains_key("x-secret"));
    let sent = &requests[1].headers;
    assert_eq!(
        (&sent["x-faregate-consumer"], &sent["x-user"]),
        (&"forward_auth:sso:bob".parse().expect("a value"), &"Bob".parse().expect("a value"))
    );
    assert!(!sent.contains_key("x-other"));
    for (cookie, status, code, challenge) in [
        ("bad", 401, "credentials_invalid", Some("Cookie realm=\"sso\"")),
        ("denied", 403, "permission_denied", None),
        ("nobody", 503, "dependency_unavailable", None),
        ("moved", 503, "dependency_unavailable", None),
        ("other", 503, "dependency_unavailable", None),
    ] {
        let answer = call(&harness, &[("cookie", cookie)]).await;
        assert_eq!(
            (answer.status, answer.code().as_str(), answer.header("www-authenticate")),
            (status, code, challenge),
            "{cookie}"
        );
    }
    // Without any cookie it is asked all the same: it is the route's only credential.
    assert_eq!(call(&harness, &[]).await.status, 503);
}

#[tokio::test]
async fn an_answer_is_cached_for_exactly_what_was_asked() {
    let outbound = FakeOutbound::answering(|request| {
        let mut answer = Response::new(full(""));
        *answer.status_mut() = StatusCode::OK;
        if let Some(cookie) = request.headers.get("cookie") {
            answer.headers_mut().insert("x-consumer", cookie.clone());
        }
        Ok(answer)
    });
    let harness =
        Harness::with_outbound(asking(json!({"cache_seconds": 30, "send": ["cookie", "x-tenant"]})), outbound).await;
    let asked = || harness.outbound.requests().iter().filter(|sent| sent.origin == "https://sso.example.com").count();
    let send = async |method: &str, target: &str, headers: &[(&str, &str)]| {
        assert_eq!(harness.send(request(method, target, headers)).await.status, 200);
        asked()
    };
    let both = [("cookie", "a"), ("x-tenant", "t")];
    assert_eq!(send("GET", "https://h/1", &both).await, 1);
    assert_eq!(send("GET", "https://h/1", &both).await, 1);
    for (number, (method, target, headers)) in [
        ("POST", "https://h/1", &both[..]),
        ("GET", "https://g/1", &both),
        ("GET", "https://h/2", &both),
        ("GET", "https://h/1?x", &both),
        ("GET", "https://h/1", &[("cookie", "b"), ("x-tenant", "t")]),
        ("GET", "https://h/1", &[("cookie", "at"), ("x-tenant", "")]),
        ("GET", "https://h/1", &[("cookie", "a"), ("x-tenant", "t"), ("x-tenant", "t")]),
        // A missing header: never cached.
        ("GET", "https://h/1", &[("cookie", "a")]),
        ("GET", "https://h/1", &[("cookie", "a")]),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(send(method, target, headers).await, number + 2, "{method} {target} {headers:?}");
    }
    harness.clock.advance(std::time::Duration::from_secs(30));
    assert_eq!(send("GET", "https://h/1", &both).await, 11);
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
async fn an_endpoint_is_told_the_whole_uri_whatever_is_in_it() {
    let outbound = FakeOutbound::answering(|_| Ok(Response::builder().status(403).body(full("")).expect("an answer")));
    let harness = Harness::with_outbound(asking(json!({})), outbound).await;
    let mut asked = request("GET", "https://h/", &[("cookie", "c")]);
    *asked.uri_mut() = http::Uri::from_maybe_shared("https://h/admin?é".as_bytes()).expect("a URI");
    assert_eq!(harness.send(asked).await.status, 403);
    assert_eq!(harness.outbound.requests()[0].headers["x-forwarded-uri"], "/admin?%C3%A9");
}

#[tokio::test]
async fn credentials_are_judged_in_the_invocations_time() {
    let harness = Harness::with_outbound(asking(json!({"timeout_ms": 30_000})), FakeOutbound::hanging()).await;
    let incoming = faregate_engine::gateway::Incoming {
        request: Ok(request("GET", "https://h/", &[("cookie", "c")])),
        peer: Peer::default(),
        remaining: Some(std::time::Duration::from_millis(300)),
    };
    assert_eq!(harness.gateway.handle(incoming).await.response.status(), StatusCode::SERVICE_UNAVAILABLE);
}
