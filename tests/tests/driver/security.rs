//! What an attacker must not achieve, shown on the real binary; numbers as in SECURITY.md.

use bytes::Bytes;
use faregate_engine::{
    ports::{ConfigStore, KeyAdmin, SnapshotStore},
    published::{DOCUMENT_BYTES_MAX, SnapshotHead},
};
use faregate_tests::{Answer, Backend, Seen, Stack, Stores};
use serde_json::{Value, json};

use super::support::{document, event, get, open_to, request};

fn refusal(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.json::<Value>().expect("a problem")["code"].clone())
}

/// Asserts that an event is no request, for the front of the driver makes only proper ones.
async fn assert_invalid(stack: &Stack, event: &Value) {
    let raw = stack.driver().invoke(event).await.expect("an answer");
    assert_eq!(raw.json().expect("a prelude")["statusCode"], 400, "{event}");
    let problem: Value = serde_json::from_slice(&raw.body).expect("a problem");
    assert_eq!(problem["code"], "request_invalid", "{event}");
}

/// What the echo backend got of an event.
async fn seen(stack: &Stack, event: &Value) -> Seen {
    let raw = stack.driver().invoke(event).await.expect("an answer");
    serde_json::from_slice(&raw.body).unwrap_or_else(|_| panic!("{event}: {raw:?}"))
}

/// 1: path, query, host and scheme are the event's own, whatever its headers say.
#[tokio::test]
async fn no_header_leads_a_request_elsewhere() {
    const HOST: &str = "abc.lambda-url.eu-central-1.on.aws";
    let backend = Backend::echo("b").await.expect("a backend");
    let mut document = document(&backend, &json!({"match": [{"path": "/open"}]}));
    let routes = document["routes"].as_array_mut().expect("routes");
    routes.extend([
        json!({"id": "admin", "match": [{"path": {"prefix": "/admin"}}], "authenticate": "anonymous", "respond": {}}),
        json!({"id": "moved", "match": [{"path": "/moved"}], "authenticate": "anonymous",
               "redirect": {"path": {"replace": "/there"}}}),
    ]);
    let stack = Stack::start(&document).await.expect("a stack");
    for proto in ["https://h/admin?x=", "http://h/admin#", "//h/admin", "http, https", "HTTP", "ftp", "http://[", ""] {
        let mut sent = event("/open");
        for (name, value) in [
            ("x-forwarded-proto", proto),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-port", "80"),
            ("x-forwarded-prefix", "/admin"),
            ("forwarded", "host=evil.example;proto=http"),
            ("x-original-url", "/admin"),
            ("x-rewrite-url", "/admin"),
        ] {
            sent["headers"][name] = json!(value);
        }
        let seen = seen(&stack, &sent).await;
        assert_eq!((&*seen.path, seen.query.as_deref()), ("/open", None), "{proto}");
        assert_eq!(seen.values("x-forwarded-proto"), ["https"], "{proto}");
        assert_eq!(seen.values("x-forwarded-host"), [HOST], "{proto}");
        sent["rawPath"] = json!("/moved");
        let raw = stack.driver().invoke(&sent).await.expect("an answer");
        let location = &raw.json().expect("a prelude")["headers"]["location"];
        assert_eq!(*location, format!("https://{HOST}/there"), "{proto}");
    }
}

/// 1: what is no host is a 400 with a record, and the environment lives on.
#[tokio::test]
async fn what_is_no_host_is_refused_and_recorded() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = Stack::start(&open_to(&backend)).await.expect("a stack");
    // No more than leave a line in any second.
    let hosts = ["", "a@b", "user:word@b", "a b", "a/b", "a?b", "a#b", "a:b", "a:99999", "[::1"];
    for host in hosts {
        let mut sent = event("/");
        sent["headers"]["host"] = json!(host);
        assert_invalid(&stack, &sent).await;
    }
    assert!(backend.seen().is_empty());
    stack.driver().wait_until_idle().await.expect("idle");
    let lines = stack.driver().log_lines();
    let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
    assert_eq!(lines.filter(|line| line["type"] == "request" && line["status"] == 400).count(), hosts.len());
    assert_eq!(&*seen(&stack, &event("/")).await.path, "/");
    assert_eq!(stack.driver().environments()[0].exits, 0);
}

/// 3: what contradicts itself is refused, and nothing of a client's that frames a message or switches protocols crosses.
#[tokio::test]
async fn no_framing_of_a_clients_reaches_a_backend() {
    const BODY: &str = "eleven byte";
    const DROPPED: [(&str, &str); 6] = [
        ("transfer-encoding", "chunked"),
        ("te", "trailers"),
        ("trailer", "x-last"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABkAAQAAP__"),
        ("expect", "100-continue"),
    ];
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = Stack::start(&open_to(&backend)).await.expect("a stack");
    let posted = || {
        let mut event = event("/");
        event["requestContext"]["http"]["method"] = json!("POST");
        event["body"] = json!(BODY);
        event
    };
    for length in ["5", "12", "11, 11", "+11", "-11", "0x0b", ""] {
        let mut sent = posted();
        sent["headers"]["content-length"] = json!(length);
        assert_invalid(&stack, &sent).await;
    }
    for method in ["CONNECT", "TRACE", "trace"] {
        let mut sent = posted();
        sent["requestContext"]["http"]["method"] = json!(method);
        assert_invalid(&stack, &sent).await;
    }
    assert!(backend.seen().is_empty());
    let nominated = "upgrade, http2-settings, te, host, authorization, content-length, content-type";
    for connection in [None, Some(nominated)] {
        let mut sent = posted();
        for (name, value) in DROPPED.into_iter().chain(connection.map(|names| ("connection", names))) {
            sent["headers"][name] = json!(value);
        }
        for (name, value) in [("content-length", "11"), ("content-type", "text/plain"), ("authorization", "Basic YTpi")]
        {
            sent["headers"][name] = json!(value);
        }
        let seen = seen(&stack, &sent).await;
        for (name, _) in DROPPED.into_iter().chain([("connection", "")]) {
            assert_eq!(seen.header(name), None, "{name}");
        }
        assert_eq!((&seen.body[..], seen.values("content-length")), (BODY.as_bytes(), vec!["11"]));
        assert_eq!(
            (seen.values("content-type"), seen.values("authorization")),
            (vec!["text/plain"], vec!["Basic YTpi"])
        );
    }
}

/// 4: what a rewrite puts together out of captured pieces leads out of nothing.
#[tokio::test]
async fn captured_pieces_that_join_into_a_dot_segment_are_refused() {
    let backend = Backend::echo("b").await.expect("a backend");
    let rewritten = |id: &str, regex: &str, path: &str| {
        json!({"id": id, "match": [{"path": {"regex": regex}}], "authenticate": "anonymous",
               "forward": {"backend": "b", "path": {"replace": path}}})
    };
    let mut document = open_to(&backend);
    document["routes"] = json!([
        rewritten("climbs", "/files/(?<folder>[^/_]+)_(?<name>.+)", "/public/{folder}/{name}"),
        rewritten("joins", "/join/(?<one>[^/-]*)-(?<two>[^/]*)", "/x/{one}{two}/y"),
    ]);
    let stack = Stack::start(&document).await.expect("a stack");
    for path in [
        "/files/.._admin",
        "/files/._admin",
        "/files/%2e%2e_admin",
        "/files/%252e%252e_admin",
        "/files/a_b/.%2e/..%2fc",
        "/join/.-.",
        "/join/.-",
        "/join/%2E-%2e",
        "/join/%252e-%252e",
        "/join/.-.;x",
        "/join/.-.%2fz",
        "/join/.-.%5cz",
    ] {
        assert_eq!(
            refusal(&stack.send(get(path)).await.expect("an answer")),
            (400, json!("request_invalid")),
            "{path}"
        );
    }
    assert!(backend.seen().is_empty());
    for (path, rewritten) in [("/files/..a_b", "/public/..a/b"), ("/join/a-b", "/x/ab/y"), ("/join/.-.a", "/x/..a/y")] {
        let answer = stack.send(get(path)).await.expect("an answer");
        assert_eq!(&*answer.seen().expect("an echo").path, rewritten, "{path}");
    }
}

/// 14: OPTIONS is a method like any other where a route has no `cors`; where it has, origins compare exactly.
#[tokio::test]
async fn origins_that_are_not_listed_and_null_are_allowed_nothing() {
    const LISTED: &str = "https://app.example.com";
    let backend = Backend::echo("b").await.expect("a backend");
    let route = |id: &str, fields: Value| {
        let mut route = json!({"id": id, "match": [{"path": format!("/{id}")}], "forward": {"backend": "b"}});
        for (name, value) in fields.as_object().expect("fields") {
            route[name] = value.clone();
        }
        route
    };
    let mut document = open_to(&backend);
    document["routes"] = json!([
        route("closed", json!({"authenticate": "api_key"})),
        route("one", json!({"authenticate": "anonymous", "cors": {"allow_origins": [LISTED]}})),
        route("any", json!({"authenticate": "anonymous", "cors": {"allow_origins": ["*"], "allow_credentials": true}})),
    ]);
    let stack = Stack::start(&document).await.expect("a stack");
    let preflight = |path: &str, origin: &str| {
        let request = request("OPTIONS", path).header("origin", origin).header("access-control-request-method", "GET");
        request.body(Bytes::new()).expect("a request")
    };
    let allowing = |answer: &Answer| {
        let names = answer.headers.keys().map(http::HeaderName::as_str);
        let names = names.filter(|name| name.starts_with("access-control-"));
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let refused = stack.send(preflight("/closed", LISTED)).await.expect("an answer");
    assert_eq!(refusal(&refused), (401, json!("credentials_missing")));
    assert_eq!(allowing(&refused), [""; 0]);
    assert_eq!(refused.header("cache-control").as_deref(), Some("no-store"));
    assert!(backend.seen().is_empty());
    for (path, origin) in [
        ("/one", "null"),
        ("/any", "null"),
        ("/one", "http://app.example.com"),
        ("/one", "https://app.example.com:8443"),
        ("/one", "https://app.example.com.evil.example"),
        ("/one", "https://evil-app.example.com"),
        ("/one", "https://evil.example/https://app.example.com"),
        ("/one", "https://app.example.com/"),
        ("/one", "https://app_example.com"),
        ("/one", ""),
    ] {
        let read = request("GET", path).header("origin", origin).body(Bytes::new()).expect("a request");
        for (sent, status) in [(preflight(path, origin), 204), (read, 200)] {
            let answer = stack.send(sent).await.expect("an answer");
            assert_eq!((answer.status.as_u16(), allowing(&answer)), (status, Vec::new()), "{path} from {origin}");
        }
    }
    for path in ["/one", "/any"] {
        let answer = stack.send(preflight(path, LISTED)).await.expect("an answer");
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(LISTED), "{path}");
    }
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

/// 16: neither backends nor AWS are asked through a proxy, whatever the environment names.
#[tokio::test]
async fn proxy_variables_change_nothing() {
    const DEAD: &str = "http://127.0.0.1:1";
    let backend = Backend::echo("b").await.expect("a backend");
    let named = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    let document = document(&backend, &json!({"authenticate": "api_key"}));
    let stack =
        Stack::start_with(&document, |driver| named.iter().fold(driver, |driver, name| driver.env(*name, DEAD))).await;
    let stack = stack.expect("a stack");
    let hash = faregate_core::api_key::KeyHash::of(b"secret");
    let item = json!({"key_hash": hash.as_str(), "consumer": "acme"});
    stack.stores().keys().create(item.as_object().cloned().expect("an item")).await.expect("created");
    let call = request("GET", "/").header("x-api-key", "secret").body(Bytes::new()).expect("a request");
    assert_eq!(stack.send(call).await.expect("an answer").status.as_u16(), 200);
    assert_eq!(backend.seen().len(), 1);
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

/// What became of the newest version.
#[derive(Clone, Copy, Debug)]
enum Damage {
    CorruptChunk,
    Bomb,
    NoChunk,
    NoCurrent,
}

impl Damage {
    async fn happen(self, stores: &Stores) {
        let head: SnapshotHead = stores.config().current(true).await.expect("a store").expect("a head");
        let chunk = match self {
            Self::CorruptChunk => Bytes::from_static(b"rubbish"),
            Self::Bomb => bomb(),
            Self::NoChunk => return stores.config().delete_chunks(&head.hash).await.expect("deleted"),
            Self::NoCurrent => {
                let key = json!({"kind": {"S": "snapshot"}, "id": {"S": "current"}});
                let delete = json!({"TableName": stores.tables().config, "Key": key});
                stores.dynamodb().call("DeleteItem", &delete).await.expect("deleted");
                return;
            }
        };
        stores.config().put_chunk(&head.hash, 0, chunk).await.expect("written");
    }
}

/// A zstd frame (RFC 8878 §3.1.1) that unpacks to more than any snapshot may have: blocks of one byte, repeated.
fn bomb() -> Bytes {
    const BLOCK_BYTES: usize = 128 * 1024;
    let blocks = DOCUMENT_BYTES_MAX / BLOCK_BYTES + 1;
    // The magic number; neither size nor checksum; a window of 1 MB.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50];
    for number in 1..=blocks {
        let header = (BLOCK_BYTES << 3) | (1 << 1) | usize::from(number == blocks);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(b' ');
    }
    frame.into()
}

/// 26: what is current does not load, and is met on a cold start.
#[tokio::test]
async fn a_cold_start_passes_over_a_corrupt_snapshot() {
    let answering =
        |body: &str| json!({"routes": [{"id": "r", "authenticate": "anonymous", "respond": {"body": body}}]});
    for (damage, newest_good, cause) in [
        (Damage::CorruptChunk, "one", "the snapshot cannot be decompressed"),
        (Damage::Bomb, "one", "it unpacks to more than 67108864 bytes"),
        (Damage::NoChunk, "one", "the snapshot has 0 of 1 chunks"),
        (Damage::NoCurrent, "two", "there is no current snapshot"),
    ] {
        let stores = Stores::start().await.expect("tables");
        stores.apply(&answering("one")).await.expect("applied");
        stores.apply(&answering("two")).await.expect("applied");
        damage.happen(&stores).await;
        let driver = stores.gateway().expect("a driver").start().await.expect("a driver");
        assert_eq!(driver.invoke(&event("/")).await.expect("an answer").body, newest_good, "{damage:?}");
        let metric = driver.wait_for_log(|line| line.text.contains("SnapshotRejected")).await.expect("a metric");
        assert!(metric.text.contains(cause), "{damage:?}: {}", metric.text);
        // The schedule's publisher mends it.
        stores.publish().await.expect("published");
        let driver = stores.gateway().expect("a driver").start().await.expect("a driver");
        assert_eq!(driver.invoke(&event("/")).await.expect("an answer").body, "two", "{damage:?}");
        let rejected = driver.log_lines().iter().any(|line| line.text.contains("SnapshotRejected"));
        assert!(!rejected, "{damage:?}");
    }
}
