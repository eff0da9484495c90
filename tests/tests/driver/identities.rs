//! Who is calling, and what of that no client can say itself.

use bytes::Bytes;
use faregate_core::api_key::KeyHash;
use faregate_engine::ports::KeyAdmin;
use faregate_testing::issuer::SigningKey;
use faregate_tests::{Answer, Backend, Stack, again, full};
use futures_util::{StreamExt, stream};
use http::{Request, Response, request::Builder};
use serde_json::{Value, json};

use super::support::{document, request};

fn issuer(id: &str, key: &SigningKey) -> Value {
    json!({"id": id, "issuer": format!("https://{id}.example"), "audiences": ["a"], "jwks": {"inline": key.jwks()}})
}

fn bearer(id: &str, key: &SigningKey) -> String {
    let exp = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs() + 3600;
    let claims = json!({"iss": format!("https://{id}.example"), "aud": "a", "sub": "acme", "exp": exp});
    format!("Bearer {}", key.token(&claims).expect("a token"))
}

async fn add_key(stack: &Stack, key: &str, item: Value) {
    let mut item = item.as_object().cloned().expect("an item");
    item.insert("key_hash".to_owned(), json!(KeyHash::of(key.as_bytes()).as_str()));
    assert!(stack.stores().keys().create(item).await.expect("a table"));
}

/// 6: a key's `acme` and two issuers' `acme` are three.
#[tokio::test]
async fn consumers_of_keys_and_issuers_are_never_one() {
    let backend = Backend::echo("b").await.expect("a backend");
    let (one, two) = (SigningKey::es256("k").expect("a key"), SigningKey::es256("k").expect("a key"));
    let any = json!({"any_of": ["api_key", {"jwt": {"issuers": ["issuer-a", "issuer-b"]}}]});
    let mut document = document(&backend, &json!({"authenticate": any}));
    document["issuers"] = json!([issuer("issuer-a", &one), issuer("issuer-b", &two)]);
    let stack = Stack::start(&document).await.expect("a stack");
    add_key(&stack, "secret", json!({"consumer": "acme"})).await;
    let consumer = async |name: &str, value: &str| {
        let sent = request("GET", "/").header(name, value).body(Bytes::new()).expect("a request");
        let answer = stack.send(sent).await.expect("an answer");
        answer.seen().and_then(|seen| seen.header("x-faregate-consumer"))
    };
    assert_eq!(consumer("x-api-key", "secret").await.as_deref(), Some("acme"));
    assert_eq!(consumer("authorization", &bearer("issuer-a", &one)).await.as_deref(), Some("issuer-a:acme"));
    assert_eq!(consumer("authorization", &bearer("issuer-b", &two)).await.as_deref(), Some("issuer-b:acme"));
    // One issuer's key signs for no other issuer.
    assert_eq!(consumer("authorization", &bearer("issuer-b", &one)).await, None);
    assert_eq!(consumer("authorization", &bearer("issuer-a", &two)).await, None);
}

/// 5: an identity header of one route is no client's to send on any other, in any spelling.
#[tokio::test]
async fn identity_headers_cross_no_route_in_any_spelling() {
    let backend = Backend::echo("b").await.expect("a backend");
    let key = SigningKey::es256("k").expect("a key");
    let mut document = document(&backend, &json!({}));
    let jwt = json!({"jwt": {"issuers": ["main"], "forward_claims": {"x-user-id": "sub"}}});
    let asked = json!({"forward_auth": {"id": "sso", "url": "https://sso.example", "consumer_header": "x-a", "copy": ["x-team"]}});
    let metadata = json!({"api_key": {"forward_metadata": {"x-tier": "tier"}}});
    let route = |id: &str, authenticate: Value| json!({"id": id, "match": [{"path": {"exact": format!("/{id}")}}], "authenticate": authenticate, "forward": {"backend": "b"}});
    let routes = document["routes"].as_array_mut().expect("routes");
    routes.extend([route("jwt", jwt), route("asked", asked), route("metadata", metadata)]);
    document["issuers"] = json!([issuer("main", &key)]);
    let stack = Stack::start(&document).await.expect("a stack");
    let names = ["x-user-id", "x-team", "x-a", "x-tier", "x-faregate-consumer", "x-faregate-scopes", "x-faregate-plan"];
    let mut sent = request("GET", "/open").header("x-kept", "1");
    for name in names {
        sent = sent.header(name, "forged").header(name, "twice").header(name.to_uppercase(), "again");
        for folded in ["_", ".", "~"] {
            sent = sent.header(name.replace('-', folded), "forged");
        }
    }
    let answer = stack.send(sent.body(Bytes::new()).expect("a request")).await.expect("an answer");
    let seen = answer.seen().expect("an echo");
    assert_eq!(seen.header("x-kept").as_deref(), Some("1"));
    let forged: Vec<_> =
        seen.headers.iter().filter(|(_, value)| ["forged", "twice", "again"].contains(&&**value)).collect();
    assert!(forged.is_empty(), "{forged:?}");

    // Nor does one slip through beside a spelling that the client nominates away.
    let spellings = ["x-user-id", "X_User_Id", "x.user~id", "x_user-id"];
    for nominated in spellings {
        let mut sent = request("GET", "/open").header("connection", format!("close, {nominated}, x-faregate-consumer"));
        for spelling in spellings {
            sent = sent.header(spelling, "forged").header(spelling, "twice");
        }
        sent =
            sent.header("x-faregate-consumer", "forged").header("x.faregate.consumer", "again").header("x-kept", "1");
        let answer = stack.send(sent.body(Bytes::new()).expect("a request")).await.expect("an answer");
        let seen = answer.seen().expect("an echo");
        assert_eq!(seen.header("x-kept").as_deref(), Some("1"));
        let forged: Vec<_> =
            seen.headers.iter().filter(|(_, value)| ["forged", "twice", "again"].contains(&&**value)).collect();
        assert!(forged.is_empty(), "{nominated}: {forged:?}");
    }

    // Nominated away by the client, and sent twice: the backend gets the gateway's own, once.
    let sent = request("GET", "/jwt").header("authorization", bearer("main", &key));
    let sent = sent.header("connection", "x-user-id, x-faregate-consumer, authorization").header("x-user-id", "forged");
    let answer = stack.send(sent.body(Bytes::new()).expect("a request")).await.expect("an answer");
    let seen = answer.seen().expect("an echo");
    assert_eq!(seen.values("x-user-id"), ["acme"]);
    assert_eq!(seen.values("x-faregate-consumer"), ["main:acme"]);
    assert_eq!(seen.values("x-faregate-credential"), ["jwt:main:acme"]);
}

/// 13: the principal comes from the event's own field.
#[tokio::test]
async fn an_iam_principal_is_a_consumer_without_its_session() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = Stack::start(&document(&backend, &json!({"authenticate": "iam"}))).await.expect("a stack");
    for (arn, consumer) in [
        ("arn:aws:iam::123456789012:user/ops", "iam:arn:aws:iam::123456789012:user/ops"),
        ("arn:aws:sts::123456789012:assumed-role/Deploy/run-1", "iam:arn:aws:sts::123456789012:assumed-role/Deploy"),
        ("arn:aws:sts::123456789012:assumed-role/Deploy/run-2", "iam:arn:aws:sts::123456789012:assumed-role/Deploy"),
    ] {
        let sent = request("GET", "/").header("x-driver-iam-arn", arn).body(Bytes::new()).expect("a request");
        let seen = stack.send(sent).await.expect("an answer").seen().expect("an echo");
        assert_eq!(seen.header("x-faregate-consumer").as_deref(), Some(consumer));
        assert_eq!(seen.header("x-faregate-credential"), Some(format!("iam:{arn}")));
    }
    let sent = request("GET", "/").header("x-faregate-consumer", "iam:arn:aws:iam::1:user/u");
    let answer = stack.send(sent.body(Bytes::new()).expect("a request")).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 401);
    assert!(answer.header("www-authenticate").expect("a challenge").starts_with("AWS4-HMAC-SHA256"));
}

/// 9: an endpoint's answer counts for exactly what it was asked about.
#[tokio::test]
async fn no_cached_answer_of_an_endpoint_serves_another_request() {
    let backend = Backend::echo("b").await.expect("a backend");
    let endpoint = Backend::serve("sso", |seen| async move {
        let answer = Response::builder();
        let answer = match seen.header("x-user").filter(|user| user != "mallory") {
            Some(user) => answer.header("x-consumer", user),
            None => answer.status(401).header("www-authenticate", "Sso"),
        };
        answer.body(full("")).expect("an answer")
    })
    .await
    .expect("an endpoint");
    let asked = |id: &str| {
        json!({"forward_auth": {"id": id, "url": endpoint.url(), "consumer_header": "x-consumer",
                                "send": ["x-user", "x-tenant"], "cache_seconds": 60}})
    };
    let mut document = document(&backend, &json!({"authenticate": asked("sso")}));
    let other = json!({"id": "other", "match": [{"headers": [{"name": "x-route", "exact": "other"}]}],
                       "authenticate": asked("other"), "forward": {"backend": "b"}});
    document["routes"].as_array_mut().expect("routes").push(other);
    let stack = Stack::start(&document).await.expect("a stack");
    let send = async |mut sent: Builder, headers: &[(&str, &str)]| {
        for (name, value) in headers {
            sent = sent.header(*name, *value);
        }
        stack.send(sent.body(Bytes::new()).expect("a request")).await.expect("an answer")
    };
    let consumer = |answer: &Answer| answer.seen().and_then(|seen| seen.header("x-faregate-consumer"));
    let call = async |target: &str, headers: &[(&str, &str)]| {
        let answer = send(request("GET", target), headers).await;
        (answer.status.as_u16(), answer.header("www-authenticate"), consumer(&answer))
    };
    let passed = |name: &str| (200, None, Some(format!("forward_auth:sso:{name}")));
    for _ in 0..3 {
        assert_eq!(call("/a", &[("x-user", "alice"), ("x-tenant", "1")]).await, passed("alice"));
    }
    assert_eq!(endpoint.seen().len(), 1, "cached");
    // Nobody gets an answer that was given about somebody or something else.
    assert_eq!(call("/a", &[("x-user", "mallory"), ("x-tenant", "1")]).await, (401, Some("Sso".to_owned()), None));
    assert_eq!(call("/a", &[("x-user", "alice1"), ("x-tenant", "")]).await, passed("alice1"));
    assert_eq!(call("/a", &[("x-user", "bob"), ("x-tenant", "1")]).await, passed("bob"));
    assert_eq!(call("/b", &[("x-user", "alice"), ("x-tenant", "1")]).await, passed("alice"));
    assert_eq!(call("/a", &[("x-user", "alice")]).await, passed("alice"));
    assert_eq!(call("/a", &[("x-user", "alice")]).await, passed("alice"));
    assert_eq!(endpoint.seen().len(), 7, "a missing header is never cached");
    // Neither does the same client with another method, at another host, or by another policy.
    let alice = [("x-user", "alice"), ("x-tenant", "1")];
    let by_another = [("x-route", "other"), alice[0], alice[1]];
    let elsewhere = Request::get("/a").header("host", "other.example.com");
    for (number, (sent, headers, id)) in [
        (request("POST", "/a"), &alice[..], "sso"),
        (elsewhere, &alice[..], "sso"),
        (request("GET", "/a"), &by_another[..], "other"),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = send(sent, headers).await;
        assert_eq!(consumer(&answer), Some(format!("forward_auth:{id}:alice")), "{}", answer.text());
        assert_eq!(endpoint.seen().len(), 8 + number, "{headers:?} by {id}");
    }
    // Nor after a new snapshot, whatever that one changed.
    document["settings"]["expose_version"] = json!(true);
    stack.stores().apply(&document).await.expect("applied");
    let (mut again, mut answers) = (again(), 0);
    loop {
        again.tick().await;
        let answer = send(request("GET", "/a"), &alice).await;
        assert_eq!(consumer(&answer).as_deref(), Some("forward_auth:sso:alice"));
        if answer.header("x-faregate-config").is_some() {
            break;
        }
        assert_eq!(endpoint.seen().len(), 10, "cached until then");
        answers += 1;
        assert!(answers < 1000, "the change never served");
    }
    assert_eq!(endpoint.seen().len(), 11, "the first request that it decides is asked about");
}

/// 30: tokens verified at once in one environment, first and repeated, are never mixed up.
#[tokio::test(flavor = "multi_thread")]
async fn with_many_tokens_in_one_environment_every_backend_call_has_its_own_consumer() {
    const TOKENS: usize = 200;
    const TIMES: usize = 10;
    const AT_ONCE: usize = 20;
    let backend = Backend::echo("b").await.expect("a backend");
    let key = SigningKey::es256("k").expect("a key");
    let mut document = document(&backend, &json!({"authenticate": {"jwt": {"issuers": ["main"]}}}));
    document["issuers"] = json!([issuer("main", &key)]);
    let stack = Stack::start_with(&document, |driver| driver.concurrency(AT_ONCE)).await.expect("a stack");
    let exp = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs() + 3600;
    let token = |number: usize| {
        let claims = json!({"iss": "https://main.example", "aud": "a", "sub": format!("user-{number}"), "exp": exp});
        key.token(&claims).expect("a token")
    };
    let tokens: Vec<String> = (0..TOKENS).map(token).collect();
    let calls = stream::iter(0..TOKENS * TIMES).map(|call| {
        let number = call % TOKENS;
        let sent = request("GET", &format!("/{number}")).header("authorization", format!("Bearer {}", tokens[number]));
        let sent = stack.send(sent.body(Bytes::new()).expect("a request"));
        async move { (number, sent.await.expect("an answer").seen().expect("an echo")) }
    });
    for (number, seen) in calls.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
        assert_eq!(seen.header("x-faregate-consumer"), Some(format!("main:user-{number}")));
        assert_eq!(seen.path, format!("/{number}"));
    }
}
