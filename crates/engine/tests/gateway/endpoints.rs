//! Forward auth: an endpoint says who calls, and is asked no more and no less than it should be.

use std::time::Duration;

use faregate_engine::{
    body::full,
    fakes::FakeOutbound,
    gateway::{Incoming, Peer},
    ports::OutboundError,
};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::support::{Answer, Harness, KEY, forwarding, request};

const ENDPOINT: &str = "https://sso.example.com";

async fn call(harness: &Harness, headers: &[(&str, &str)]) -> Answer {
    harness.send(request("GET", "https://h/path?q=1", headers)).await
}

/// How often the endpoint was asked.
fn asked(harness: &Harness) -> usize {
    harness.outbound.requests().iter().filter(|sent| sent.origin == ENDPOINT).count()
}

/// Passes everybody as `bob`.
fn passing() -> FakeOutbound {
    FakeOutbound::answering(|request| {
        let mut answer = Response::new(full(""));
        if request.origin == ENDPOINT {
            answer.headers_mut().insert("x-consumer", HeaderValue::from_static("bob"));
        }
        Ok(answer)
    })
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
        if request.origin != ENDPOINT {
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
    let send = async |method: &str, target: &str, headers: &[(&str, &str)]| {
        assert_eq!(harness.send(request(method, target, headers)).await.status, 200);
        asked(&harness)
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
    harness.clock.advance(Duration::from_secs(30));
    assert_eq!(send("GET", "https://h/1", &both).await, 11);
}

/// SECURITY.md 9: each endpoint has its own say, though all that it is told is the same.
#[tokio::test]
async fn what_one_endpoint_said_is_no_answer_of_another() {
    let endpoint = |id: &str| json!({"forward_auth": {"id": id, "url": format!("{ENDPOINT}/{id}"), "send": ["cookie"], "consumer_header": "x-consumer", "cache_seconds": 60}});
    let outbound = FakeOutbound::answering(|request| {
        let answer = Response::builder().header("x-consumer", "bob");
        // The second one knows nobody but alice.
        let refuses = request.path_and_query == "/two" && request.headers["cookie"] != "alice";
        Ok(answer.status(if refuses { 403 } else { 200 }).body(full("")).expect("an answer"))
    });
    let both = json!({"authenticate": {"all_of": [endpoint("one"), endpoint("two")]}});
    let harness = Harness::with_outbound(forwarding(both), outbound).await;
    let paths = || {
        let requests = harness.outbound.requests();
        let asked = requests.iter().filter(|sent| sent.origin == ENDPOINT);
        asked.map(|sent| sent.path_and_query.clone()).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        assert_eq!(call(&harness, &[("cookie", "alice")]).await.status, 200);
        assert_eq!(paths(), ["/one", "/two"]);
    }
    assert_eq!(harness.last_record().consumer.as_deref(), Some("forward_auth:one:bob"));
    for _ in 0..2 {
        assert_eq!(call(&harness, &[("cookie", "mallory")]).await.status, 403);
    }
    assert_eq!(paths()[2..], ["/one", "/two", "/two"], "a refusal is not remembered");
}

#[tokio::test]
async fn in_any_of_it_is_asked_only_of_requests_with_a_header_that_it_gets() {
    let endpoint = json!({"forward_auth": {"id": "sso", "url": ENDPOINT, "send": ["cookie", "x-session"], "consumer_header": "x-consumer"}});
    let outbound = || {
        FakeOutbound::answering(|request| {
            let is_bad = request.headers.get("cookie").is_some_and(|cookie| cookie == "bad");
            let answer = Response::builder().status(if is_bad { 401 } else { 200 });
            Ok(answer.header("x-consumer", "bob").body(full("")).expect("an answer"))
        })
    };
    let any_of = json!({"authenticate": {"any_of": ["api_key", endpoint, "anonymous"]}});
    let any = Harness::with_outbound(forwarding(any_of), outbound()).await;
    let all_of = json!({"authenticate": {"all_of": ["api_key", endpoint]}});
    let all = Harness::with_outbound(forwarding(all_of), outbound()).await;
    let (key, bob) = (Some("acme"), Some("forward_auth:sso:bob"));
    for (harness, headers, status, consumer, times) in [
        (&any, &[][..], 200, None, 0),
        (&any, &[("x-other", "1")], 200, None, 0),
        (&any, &[("x-api-key", KEY)], 200, key, 0),
        (&any, &[("cookie", "c")], 200, bob, 1),
        (&any, &[("x-session", "")], 200, bob, 1),
        (&any, &[("x-api-key", KEY), ("cookie", "c")], 200, key, 1),
        (&any, &[("x-api-key", KEY), ("cookie", "bad")], 401, None, 1),
        (&any, &[("cookie", "bad")], 401, None, 1),
        (&any, &[("x-api-key", "wrong"), ("cookie", "c")], 401, None, 0),
        // Where all are needed it is asked, whatever the request has.
        (&all, &[("x-api-key", KEY)], 200, key, 1),
        (&all, &[("x-api-key", KEY), ("cookie", "c")], 200, key, 1),
        (&all, &[("x-api-key", KEY), ("cookie", "bad")], 401, None, 1),
        (&all, &[("cookie", "c")], 401, None, 0),
    ] {
        harness.key(KEY, json!({"consumer": "acme"}));
        let before = asked(harness);
        assert_eq!(call(harness, headers).await.status, status, "{headers:?}");
        let found = harness.last_record().consumer;
        assert_eq!((found.as_deref(), asked(harness) - before), (consumer, times), "{headers:?}");
    }
}

/// A consumer that is too long is a broken answer of the endpoint: no fault of the client's, and nobody passes.
#[tokio::test]
async fn a_consumer_over_256_bytes_passes_nobody() {
    let longest = 256 - "forward_auth:sso:".len();
    for (length, status) in [(longest, 200), (longest + 1, 503)] {
        let outbound = FakeOutbound::answering(move |_| {
            let answer = Response::builder().header("x-consumer", "x".repeat(length));
            Ok(answer.body(full("")).expect("an answer"))
        });
        let harness = Harness::with_outbound(asking(json!({"cache_seconds": 60})), outbound).await;
        for _ in 0..2 {
            assert_eq!(call(&harness, &[("cookie", "c")]).await.status, status, "{length}");
        }
        if status == 503 {
            let record = harness.last_record();
            assert_eq!(record.cause.as_deref(), Some("forward_auth sso: it named a consumer of impossible length"));
            assert_eq!((record.consumer, asked(&harness)), (None, 2), "it is asked again, and no backend at all");
            assert_eq!(harness.outbound.requests().len(), 2);
        }
    }
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

/// The endpoint cannot tell hidden keys apart, so that what it said of one counts for the others.
#[tokio::test]
async fn a_key_that_is_hidden_from_the_backend_is_hidden_from_the_endpoint() {
    let endpoint = json!({"forward_auth": {"id": "sso", "url": ENDPOINT, "send": ["cookie"], "consumer_header": "x-consumer", "cache_seconds": 60}});
    for (hide_credentials, query, told, times) in [
        (true, "a=1&k=one&b=%20&a", "/path?a=1&b=%20&a", 1),
        (true, "k=one", "/path", 1),
        (false, "a=1&k=one", "/path?a=1&k=one", 2),
    ] {
        let key = json!({"api_key": {"header": "", "query": "k", "hide_credentials": hide_credentials}});
        let all_of = json!({"authenticate": {"all_of": [key, endpoint]}});
        let harness = Harness::with_outbound(forwarding(all_of), passing()).await;
        for key in ["one", "two"] {
            harness.key(key, json!({"consumer": "acme"}));
            let target = format!("https://h/path?{}", query.replace("one", key));
            assert_eq!(harness.send(request("GET", &target, &[("cookie", "c")])).await.status, 200, "{target}");
        }
        assert_eq!(harness.outbound.requests()[0].headers["x-forwarded-uri"], told, "{query}");
        assert_eq!(asked(&harness), times, "{query}");
    }
}

#[tokio::test]
async fn credentials_are_judged_in_the_invocations_time() {
    let harness = Harness::with_outbound(asking(json!({"timeout_ms": 30_000})), FakeOutbound::hanging()).await;
    let incoming = Incoming {
        request: Ok(request("GET", "https://h/", &[("cookie", "c")])),
        peer: Peer::default(),
        remaining: Some(Duration::from_millis(300)),
    };
    assert_eq!(harness.gateway.handle(incoming).await.response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn it_is_asked_each_time_unless_the_route_says_otherwise_and_as_it_says() {
    let harness = Harness::with_outbound(asking(json!({"method": "POST"})), passing()).await;
    for _ in 0..2 {
        assert_eq!(call(&harness, &[("cookie", "c")]).await.status, 200);
    }
    assert_eq!(asked(&harness), 2);
    let methods = harness.outbound.requests();
    assert_eq!(methods.iter().map(|sent| sent.method.as_str()).collect::<Vec<_>>(), ["POST", "GET", "POST", "GET"]);
}

#[tokio::test]
async fn a_new_snapshot_forgets_what_was_remembered() {
    let document = || asking(json!({"cache_seconds": 60}));
    let harness = Harness::with_outbound(document(), passing()).await;
    let send = async || assert_eq!(call(&harness, &[("cookie", "c")]).await.status, 200);
    send().await;
    harness.clock.advance(Duration::from_secs(10));
    send().await;
    send().await;
    assert_eq!(asked(&harness), 1);
    let mut other = document();
    other["backends"][0]["description"] = json!("another one");
    harness.publish(other).await;
    harness.clock.advance(Duration::from_secs(10));
    // The first request looks for a new snapshot beside it.
    send().await;
    assert_eq!(asked(&harness), 1);
    send().await;
    send().await;
    assert_eq!(asked(&harness), 2);
}

#[tokio::test(start_paused = true)]
async fn who_is_not_reached_or_not_in_time_passes_nobody() {
    let hanging = FakeOutbound::hanging();
    let unreachable = FakeOutbound::answering(|_| Err(OutboundError::Connect("refused".to_owned())));
    for (outbound, waits, cause) in [
        (hanging, Duration::from_millis(700), "forward_auth sso: no answer in time"),
        (unreachable, Duration::ZERO, "forward_auth sso: no connection: refused"),
    ] {
        let harness = Harness::with_outbound(asking(json!({"timeout_ms": 700, "cache_seconds": 60})), outbound).await;
        let headers = [("cookie", "c")];
        for _ in 0..2 {
            let started = Instant::now();
            let answer = call(&harness, &headers).await;
            assert_eq!((answer.status, answer.code().as_str()), (503, "dependency_unavailable"), "{cause}");
            assert_eq!((started.elapsed(), harness.last_record().cause.as_deref()), (waits, Some(cause)));
        }
        assert_eq!(harness.outbound.requests().len(), 2, "nothing is remembered, and no backend asked");
    }
}

#[tokio::test]
async fn what_is_not_visible_ascii_is_passed_on_encoded() {
    let said = |consumer: &'static [u8], user: &'static [u8]| {
        FakeOutbound::answering(move |request| {
            let mut answer = Response::new(full(""));
            if request.origin == ENDPOINT {
                answer.headers_mut().insert("x-consumer", HeaderValue::from_bytes(consumer).expect("a value"));
                answer.headers_mut().insert("x-user", HeaderValue::from_bytes(user).expect("a value"));
            }
            Ok(answer)
        })
    };
    for (consumer, user, proven, copied) in [
        ("Zoë".as_bytes(), "Zoë Smith 1%".as_bytes(), "forward_auth:sso:Zo%C3%AB", "Zo%C3%AB%20Smith%201%25"),
        (b"bob\xC2\xA0", b"Zo\xEB", "forward_auth:sso:bob%C2%A0", "Zo%EB"),
        // What is visible already, and blanks, go on as they are.
        (b"bob 1%", b"Bob Smith 1%", "forward_auth:sso:bob%201%25", "Bob Smith 1%"),
        (b"bob", b"a\tb", "forward_auth:sso:bob", "a%09b"),
    ] {
        let harness = Harness::with_outbound(asking(json!({})), said(consumer, user)).await;
        assert_eq!(call(&harness, &[("cookie", "c")]).await.status, 200, "{proven}");
        let sent = harness.outbound.requests().pop().expect("a request").headers;
        assert_eq!(sent["x-faregate-consumer"], proven);
        assert_eq!(sent["x-user"], copied);
    }
    // A name that is no text is nobody's.
    let harness = Harness::with_outbound(asking(json!({})), said(b"Zo\xEB", b"")).await;
    assert_eq!(call(&harness, &[("cookie", "c")]).await.code(), "dependency_unavailable");
    let cause = harness.last_record().cause;
    assert_eq!(cause.as_deref(), Some("forward_auth sso: it named a consumer that is no UTF-8"));
}
