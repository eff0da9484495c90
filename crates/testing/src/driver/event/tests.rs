use http::Request;
use serde_json::{Value, json};

use super::*;

fn event_of(request: Request<&[u8]>) -> Value {
    let (parts, body) = request.into_parts();
    let circumstances = Circumstances {
        client_ip: "127.0.0.1".to_owned(),
        host: "127.0.0.1:9".to_owned(),
        request_id: "id".to_owned(),
        trace_id: "Root=1-2-3".to_owned(),
        region: "eu-central-1".to_owned(),
    };
    let bytes = event(&parts, body, &circumstances).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn path_and_query_stay_as_sent_and_parameters_are_decoded() {
    let request = Request::get("/a/../%2e%2F//b?x=1&y=a%20b+c&x=2&flag&").body(&b""[..]).unwrap();
    let event = event_of(request);
    assert_eq!(event["rawPath"], "/a/../%2e%2F//b");
    assert_eq!(event["requestContext"]["http"]["path"], "/a/../%2e%2F//b");
    assert_eq!(event["rawQueryString"], "x=1&y=a%20b+c&x=2&flag&");
    let parameters = json!({ "x": "1,2", "y": "a b c", "flag": "" });
    assert_eq!(event["queryStringParameters"], parameters);
}

#[test]
fn absent_things_are_absent() {
    let event = event_of(Request::get("/").body(&b""[..]).unwrap());
    for member in ["cookies", "queryStringParameters", "body"] {
        assert_eq!(event.get(member), None, "{member}");
    }
    assert_eq!(event["requestContext"].get("authorizer"), None);
    assert_eq!(event["requestContext"].get("authentication"), Some(&Value::Null));
    assert_eq!(event["requestContext"]["accountId"], "anonymous");
    assert_eq!(event["isBase64Encoded"], false);
    assert_eq!(event["headers"]["host"], "127.0.0.1:9");
}

#[test]
fn repeated_headers_are_joined_and_cookies_are_moved() {
    let request = Request::get("/")
        .header("X-Many", "1")
        .header("x-many", "2")
        .header("cookie", "a=1; b=2")
        .header("cookie", "c=3")
        .body(&b""[..])
        .unwrap();
    let event = event_of(request);
    assert_eq!(event["headers"]["x-many"], "1,2");
    assert_eq!(event["headers"].get("cookie"), None);
    assert_eq!(event["cookies"], json!(["a=1", "b=2", "c=3"]));
}

#[test]
fn forwarding_headers_are_the_platforms() {
    let request = Request::get("/")
        .header("x-forwarded-for", "192.0.2.1")
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-port", "80")
        .header("x-driver-source-ip", "198.51.100.7")
        .body(&b""[..])
        .unwrap();
    let event = event_of(request);
    let headers = &event["headers"];
    assert_eq!(headers["x-forwarded-for"], "192.0.2.1, 198.51.100.7");
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(headers["x-forwarded-port"], "443");
    assert_eq!(headers["x-amzn-trace-id"], "Root=1-2-3");
    assert_eq!(headers.get("x-driver-source-ip"), None);
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "198.51.100.7");
}

#[test]
fn an_iam_identity_can_be_chosen() {
    let arn = "arn:aws:iam::111122223333:user/example";
    let request = Request::get("/").header("x-driver-iam-arn", arn).body(&b""[..]).unwrap();
    let event = event_of(request);
    let iam = &event["requestContext"]["authorizer"]["iam"];
    assert_eq!(iam["userArn"], arn);
    assert_eq!(iam["accountId"], "111122223333");
    assert_eq!(iam.get("cognitoIdentity"), Some(&Value::Null));
    assert_eq!(event["requestContext"]["accountId"], "111122223333");
    assert_eq!(event["headers"].get("x-driver-iam-arn"), None);
}

#[test]
fn bodies_are_text_only_for_text_types_and_utf_8() {
    let cases: [(&str, &[u8], &str, bool); 7] = [
        ("text/plain", b"caf\xc3\xa9", "café", false),
        ("Application/JSON; charset=utf-8", b"{}", "{}", false),
        ("application/x-www-form-urlencoded", b"a=1", "a=1", false),
        ("text/plain", b"\xff", "/w==", true),
        ("application/octet-stream", b"abc", "YWJj", true),
        ("application/problem+json", b"{}", "e30=", true),
        ("", b"abc", "YWJj", true),
    ];
    for (content_type, sent, body, base64) in cases {
        let request = Request::post("/").header("content-type", content_type);
        let event = event_of(request.body(sent).unwrap());
        assert_eq!(event["body"], body, "{content_type}");
        assert_eq!(event["isBase64Encoded"], base64, "{content_type}");
    }
}
