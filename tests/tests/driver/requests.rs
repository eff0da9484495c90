use bytes::Bytes;
use faregate_engine::ports::KeyAdmin;
use faregate_tests::{Backend, Stack};
use serde_json::json;

use super::support::{document, get, open_to, request};

#[tokio::test]
async fn repeated_headers_and_cookies_go_both_ways() {
    let backend = Backend::serve("b", async |_| {
        http::Response::builder()
            .header("x-many", "1")
            .header("x-many", "2")
            .header("x-latin", http::HeaderValue::from_bytes(b"caf\xe9").expect("a value"))
            .header("set-cookie", "a=1; Path=/")
            .header("set-cookie", "b=2, 3")
            .body(faregate_tests::full("ok"))
            .expect("an answer")
    })
    .await
    .expect("a backend");
    let stack = Stack::start(&open_to(&backend)).await.expect("a stack");
    let sent = request("GET", "/a%2Fb/../c?x=%2f&x=2")
        .header("x-many", "1")
        .header("x-many", "2")
        .header("cookie", "s=1")
        .header("cookie", "t=2")
        .body(Bytes::new())
        .expect("a request");
    let answer = stack.send(sent).await.expect("an answer");
    assert_eq!(answer.header("x-many").as_deref(), Some("1, 2"));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2, 3"]);
    assert_eq!(answer.headers["x-latin"].as_bytes(), b"caf\xe9");

    let seen = backend.seen().pop().expect("a request");
    assert_eq!((seen.path.as_str(), seen.query.as_deref()), ("/c", Some("x=%2f&x=2")));
    assert_eq!(seen.header("x-many").as_deref(), Some("1,2"));
    assert_eq!(seen.header("cookie").as_deref(), Some("s=1; t=2"));
    assert_eq!(seen.header("x-forwarded-proto").as_deref(), Some("https"));
}

#[tokio::test]
async fn four_megabytes_of_any_bytes_arrive_unchanged() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = Stack::start(&open_to(&backend)).await.expect("a stack");
    let body: Bytes = (0..4_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let sent = request("POST", "/upload").header("content-type", "application/octet-stream").body(body.clone());
    let answer = stack.send(sent.expect("a request")).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 200);
    let seen = backend.seen().pop().expect("a request");
    assert!(seen.body == body);
    assert_eq!(seen.header("content-length").as_deref(), Some("4000000"));
}

/// What the platform takes at most is 6 MB of JSON: as text, 4.5 MB are less.
#[tokio::test]
async fn a_route_that_says_nothing_of_it_takes_bodies_of_four_and_a_half_megabytes() {
    const BYTES_MAX: usize = 4_500_000;
    let backend = Backend::serve("b", async |_| http::Response::new(faregate_tests::full("taken")));
    let backend = backend.await.expect("a backend");
    let stack = Stack::start(&open_to(&backend)).await.expect("a stack");
    for (bytes, status) in [(BYTES_MAX, 200), (BYTES_MAX + 1, 413)] {
        let sent = request("POST", "/upload").header("content-type", "text/plain").body("x".repeat(bytes).into());
        let answer = stack.send(sent.expect("a request")).await.expect("an answer");
        assert_eq!(answer.status.as_u16(), status, "{bytes}");
        // And not the driver, which would refuse too large an event in the same way.
        let refused = answer.json::<serde_json::Value>().is_ok_and(|problem| problem["code"] == "request_too_large");
        assert_eq!(refused, status == 413, "{bytes}: {}", answer.text());
    }
    let seen: Vec<usize> = backend.seen().iter().map(|seen| seen.body.len()).collect();
    assert_eq!(seen, [BYTES_MAX]);
}

#[tokio::test]
async fn identity_is_set_by_the_gateway_alone_whatever_the_client_sends() {
    let backend = Backend::echo("b").await.expect("a backend");
    let mut document = document(&backend, &json!({"authenticate": "api_key"}));
    let routes = document["routes"].as_array_mut().expect("routes");
    routes.push(json!({"id": "open", "match": [{"path": {"prefix": "/open"}}], "authenticate": "anonymous", "forward": {"backend": "b"}}));
    let stack = Stack::start(&document).await.expect("a stack");
    let hash = faregate_core::api_key::KeyHash::of(b"secret");
    let item = json!({"key_hash": hash.as_str(), "consumer": "acme"});
    assert!(stack.stores().keys().create(item.as_object().cloned().expect("an item")).await.expect("a store"));

    let with_key = request("GET", "/a").header("x-api-key", "secret").header("x-faregate-consumer", "root");
    let answer = stack.send(with_key.body(Bytes::new()).expect("a request")).await.expect("an answer");
    let seen = answer.seen().expect("an echo");
    assert_eq!(seen.values("x-faregate-consumer"), ["acme"]);
    assert!(seen.header("x-faregate-credential").expect("a credential").starts_with("key:"));
    assert_eq!(seen.header("x-api-key"), None);

    let forged = request("GET", "/open")
        .header("x-faregate-consumer", "root")
        .header("x-faregate-consumer", "admin")
        .header("X_Faregate_Consumer", "root")
        .header("x-faregate-plan", "gold")
        .header("connection", "x-faregate-credential")
        .header("x-faregate-credential", "key:0")
        .header("x-forwarded-user", "root")
        .header("forwarded", "for=10.0.0.1")
        .body(Bytes::new());
    let answer = stack.send(forged.expect("a request")).await.expect("an answer");
    let seen = answer.seen().expect("an echo");
    let names: Vec<_> = seen.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    assert!(
        !names.iter().any(|name| name.contains("faregate") || name == "forwarded" || name == "x-forwarded-user"),
        "{names:?}"
    );

    for (target, status) in [("/a", 401), ("/open/x", 200)] {
        assert_eq!(stack.send(get(target)).await.expect("an answer").status.as_u16(), status);
    }
}

#[tokio::test]
async fn what_cannot_be_a_request_is_a_problem_and_the_environment_lives_on() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = Stack::start(&open_to(&backend)).await.expect("a stack");
    for target in ["/a/..%2f..%2fetc", "/%00", "/a/%252e%252e/b", "/..;/x", "/a/../../b", "/%zz"] {
        let answer = stack.send(get(target)).await.expect("an answer");
        assert_eq!(answer.status.as_u16(), 400, "{target}");
        assert_eq!(answer.json::<serde_json::Value>().expect("a problem")["code"], "request_invalid");
    }
    for event in [json!(null), json!([]), json!({"rawPath": 7}), json!({"version": "2.0"}), json!("x")] {
        let raw = stack.driver().invoke(&event).await.expect("an answer");
        let head: serde_json::Value = raw.json().expect("an answer in one piece");
        assert_eq!(head["statusCode"], 400, "{event}");
    }
    let raw = stack.driver().invoke_bytes(&b"{\"rawPath\": \"/\xff"[..]).await.expect("an answer");
    assert_eq!(raw.json().expect("an answer")["statusCode"], 400);
    assert!(backend.seen().is_empty());
    assert_eq!(stack.send(get("/fine")).await.expect("an answer").status.as_u16(), 200);
    assert_eq!(stack.driver().environments()[0].exits, 0);
}
