//! Documents and requests of these tests.

use bytes::Bytes;
use faregate_tests::{Backend, Stack, again};
use http::{Request, request::Builder};
use serde_json::{Value, json};

/// One backend under every path, for anybody.
pub(crate) fn open_to(backend: &Backend) -> Value {
    document(backend, &json!({}))
}

/// The same with other fields of the route.
pub(crate) fn document(backend: &Backend, fields: &Value) -> Value {
    let mut route = json!({"id": "all", "authenticate": "anonymous", "forward": {"backend": "b"}});
    for (name, value) in fields.as_object().expect("an object") {
        route[name] = value.clone();
    }
    json!({
        "settings": {"refresh_seconds": 1},
        "backends": [{"id": "b", "targets": [{"url": backend.url()}]}],
        "routes": [route],
    })
}

/// Asks for a path until the answer is this.
pub(crate) async fn serves(stack: &Stack, path: &str, body: &str) {
    let mut again = again();
    for _ in 0..2000 {
        again.tick().await;
        if stack.send(get(path)).await.expect("an answer").text() == body {
            return;
        }
    }
    panic!("{path} never served {body}");
}

pub(crate) fn request(method: &str, target: &str) -> Builder {
    Request::builder().method(method).uri(target).header("host", "api.example.com")
}

pub(crate) fn get(target: &str) -> Request<Bytes> {
    request("GET", target).body(Bytes::new()).expect("a request")
}

/// A function URL's event for a GET of `path`.
pub(crate) fn event(path: &str) -> Value {
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "abc.lambda-url.eu-central-1.on.aws"},
        "requestContext": {
            "domainName": "abc.lambda-url.eu-central-1.on.aws",
            "stage": "$default",
            "routeKey": "$default",
            "http": {"method": "GET", "path": path, "sourceIp": "192.0.2.1"},
        },
        "isBase64Encoded": false,
    })
}
