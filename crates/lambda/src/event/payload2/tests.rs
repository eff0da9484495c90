use faregate_core::problem::Code;
use serde_json::{Value, json};

use crate::event::{Decoded, EventSource, HEADER_BYTES_MAX, PATH_BYTES_MAX, decode};

/// A small event, changed by `change`, decoded.
fn decoded(change: impl FnOnce(&mut Value)) -> Decoded {
    let mut event = json!({
        "version": "2.0",
        "rawPath": "/a",
        "rawQueryString": "",
        "headers": { "host": "a.example", "x-forwarded-proto": "https" },
        "requestContext": {
            "domainName": "d.example",
            "stage": "$default",
            "http": { "method": "GET", "sourceIp": "192.0.2.1" },
        },
        "isBase64Encoded": false,
    });
    change(&mut event);
    decode(event.to_string().as_bytes())
}

fn request(change: impl FnOnce(&mut Value)) -> http::Request<bytes::Bytes> {
    decoded(change).request.expect("a request")
}

fn code(change: impl FnOnce(&mut Value)) -> Code {
    decoded(change).request.expect_err("a problem").code
}

#[test]
fn the_method_is_the_context_s_and_not_the_emulator_s() {
    let decoded = decoded(|event| {
        event["httpMethod"] = json!("GET");
        event["requestContext"]["http"]["method"] = json!("PUT");
    });
    assert_eq!(decoded.source, EventSource::FunctionUrl);
    assert_eq!(decoded.request.expect("a request").method(), "PUT");
}

#[test]
fn an_emulator_s_event_with_a_wrong_field_is_not_taken_for_a_rest_api_s() {
    let decoded = decoded(|event| {
        event["httpMethod"] = json!("GET");
        event["path"] = json!("/b");
        event["rawQueryString"] = json!(1);
    });
    assert_eq!(decoded.source, EventSource::Unknown);
    assert_eq!(decoded.request.expect_err("a problem").code, Code::RequestInvalid);
}

#[test]
fn the_path_alone_makes_a_payload_2_0() {
    assert_eq!(decoded(|event| event["version"] = Value::Null).source, EventSource::FunctionUrl);
    let without_path = decoded(|event| event["rawPath"] = Value::Null);
    assert_eq!(without_path.source, EventSource::FunctionUrl);
    assert_eq!(without_path.request.expect_err("a problem").code, Code::RequestInvalid);
}

#[test]
fn function_urls_and_http_apis_are_told_apart() {
    for (context, is_function_url) in [
        (json!({ "domainName": "id.lambda-url.eu-central-1.on.aws", "apiId": "id", "domainPrefix": "id" }), true),
        (
            json!({ "domainName": "id.execute-api.eu-central-1.amazonaws.com", "apiId": "id", "domainPrefix": "id" }),
            false,
        ),
        // A domain of one's own, its default route at the default stage: an HTTP API's could look like this, too.
        (
            json!({ "domainName": "gw.test", "apiId": "a", "domainPrefix": "b", "routeKey": "$default", "stage": "$default" }),
            true,
        ),
        (json!({ "domainName": "api.example", "routeKey": "GET /a" }), false),
        (json!({ "stage": "live" }), false),
        // `cargo lambda watch`.
        (json!({ "domainName": "localhost", "apiId": null, "domainPrefix": "gateway", "routeKey": "$default" }), true),
        (Value::Null, true),
    ] {
        let expected = if is_function_url { EventSource::FunctionUrl } else { EventSource::HttpApi };
        assert_eq!(decoded(|event| event["requestContext"] = context.clone()).source, expected, "{context}");
    }
}

#[test]
fn requests_to_authorizers_are_refused() {
    assert_eq!(code(|event| event["type"] = json!("REQUEST")), Code::RequestInvalid);
}

#[test]
fn a_missing_method_is_refused() {
    assert_eq!(code(|event| event["requestContext"] = Value::Null), Code::RequestInvalid);
    assert_eq!(code(|event| event["requestContext"]["http"] = Value::Null), Code::RequestInvalid);
}

#[test]
fn cookies_become_one_header_once() {
    for (cookies, header, expected) in [
        (json!(["a=1", "b=2"]), Value::Null, Some("a=1; b=2")),
        (json!(["a=1"]), json!("a=1; b=2"), Some("a=1")),
        (json!([]), json!("a=1; b=2"), Some("a=1; b=2")),
        (Value::Null, json!("a=1"), Some("a=1")),
        (Value::Null, Value::Null, None),
    ] {
        let request = request(|event| {
            event["cookies"] = cookies;
            event["headers"]["Cookie"] = header;
        });
        let sent: Vec<_> = request.headers().get_all("cookie").iter().collect();
        assert_eq!(sent, expected.into_iter().collect::<Vec<_>>());
    }
    assert_eq!(code(|event| event["cookies"] = json!(["a=1", "b\n"])), Code::RequestInvalid);
}

#[test]
fn headers_of_null_are_no_headers() {
    let request = request(|event| event["headers"] = json!({ "x-a": null, "x-b": "" }));
    assert_eq!(request.headers().len(), 1);
    assert_eq!(request.uri(), "https://d.example/a");
    let request = self::request(|event| event["headers"] = Value::Null);
    assert!(request.headers().is_empty());
}

#[test]
fn a_named_stage_is_cut_off_before_dot_segments_are_resolved() {
    let staged = |path: &'static str| {
        move |event: &mut Value| {
            event["requestContext"]["stage"] = json!("live");
            event["rawPath"] = json!(path);
        }
    };
    for (path, expected) in
        [("/live/a", "/a"), ("/live", "/"), ("/lively", "/lively"), ("/live/b/../live/a", "/live/a")]
    {
        assert_eq!(request(staged(path)).uri().path(), expected);
    }
    assert_eq!(code(staged("/live/../a")), Code::RequestInvalid);
    assert_eq!(request(|event| event["rawPath"] = json!("/$default/a")).uri().path(), "/$default/a");
}

#[test]
fn sizes_are_bounded() {
    let path = format!("/{}", "a".repeat(PATH_BYTES_MAX - 1));
    assert_eq!(request(|event| event["rawPath"] = json!(path)).uri().path(), path);
    assert_eq!(code(|event| event["rawPath"] = json!(path + "a")), Code::RequestHeadersTooLarge);
    let value = "a".repeat(HEADER_BYTES_MAX);
    assert_eq!(code(|event| event["headers"]["x-a"] = json!(value)), Code::RequestHeadersTooLarge);
    assert_eq!(code(|event| event["cookies"] = json!([value])), Code::RequestHeadersTooLarge);
}

#[test]
fn an_escaped_body_and_a_plain_one_are_the_same_bytes() {
    for (body, is_base64, expected) in
        [(json!("{\"a\":\n\"é\"}"), false, "{\"a\":\n\"é\"}"), (json!("YQ=="), true, "a"), (Value::Null, true, "")]
    {
        let request = request(|event| {
            event["body"] = body;
            event["isBase64Encoded"] = json!(is_base64);
        });
        assert_eq!(request.body(), expected);
    }
}

#[test]
fn the_peer_is_the_context_s_even_if_there_is_no_request() {
    let decoded = decoded(|event| {
        event["rawPath"] = json!("/..");
        event["headers"]["x-forwarded-for"] = json!("198.51.100.1, 192.0.2.1");
        event["requestContext"]["authorizer"] =
            json!({ "iam": { "userArn": "arn:aws:iam::1:user/u", "userId": null } });
    });
    assert!(decoded.request.is_err());
    assert_eq!(decoded.peer.address, Some([192, 0, 2, 1].into()));
    assert!(decoded.peer.forwarded_for.is_empty());
    assert_eq!(decoded.peer.iam_arn.as_deref(), Some("arn:aws:iam::1:user/u"));
}

#[test]
fn the_request_id_is_the_headers_even_if_there_is_no_request() {
    for path in ["/a", "/.."] {
        let decoded = decoded(|event| {
            event["rawPath"] = json!(path);
            event["headers"]["X-Request-Id"] = json!("mine-1");
        });
        assert_eq!(decoded.request_id.expect("an id"), "mine-1");
    }
    assert_eq!(decoded(|event| event["rawPath"] = json!("/..")).request_id, None);
}

#[test]
fn other_authorizers_and_odd_addresses_are_nobody() {
    for authorizer in [Value::Null, json!({ "iam": null }), json!({ "jwt": { "claims": { "iam": "x" } } }), json!({})] {
        let peer = decoded(|event| {
            event["requestContext"]["authorizer"] = authorizer;
            event["requestContext"]["http"]["sourceIp"] = json!("IP");
        });
        assert_eq!(peer.peer, faregate_engine::gateway::Peer::default());
        assert!(peer.request.is_ok());
    }
}
