use faregate_engine::gateway::Peer;
use serde_json::json;

use super::support::{Harness, KEY, forwarding, request};

/// One request that every phase would refuse; mending one thing after the other shows who refuses next.
#[tokio::test]
async fn the_phases_refuse_in_the_order_of_the_contract() {
    let mut entries = forwarding(json!({
        "match": [{"path": "/a"}],
        "access": {"allow": ["203.0.113.0/24"], "body_bytes_max": 3},
        "authenticate": "api_key",
    }));
    entries["settings"] = json!({"edge": {"secret": {"values": [{"ssm": "/edge"}]}}});
    let harness = Harness::new(entries).await;
    harness.secrets.set("/edge", "0123456789abcdef0123456789abcdef");
    harness.key("limited", json!({"consumer": "acme", "routes": []}));
    harness.key(KEY, json!({"consumer": "acme"}));

    let edge = ("x-faregate-edge", "0123456789abcdef0123456789abcdef");
    let near = ("x-faregate-client-address", "203.0.113.1");
    let far = ("x-faregate-client-address", "198.51.100.1");
    let host = ("x-faregate-host", "h");
    let (small, large) = (&b"abc"[..], &b"abcd"[..]);
    for (path, headers, body, expected) in [
        ("/b", vec![], large, "access_denied"),
        ("/b", vec![edge, far, host], large, "route_not_found"),
        ("/a", vec![edge, far, host], large, "access_denied"),
        ("/a", vec![edge, near, host], large, "request_too_large"),
        ("/a", vec![edge, near, host], small, "credentials_missing"),
        ("/a", vec![edge, near, host, ("x-api-key", "wrong")], small, "credentials_invalid"),
        ("/a", vec![edge, near, host, ("x-api-key", "limited")], small, "access_denied"),
    ] {
        let request = request("POST", &format!("https://h{path}"), &headers).map(|_| body.into());
        let answer = harness.take(Ok(request), Peer::default()).await;
        assert_eq!(answer.code(), expected, "{path} {headers:?}");
        assert!(harness.outbound.requests().is_empty());
    }
    let whole = request("POST", "https://h/a", &[edge, near, host, ("x-api-key", KEY)]).map(|_| small.into());
    assert_eq!(harness.take(Ok(whole), Peer::default()).await.status, 200);
    assert_eq!(harness.telemetry.records().len(), 8);
}

#[tokio::test]
async fn whoever_may_not_takes_no_permit_and_whoever_has_none_asks_no_backend() {
    let harness = Harness::new(forwarding(json!({
        "authenticate": "api_key",
        "authorize": {"scopes": {"all": ["orders"]}},
        "limits": [{"id": "one", "limit": 1, "per": "hour"}],
    })))
    .await;
    harness.key("unscoped", json!({"consumer": "acme"}));
    harness.key(KEY, json!({"consumer": "acme", "scopes": ["orders"]}));
    let sent = async |key| {
        let answer = harness.send(request("GET", "https://h/", &[("x-api-key", key)])).await;
        let code = if answer.status == 200 { "passed".to_owned() } else { answer.code() };
        (code, harness.outbound.requests().len())
    };
    for (key, expected) in [
        ("unscoped", ("permission_denied", 0)),
        // The one permit is still there.
        (KEY, ("passed", 1)),
        (KEY, ("rate_limited", 1)),
        // Where nothing is left, the scope is what is missed first.
        ("unscoped", ("permission_denied", 1)),
    ] {
        let (code, asked) = sent(key).await;
        assert_eq!((code.as_str(), asked), expected, "{key}");
    }
}
