//! Documents and requests of these tests.

use std::time::Duration;

use bytes::Bytes;
use faregate_tests::Backend;
use http::{Request, request::Builder};
use serde_json::{Value, json};
use tokio::time::{Interval, MissedTickBehavior};

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

/// When to ask again for what is not there yet: soon, and yet leaving the machine to what makes it.
pub(crate) fn again() -> Interval {
    let mut again = tokio::time::interval(Duration::from_millis(20));
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    again
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
