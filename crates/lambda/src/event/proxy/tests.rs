use faregate_core::problem::Code;
use faregate_engine::gateway::Peer;
use serde_json::{Value, json};

use crate::event::{Decoded, EventSource, decode};

/// A small event, changed by `change`, decoded.
fn decoded(change: impl FnOnce(&mut Value)) -> Decoded {
    let mut event = json!({
        "httpMethod": "GET",
        "path": "/a",
        "headers": { "Host": "a.example", "X-Forwarded-For": "198.51.100.1, 192.0.2.1, 192.0.2.9" },
        "requestContext": { "identity": { "sourceIp": "192.0.2.1" }, "stage": "live" },
        "body": null,
        "isBase64Encoded": false,
    });
    change(&mut event);
    decode(event.to_string().as_bytes())
}

fn of_load_balancer(event: &mut Value) {
    event["requestContext"] = json!({ "elb": { "targetGroupArn": "arn" } });
}

fn uri(change: impl FnOnce(&mut Value)) -> String {
    decoded(change).request.expect("a request").uri().to_string()
}

#[test]
fn the_source_is_told_by_the_context() {
    for (change, source) in [
        (json!({}), EventSource::Rest),
        (json!({ "version": "1.0" }), EventSource::Rest),
        (json!({ "requestContext": { "elb": {} } }), EventSource::Alb { multi_value: false }),
        (json!({ "requestContext": { "elb": {} }, "multiValueHeaders": {} }), EventSource::Alb { multi_value: true }),
        (json!({ "requestContext": { "connectionId": "c" } }), EventSource::Unknown),
        (json!({ "requestContext": null }), EventSource::Unknown),
        (json!({ "httpMethod": null }), EventSource::Unknown),
        (json!({ "type": "REQUEST" }), EventSource::Unknown),
        (json!({ "type": "TOKEN" }), EventSource::Unknown),
    ] {
        let decoded = decoded(|event| {
            for (name, value) in change.as_object().into_iter().flatten() {
                event[name] = value.clone();
            }
        });
        assert_eq!(decoded.source, source, "{change}");
        assert_eq!(decoded.request.is_err(), source == EventSource::Unknown, "{change}");
    }
}

#[test]
fn what_is_no_event_is_refused_without_quoting_it() {
    for payload in
        [&b""[..], b"null", b"[]", b"\"secret\"", b"{}", b"{", b"\xff", br#"{"path": 1}"#, b"{\"headers\":[]}"]
    {
        let decoded = decode(payload);
        let problem = decoded.request.expect_err("a problem");
        assert_eq!((problem.code, decoded.source), (Code::RequestInvalid, EventSource::Unknown));
        assert!(!problem.cause.contains("secret"));
        assert_eq!(decoded.peer, Peer::default());
    }
}

#[test]
fn a_missing_path_is_refused() {
    let decoded = decoded(|event| event["path"] = Value::Null);
    assert_eq!(decoded.request.expect_err("a problem").code, Code::RequestInvalid);
    assert_eq!(decoded.source, EventSource::Rest);
}

#[test]
fn lists_of_values_win_over_single_ones() {
    let decoded = decoded(|event| {
        event["multiValueHeaders"] = json!({ "Host": ["b.example"], "X-A": ["1", "2"], "X-B": null });
        event["multiValueQueryStringParameters"] = json!({ "q": ["1", "2"] });
        event["queryStringParameters"] = json!({ "q": "2" });
    });
    let request = decoded.request.expect("a request");
    assert_eq!(request.uri(), "https://b.example/a?q=1&q=2");
    assert_eq!(request.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(request.headers().len(), 3);
    assert_eq!(uri(|event| event["multiValueHeaders"] = json!({})), "https://a.example/a");
}

#[test]
fn a_rest_api_s_query_is_encoded_again_and_a_load_balancer_s_is_left_as_sent() {
    let parameters = json!({ "q": "a%20b+c/~", "é": "" });
    let encoded = uri(|event| event["queryStringParameters"] = parameters.clone());
    assert_eq!(encoded, "https://a.example/a?q=a%2520b%2Bc%2F~&%C3%A9=");
    let sent = uri(|event| {
        of_load_balancer(event);
        event["queryStringParameters"] = parameters;
    });
    assert_eq!(sent, "https://a.example/a?q=a%20b+c/~&%C3%A9=");
}

#[test]
fn the_domain_name_stands_in_for_a_missing_host() {
    let uri = uri(|event| {
        event["headers"] = json!({ "x-forwarded-proto": "http" });
        event["requestContext"]["domainName"] = json!("d.example");
    });
    assert_eq!(uri, "http://d.example/a");
}

#[test]
fn a_rest_api_names_the_address_that_connected() {
    let peer = decoded(|_| ()).peer;
    assert_eq!(peer.address, Some([192, 0, 2, 1].into()));
    assert_eq!(peer.forwarded_for, [std::net::IpAddr::from([198, 51, 100, 1])]);
}

#[test]
fn behind_a_load_balancer_the_last_forwarded_address_connected() {
    let peer = decoded(of_load_balancer).peer;
    assert_eq!(peer.address, Some([192, 0, 2, 9].into()));
    assert_eq!(peer.forwarded_for, [[198, 51, 100, 1], [192, 0, 2, 1]].map(std::net::IpAddr::from));
    let health_check = decoded(|event| {
        of_load_balancer(event);
        event["headers"] = json!({ "user-agent": "ELB-HealthChecker/2.0" });
    });
    assert_eq!(health_check.peer, Peer::default());
    assert_eq!(health_check.request.expect("a request").uri(), "/a");
}

#[test]
fn iam_identities_are_not_taken_from_these_events() {
    let decoded = decoded(|event| {
        event["requestContext"]["identity"]["userArn"] = json!("arn:aws:iam::1:user/u");
        event["requestContext"]["authorizer"] = json!({ "iam": { "userArn": "arn:aws:iam::1:user/u" } });
    });
    assert_eq!(decoded.peer.iam_arn, None);
    assert!(decoded.request.is_ok());
}

#[test]
fn a_stage_is_not_looked_for_in_the_path() {
    assert_eq!(uri(|event| event["path"] = json!("/live/a")), "https://a.example/live/a");
}
