//! What an attacker must not achieve, shown on the real binary; numbers as in SECURITY.md.

use bytes::Bytes;
use faregate_engine::{
    ports::{ConfigStore, KeyAdmin, SnapshotStore},
    published::SnapshotHead,
};
use faregate_tests::{Answer, Backend, Stack, Stores};
use serde_json::{Value, json};

use super::support::{document, event, get, open_to, request};

fn refusal(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.json::<Value>().expect("a problem")["code"].clone())
}

/// 17: the switch lifts loopback, but never the Runtime API.
#[tokio::test]
async fn the_runtime_api_is_no_backend_in_any_spelling() {
    let stores = Stores::start().await.expect("tables");
    let driver = stores.gateway().expect("a driver").start().await.expect("a driver");
    let pid = driver.environments()[0].pid.expect("a process");
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).expect("its environment");
    let runtime_api = environment.split('\0').find_map(|line| line.strip_prefix("AWS_LAMBDA_RUNTIME_API="));
    let (_, port) = runtime_api.expect("the variable").rsplit_once(':').expect("a port");
    let hosts = ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"];
    let backends: Vec<Value> = (0..)
        .zip(hosts)
        .map(|(number, host): (u32, &str)| json!({"id": format!("b{number}"), "targets": [{"url": format!("http://{host}:{port}")}]}))
        .collect();
    let routes: Vec<Value> = (0..hosts.len())
        .map(|number| {
            json!({"id": format!("r{number}"), "match": [{"path": {"prefix": format!("/{number}")}}],
                   "authenticate": "anonymous", "forward": {"backend": format!("b{number}"), "path": "strip_prefix"}})
        })
        .collect();
    stores.apply(&json!({"backends": backends, "routes": routes})).await.expect("applied");
    for (number, host) in hosts.iter().enumerate() {
        let path = format!("/{number}/2018-06-01/runtime/invocation/next");
        let raw = driver.invoke(&event(&path)).await.expect("an answer");
        assert_eq!(raw.json().expect("a prelude")["statusCode"], 502, "{host}");
    }
    let refused = driver.log_lines().iter().filter(|line| line.text.contains("the address is refused")).count();
    assert_eq!(refused, hosts.len());
}

/// 12: host and address of the edge count only behind its secret.
#[tokio::test]
async fn the_edge_is_believed_by_its_secret_alone() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let backend = Backend::echo("b").await.expect("a backend");
    let mut document = document(&backend, &json!({"hosts": ["shop.example.com"]}));
    document["settings"]["edge"] = json!({"secret": {"values": [{"inline": SECRET}]}});
    let stack = Stack::start(&document).await.expect("a stack");
    let through = |secret: &str| {
        let request =
            request("GET", "/").header("x-faregate-edge", secret).header("x-faregate-host", "shop.example.com");
        request.header("x-faregate-client-address", "203.0.113.9").body(Bytes::new()).expect("a request")
    };
    let seen = stack.send(through(SECRET)).await.expect("an answer").seen().expect("an echo");
    assert_eq!(seen.header("x-forwarded-for").as_deref(), Some("203.0.113.9"));
    assert_eq!(seen.header("x-forwarded-host").as_deref(), Some("shop.example.com"));
    assert!(!seen.headers.iter().any(|(_, value)| value.contains(SECRET)));
    let answer = stack.send(through("0123456789abcdef0123456789abcdeX")).await.expect("an answer");
    assert_eq!(refusal(&answer), (403, json!("access_denied")));
    assert_eq!(refusal(&stack.send(get("/")).await.expect("an answer")), (403, json!("access_denied")));
    assert_eq!(backend.seen().len(), 1);
    assert!(!stack.driver().log_lines().iter().any(|line| line.text.contains(SECRET)));
}

/// 2: sizes come before work.
#[tokio::test]
async fn what_is_too_large_never_reaches_a_backend() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = Stack::start(&document(&backend, &json!({"access": {"body_bytes_max": 10}}))).await.expect("a stack");
    let long_path = format!("/{}", "a".repeat(9000));
    assert_eq!(
        refusal(&stack.send(get(&long_path)).await.expect("an answer")),
        (431, json!("request_headers_too_large"))
    );
    let heavy = request("GET", "/").header("x-large", "a".repeat(33_000)).body(Bytes::new()).expect("a request");
    assert_eq!(refusal(&stack.send(heavy).await.expect("an answer")), (431, json!("request_headers_too_large")));
    let body = request("POST", "/").body(Bytes::from_static(b"eleven byte")).expect("a request");
    assert_eq!(refusal(&stack.send(body).await.expect("an answer")), (413, json!("request_too_large")));
    assert!(backend.seen().is_empty());
}

/// 3, 10, 14, 16: protocol switches, identity in visible ASCII, `private`, redirects of backends.
#[tokio::test]
async fn backends_cannot_switch_protocols_or_send_the_gateway_elsewhere() {
    let backend = Backend::serve("b", async |seen| {
        let answer = http::Response::builder();
        let answer = match &*seen.path {
            "/switch" => answer.status(101).header("upgrade", "h2c").header("connection", "upgrade"),
            _ => answer.status(302).header("location", "http://169.254.169.254/"),
        };
        answer.body(faregate_tests::full("")).expect("an answer")
    });
    let backend = backend.await.expect("a backend");
    let stack = Stack::start(&document(&backend, &json!({"authenticate": "api_key"}))).await.expect("a stack");
    let hash = faregate_core::api_key::KeyHash::of(b"secret");
    let item = json!({"key_hash": hash.as_str(), "consumer": "caf\u{e9} \u{1F600}"});
    stack.stores().keys().create(item.as_object().cloned().expect("an item")).await.expect("created");
    let call = |path: &str| request("GET", path).header("x-api-key", "secret").body(Bytes::new()).expect("a request");

    let answer = stack.send(call("/switch")).await.expect("an answer");
    assert_eq!(refusal(&answer), (502, json!("backend_failed")));
    let answer = stack.send(call("/away")).await.expect("an answer");
    assert_eq!((answer.status.as_u16(), answer.header("location").as_deref()), (302, Some("http://169.254.169.254/")));
    assert_eq!(answer.header("cache-control").as_deref(), Some("private"));
    let seen = backend.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].header("x-faregate-consumer").as_deref(), Some("caf%C3%A9%20%F0%9F%98%80"));
}

/// 15: no computed path of a redirect begins with `//`, which a browser takes for another host.
#[tokio::test]
async fn a_redirect_never_leads_to_another_host() {
    let redirect = |id: &str, path: Value, redirect: Value| json!({"id": id, "match": [{"path": path}], "authenticate": "anonymous", "redirect": {"path": redirect}});
    let document = json!({"routes": [
        redirect("strip", json!({"prefix": "/strip"}), json!("strip_prefix")),
        redirect("slash", json!({"prefix": "/slash"}), json!({"replace_prefix": "/"})),
        redirect("rest", json!("/rest/{rest+}"), json!({"replace": "/{rest}"})),
        redirect("regex", json!({"regex": "/regex(?P<rest>.*)"}), json!({"replace": "/{rest}"})),
    ]});
    let stack = Stack::start(&document).await.expect("a stack");
    for route in ["strip", "slash", "rest", "regex"] {
        for (rest, path) in [
            ("/evil.example", "/evil.example"),
            ("//evil.example", "/evil.example"),
            ("///evil.example/%2e%2e//x", "/x"),
            ("/%2Fevil.example", "/%2Fevil.example"),
            ("/%2f%2fevil.example", "/%2F%2Fevil.example"),
            ("/.//evil.example", "/evil.example"),
        ] {
            let answer = stack.send(get(&format!("/{route}{rest}"))).await.expect("an answer");
            let location = answer.header("location").unwrap_or_else(|| panic!("{route} {rest}: {}", answer.text()));
            assert_eq!(
                (answer.status.as_u16(), &*location),
                (302, &*format!("https://api.example.com{path}")),
                "{route}{rest}"
            );
        }
    }
}

/// 23: a backend that falls silent in the middle of an answer ends it, by `idle_ms` or by `stream_ms`.
#[tokio::test]
async fn a_backend_that_falls_silent_ends_the_stream() {
    use http_body_util::{BodyExt, StreamBody};
    let backend = Backend::serve("b", async |_| {
        let first = futures_util::stream::iter([Ok::<_, std::io::Error>(hyper::body::Frame::data(
            Bytes::from_static(b"first"),
        ))]);
        let body =
            StreamBody::new(futures_util::StreamExt::chain(first, futures_util::stream::pending())).boxed_unsync();
        http::Response::new(body)
    });
    let backend = backend.await.expect("a backend");
    for (timeouts, cause) in [(json!({"idle_ms": 80}), "idle_timeout"), (json!({"stream_ms": 80}), "stream_timeout")] {
        let mut document = open_to(&backend);
        document["backends"][0]["timeouts"] = timeouts;
        let stack = Stack::start(&document).await.expect("a stack");
        let raw = stack.driver().invoke(&event("/")).await.expect("an answer");
        let failure = raw.failure().expect("trailers");
        assert!(failure.error_type.contains(cause), "{failure:?}");
        assert_eq!(raw.body, "first");
    }
}

/// 26: a corrupt chunk, met on a cold start.
#[tokio::test]
async fn a_cold_start_passes_over_a_corrupt_snapshot() {
    let stores = Stores::start().await.expect("tables");
    let answering =
        |body: &str| json!({"routes": [{"id": "r", "authenticate": "anonymous", "respond": {"body": body}}]});
    stores.apply(&answering("one")).await.expect("applied");
    stores.apply(&answering("two")).await.expect("applied");
    let head: SnapshotHead = stores.config().current(true).await.expect("a store").expect("a head");
    stores.config().put_chunk(&head.hash, 0, Bytes::from_static(b"rubbish")).await.expect("written");
    let driver = stores.gateway().expect("a driver").start().await.expect("a driver");
    assert_eq!(driver.invoke(&event("/")).await.expect("an answer").body, "one");
    driver.wait_for_log(|line| line.text.contains("SnapshotRejected")).await.expect("a metric");
    // The schedule's publisher mends it.
    stores.publish().await.expect("published");
    let driver = stores.gateway().expect("a driver").start().await.expect("a driver");
    assert_eq!(driver.invoke(&event("/")).await.expect("an answer").body, "two");
}
