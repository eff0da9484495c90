//! Secrets, one of each sort, and every place that others read: none shows there (SECURITY.md 11, 12).
//!
//! All of them are used, for good and for bad: a place stays clean although somebody had the secret in hand.

use std::{collections::BTreeMap, process::Stdio};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use faregate_core::api_key::KeyHash;
use faregate_engine::{
    ports::{ConfigStore, ConfigWriter, KeyAdmin, SnapshotStore, StoredEntry},
    published::unpack,
};
use faregate_testing::driver::DriverBuilder;
use faregate_tests::{Backend, Minted, Stack, Stores, binary, full, mint};
use http::{Request, Response, request::Builder};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

use super::support::{document, request};

const KEY_IN_HEADER: &str = "canary-key-in-header-7c1e";
const KEY_IN_QUERY: &str = "canary-key-in-query-93b2";
const KEY_AS_BEARER: &str = "canary-key-as-bearer-d05f";
const KEY_UNKNOWN: &str = "canary-key-unknown-41aa";
const OPAQUE_TOKEN: &str = "canary-opaque-token-e8d7";
const OPAQUE_TOKEN_UNANSWERED: &str = "canary-opaque-token-unanswered-5b60";
const CLIENT_SECRET: &str = "canary-client-secret-2f9c";
const EDGE_SECRET: &str = "canary-edge-secret-a611-0123456789abcdef";
const EDGE_SECRET_WRONG: &str = "canary-edge-secret-wrong-0123456789abcdef";
const ASKED_TOKEN: &str = "canary-forward-auth-0d3e";
const ASKED_TOKEN_UNANSWERED: &str = "canary-forward-auth-unanswered-b7f4";
const PRIVATE_HEADER: &str = "canary-private-header-66c0";
const COOKIE: &str = "canary-cookie-1b9d";
const REQUEST_BODY: &str = "canary-request-body-c3e8";
const ANSWER_BODY: &str = "canary-answer-body-f20a";
const HALF_READ_SECRET: &str = "canary-half-read-secret-9e57";
const INLINE_SECRET: &str = "canary-inline-secret-08d1-0123456789abcdef";
const MISPLACED_SECRET: &str = "canary-misplaced-secret-3ac6";

const KEYS: [&str; 3] = [KEY_IN_HEADER, KEY_IN_QUERY, KEY_AS_BEARER];

/// Each secret by what it is; of a token its claims and its signature.
fn secrets(minted: &Minted) -> Vec<(&'static str, String)> {
    let token = &minted.tokens["good: HS256"].token;
    let mut parts = token.split('.').skip(1).map(str::to_owned);
    let mut secrets = vec![
        ("the claims of a JWT", parts.next().expect("claims")),
        ("the signature of a JWT", parts.next().expect("a signature")),
        ("the secret of an issuer", minted.secret.clone()),
        ("the client's Basic authentication", STANDARD.encode(format!("gateway:{CLIENT_SECRET}"))),
    ];
    let canaries = [
        ("a key in a header", KEY_IN_HEADER),
        ("a key in the query", KEY_IN_QUERY),
        ("a key as a bearer token", KEY_AS_BEARER),
        ("a key that nobody has", KEY_UNKNOWN),
        ("an opaque token", OPAQUE_TOKEN),
        ("an opaque token about which no answer comes", OPAQUE_TOKEN_UNANSWERED),
        ("the client's secret of introspection", CLIENT_SECRET),
        ("the edge's secret", EDGE_SECRET),
        ("what is not the edge's secret", EDGE_SECRET_WRONG),
        ("a header that is asked about", ASKED_TOKEN),
        ("a header about which no answer comes", ASKED_TOKEN_UNANSWERED),
        ("a header that is redacted", PRIVATE_HEADER),
        ("a cookie", COOKIE),
        ("a request's body", REQUEST_BODY),
        ("an answer's body", ANSWER_BODY),
        ("a secret of which half an answer came", HALF_READ_SECRET),
        ("a secret that stands in the document", INLINE_SECRET),
        ("a secret in a place of its own", MISPLACED_SECRET),
    ];
    secrets.extend(canaries.map(|(name, canary)| (name, canary.to_owned())));
    secrets
}

/// What others read.
#[derive(Default)]
struct Places(BTreeMap<&'static str, Vec<String>>);

impl Places {
    fn add(&mut self, place: &'static str, texts: impl IntoIterator<Item = String>) {
        self.0.entry(place).or_default().extend(texts);
    }

    /// No secret in any of them, as it is or in base64; none of them empty.
    fn are_clean_of(&self, secrets: &[(&str, String)]) {
        for (place, texts) in &self.0 {
            assert!(texts.iter().any(|text| !text.is_empty()), "{place}: nothing was looked at");
            for (name, secret) in secrets {
                let forms = [secret.clone(), STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret)];
                let found = texts.iter().find(|text| forms.iter().any(|form| text.contains(&**form)));
                assert!(found.is_none(), "{place}: {name} in {}", found.expect("found"));
            }
        }
    }
}

/// SSM, of which one parameter comes as half an answer.
async fn parameter_store(minted: &Minted) -> Backend {
    let values = BTreeMap::from([
        ("/faregate/edge".to_owned(), EDGE_SECRET.to_owned()),
        ("/faregate/shared".to_owned(), minted.secret.clone()),
        ("/faregate/client".to_owned(), CLIENT_SECRET.to_owned()),
    ]);
    let serving = Backend::serve("ssm", move |seen| {
        let asked: Value = serde_json::from_slice(&seen.body).expect("JSON");
        let name = asked["Name"].as_str().expect("a name");
        let body = match values.get(name) {
            Some(value) => json!({"Parameter": {"Name": name, "Type": "SecureString", "Value": value}}).to_string(),
            None => format!("{{\"Parameter\": {{\"Value\": \"{HALF_READ_SECRET}\""),
        };
        std::future::ready(
            Response::builder().header("content-type", "application/x-amz-json-1.1").body(full(body)).expect("it"),
        )
    });
    serving.await.expect("SSM")
}

/// Whom the gateway asks about tokens: `/introspect` and `/ask`, which fail and repeat what they were asked.
async fn authority() -> Backend {
    let serving = Backend::serve("authority", async |seen| {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        let asked = seen.header("x-asked").unwrap_or_default();
        let answer = Response::builder();
        let answer = match &*seen.path {
            _ if body.contains(OPAQUE_TOKEN_UNANSWERED) || asked == ASKED_TOKEN_UNANSWERED => {
                return answer.status(500).body(full(format!("{CLIENT_SECRET} {body} {asked}"))).expect("an answer");
            }
            "/introspect" => answer.body(full(json!({"active": true, "sub": "alice"}).to_string())),
            _ => answer.header("x-user", "bob").body(full("")),
        };
        answer.expect("an answer")
    });
    serving.await.expect("an authority")
}

/// A route for each sort of credential; every header with a secret is one that lines have.
fn canary_document(backend: &Backend, authority: &Backend) -> Value {
    // By what a caller sends, too: what a counter is called by is a secret here.
    let by = |id: &str, header: &str| json!({"id": id, "limit": 100, "per": "day", "by": ["key", {"header": header}]});
    let limits = json!([by("private", "x-private"), by("asked", "x-asked"), by("token", "authorization")]);
    let route = |id: &str, authenticate: Value| {
        json!({"id": id, "match": [{"path": {"exact": format!("/{id}")}}], "authenticate": authenticate,
               "forward": {"backend": "b"}, "access": {"body_bytes_max": 100}, "limits": limits})
    };
    let issuer = |id: &str, more: (&str, Value)| {
        let mut issuer = json!({"id": id, "issuer": format!("https://{id}.example")});
        if more.0 == "secret" {
            issuer["audiences"] = json!(["orders"]);
        }
        issuer[more.0] = more.1;
        issuer
    };
    let client = json!({"id": "gateway", "secret": {"ssm": "/faregate/client"}});
    let introspection = json!({"url": format!("{}/introspect", authority.url()), "client": client});
    let asked = json!({"id": "asked", "url": format!("{}/ask", authority.url()), "send": ["x-asked"], "consumer_header": "x-user"});
    let mut document = document(backend, &json!({}));
    document["settings"] = json!({
        "refresh_seconds": 1,
        "edge": {"secret": {"values": [{"ssm": "/faregate/edge"}]}},
        "metrics": {"sink": "emf", "per_route": true},
        "access_log": {"sample": 1, "query": true, "redact": ["x-private"], "headers": [
            "authorization", "cookie", "x-key", "x-asked", "x-private", "x-faregate-edge", "user-agent"]},
    });
    document["issuers"] = json!([
        issuer("shared", ("secret", json!({"ssm": "/faregate/shared"}))),
        issuer("half", ("secret", json!({"ssm": "/faregate/half"}))),
        issuer("opaque", ("introspection", introspection)),
    ]);
    document["routes"] = json!([
        route("keyed", json!({"api_key": {"header": "x-key", "query": "key"}})),
        route("bearer", json!({"api_key": {"header": "authorization", "scheme": "Bearer"}})),
        route("token", json!({"jwt": {"issuers": ["shared"]}})),
        route("half", json!({"jwt": {"issuers": ["half"]}})),
        route("opaque", json!({"jwt": {"issuers": ["opaque"]}})),
        route("asked", json!({"forward_auth": asked})),
        route("open", json!("anonymous")),
    ]);
    document
}

/// Behind the edge.
fn through_edge(target: &str) -> Builder {
    let request = request("POST", target).header("x-faregate-edge", EDGE_SECRET);
    request.header("x-faregate-host", "api.example.com").header("x-faregate-client-address", "203.0.113.9")
}

/// Each request with the status of its answer.
fn requests(minted: &Minted) -> Vec<(Request<Bytes>, u16)> {
    let token = &minted.tokens["good: HS256"].token;
    let (head, signature) = token.rsplit_once('.').expect("a signature");
    // Of another issuer, whose secret comes in half an answer.
    let claims = json!({"iss": "https://half.example", "aud": "orders", "sub": "alice", "exp": 4_000_000_000_u64});
    let half = format!(
        "{}.{}.{signature}",
        head.split('.').next().expect("a head"),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let bearer = |target: &str, token: &str| through_edge(target).header("authorization", format!("Bearer {token}"));
    let asked = |token: &str| through_edge("/asked").header("x-asked", token);
    let with_body = |builder: Builder, body: &str| builder.body(Bytes::from(body.to_owned())).expect("a request");
    let rows = [
        (through_edge("/keyed").header("x-key", KEY_IN_HEADER), 200),
        (through_edge(&format!("/keyed?a=1&key={KEY_IN_QUERY}")), 200),
        (through_edge(&format!("/keyed?k%65y={KEY_IN_QUERY}")), 200),
        (through_edge("/keyed").header("x-key", KEY_UNKNOWN), 401),
        (through_edge(&format!("/keyed?key={KEY_UNKNOWN}")), 401),
        (through_edge(&format!("/none?key={KEY_IN_QUERY}")).header("x-key", KEY_IN_HEADER), 404),
        (bearer("/bearer", KEY_AS_BEARER), 200),
        (bearer("/bearer", KEY_UNKNOWN), 401),
        (bearer("/token", token), 200),
        (bearer("/token", &format!("{head}x.{signature}")), 401),
        (bearer("/half", &half), 503),
        (bearer("/opaque", OPAQUE_TOKEN), 200),
        (bearer("/opaque", OPAQUE_TOKEN_UNANSWERED), 503),
        (asked(ASKED_TOKEN), 200),
        (asked(ASKED_TOKEN_UNANSWERED), 503),
        (through_edge("/open").header("x-private", PRIVATE_HEADER).header("cookie", COOKIE), 200),
        (request("POST", "/open").header("x-faregate-edge", EDGE_SECRET_WRONG), 403),
    ];
    let mut requests: Vec<_> =
        rows.into_iter().map(|(builder, status)| (with_body(builder, REQUEST_BODY), status)).collect();
    requests.push((with_body(through_edge("/open"), &REQUEST_BODY.repeat(9)), 413));
    requests
}

/// What the publisher says of a configuration with secrets where none belong: its lines, and the status that it leaves.
async fn publisher_refuses(stores: &Stores, places: &mut Places) {
    for issuer in misplaced()["issuers"].as_array().expect("issuers") {
        let mut fields = issuer.as_object().cloned().expect("an object");
        let id = fields.remove("id").and_then(|id| id.as_str().map(str::to_owned)).expect("an id");
        let entry = StoredEntry { kind: "issuer".to_owned(), id, fields: Ok(fields) };
        stores.config().put_entry(&entry).await.expect("written");
    }
    let publisher = stores.function("publisher").expect("a driver").start().await.expect("a driver");
    publisher.invoke(&json!({})).await.expect("an answer");
    publisher.wait_until_idle().await.expect("idle");
    places.add("the publisher's lines", publisher.log_lines().into_iter().map(|line| line.text));
    let status = stores.config().status().await.expect("a store").expect("a status");
    assert!(status.refused && status.count >= 2, "{status:?}");
    places.add("the status", [serde_json::to_string(&status).expect("JSON")]);
}

/// What the tables hold that the gateway and the publisher write.
async fn tables(stores: &Stores, places: &mut Places) {
    let head = stores.config().current(true).await.expect("a store").expect("a head");
    let chunks = stores.config().chunks(&head.hash).await.expect("chunks");
    let content = unpack(&head, &chunks).expect("a snapshot");
    places.add("the snapshot", [String::from_utf8(content).expect("JSON")]);
    let names = stores.tables();
    for (place, table) in [("the items beside it", &names.config), ("the counters", &names.usage)] {
        let scan = stores.dynamodb().call("Scan", &json!({"TableName": table})).await.expect("items");
        // Users write the others.
        let is_written =
            |item: &&Value| !["issuer", "backend", "route", "settings"].iter().any(|kind| item["kind"]["S"] == *kind);
        let items = scan["Items"].as_array().expect("items");
        places.add(place, items.iter().filter(is_written).map(ToString::to_string));
    }
}

/// Issuers with secrets where none belong.
fn misplaced() -> Value {
    let issuer = |id: &str, secret: Value| json!({"id": id, "issuer": format!("https://{id}.example"), "audiences": ["a"], "secret": secret});
    json!({"issuers": [issuer("inline", json!({"inline": INLINE_SECRET})), issuer("misplaced", json!(MISPLACED_SECRET))]})
}

/// What `faregate` prints, on both of its streams, as text and as JSON, of a command with this input.
async fn printed(stores: &Stores, command: &[&str], input: &str, code: i32, places: &mut Places) {
    let tables = stores.tables();
    for format in [&[][..], &["--json"]] {
        let mut child = Command::new(binary("faregate").expect("built: cargo build -p faregate-cli"))
            .args(["--endpoint-url", &stores.dynamodb().endpoint(), "--config-table", &tables.config])
            .args(["--keys-table", &tables.keys, "--usage-table", &tables.usage])
            .args(format)
            .args(command)
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_REGION", "eu-central-1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        // Commands that take no input may have ended by now.
        drop(child.stdin.take().expect("a pipe").write_all(input.as_bytes()).await);
        let output = child.wait_with_output().await.expect("an end");
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text")).concat();
        assert_eq!(output.status.code(), Some(code), "{command:?}: {text}");
        places.add("what the command line prints", [text]);
    }
}

/// The commands that see secrets, or whose files hold some.
async fn command_line(stores: &Stores, minted: &Minted, places: &mut Places) {
    let misplaced = misplaced().to_string();
    let hash = KeyHash::of(KEY_IN_HEADER.as_bytes());
    let explain = |path: &'static str| ["explain", "POST", path, "-H"];
    let (key, bearer) =
        (format!("x-key: {KEY_IN_HEADER}"), format!("authorization: Bearer {}", minted.tokens["good: HS256"].token));
    let with = |path: &'static str, more: &[&'static str]| [&["explain", "POST", path], more].concat();
    let rows: [(Vec<&str>, &str, i32); 11] = [
        (vec!["export"], "", 1),
        (vec!["validate", "-"], &misplaced, 3),
        (vec!["diff", "-"], &misplaced, 3),
        (vec!["apply", "-"], &misplaced, 3),
        (vec!["status"], "", 3),
        (vec!["key", "list"], "", 0),
        (vec!["key", "show", &hash.as_str()[..12]], "", 0),
        (vec!["usage", "--cost"], "", 0),
        ([&explain("/keyed")[..], &[&key]].concat(), "", 0),
        (with("/keyed", &["--key-stdin"]), KEY_IN_HEADER, 0),
        ([&explain("/token")[..], &[&bearer]].concat(), "", 0),
    ];
    for (command, input, code) in rows {
        printed(stores, &command, input, code, places).await;
    }
}

#[tokio::test]
async fn no_secret_shows_anywhere() {
    let minted = mint().expect("tokens");
    let backend = Backend::serve("b", async |_| Response::new(full(ANSWER_BODY))).await.expect("a backend");
    let (store, authority) = (parameter_store(&minted).await, authority().await);
    let endpoint = store.url();
    let document = canary_document(&backend, &authority);
    let start = |driver: DriverBuilder| driver.env("AWS_ENDPOINT_URL_SSM", &endpoint).env("FAREGATE_LOG", "debug");
    let stack = Stack::start_with(&document, start).await.expect("a stack");
    for key in KEYS {
        let item = json!({"key_hash": KeyHash::of(key.as_bytes()).as_str(), "consumer": "acme"});
        assert!(stack.stores().keys().create(item.as_object().cloned().expect("an item")).await.expect("a table"));
    }
    let mut places = Places::default();
    for (request, status) in requests(&minted) {
        let shown = format!("{} {:?}", request.uri(), request.headers());
        let answer = stack.send(request).await.expect("an answer");
        assert_eq!(answer.status.as_u16(), status, "{shown}: {}", answer.text());
        if status >= 400 {
            places.add("problems", [format!("{:?} {}", answer.headers, answer.text())]);
        } else {
            assert_eq!(answer.text(), ANSWER_BODY);
        }
    }
    stack.driver().wait_until_idle().await.expect("idle");
    // The last metrics leave with the environment.
    stack.driver().shutdown().await;
    for line in stack.driver().log_lines() {
        let json: Value = serde_json::from_str(&line.text).unwrap_or_else(|error| panic!("{error}: {}", line.text));
        let place = match (json["type"].as_str(), json["_aws"].is_object()) {
            (Some("request"), _) => "access lines",
            (Some("metric"), _) => "warning lines",
            (_, true) => "metric lines",
            _ => "other lines",
        };
        places.add(place, [line.text]);
    }
    printed(stack.stores(), &["export"], "", 0, &mut places).await;
    printed(stack.stores(), &["diff", "-"], &document.to_string(), 0, &mut places).await;
    publisher_refuses(stack.stores(), &mut places).await;
    tables(stack.stores(), &mut places).await;
    command_line(stack.stores(), &minted, &mut places).await;

    // Whoever should have a secret had it.
    let asked: Vec<String> =
        authority.seen().iter().map(|seen| format!("{:?} {:?}", seen.headers, seen.body)).collect();
    for used in [OPAQUE_TOKEN, OPAQUE_TOKEN_UNANSWERED, ASKED_TOKEN, ASKED_TOKEN_UNANSWERED] {
        assert!(asked.iter().any(|seen| seen.contains(used)), "{used}");
    }
    assert!(asked.iter().any(|seen| seen.contains(&STANDARD.encode(format!("gateway:{CLIENT_SECRET}")))), "{asked:?}");
    let forwarded: Vec<String> =
        backend.seen().iter().map(|seen| format!("{:?} {:?}", seen.headers, seen.body)).collect();
    for used in [PRIVATE_HEADER, COOKIE, REQUEST_BODY] {
        assert!(forwarded.iter().any(|seen| seen.contains(used)), "{used}");
    }
    let expected = [
        "access lines",
        "metric lines",
        "other lines",
        "problems",
        "the counters",
        "the items beside it",
        "the publisher's lines",
        "the snapshot",
        "the status",
        "warning lines",
        "what the command line prints",
    ];
    assert_eq!(places.0.keys().copied().collect::<Vec<_>>(), expected);
    places.are_clean_of(&secrets(&minted));
}
