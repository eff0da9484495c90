use serde_json::{Value, json};

use super::dev::Dev;

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_requests_do_what_they_say() {
    let dev = Dev::start().await;
    assert!(dev.printed.contains(&format!("curl -i http://{}/demo/", dev.gateway)), "{}", dev.printed);
    let answer = dev.call("GET", "/demo/hello?x=1", Some(&dev.key)).await;
    assert_eq!(answer.status.as_u16(), 200);
    let seen: Value = answer.json().expect("what the backend got");
    assert_eq!((&seen["method"], &seen["path"]), (&json!("GET"), &json!("/hello")));
    let headers = seen["headers"].to_string();
    for name in ["x-faregate-consumer", "x-faregate-credential", "x-request-id", "traceparent", "via"] {
        assert!(headers.contains(name), "{name} in {headers}");
    }
    assert!(!headers.contains(&dev.key));

    let tokens = dev.printed.lines().filter_map(|line| line.split_once("/demo/token -H 'authorization: "));
    let tokens: Vec<&str> = tokens.map(|(_, rest)| rest.trim_end_matches('\'')).collect();
    let [good, bad] = tokens[..] else { panic!("two tokens in {}", dev.printed) };
    let answer = dev.call_with("GET", "/demo/token", &[("authorization", good)]).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let headers = answer.json::<Value>().expect("what the backend got")["headers"].clone();
    assert_eq!(
        (&headers["x-faregate-consumer"], &headers["x-user-name"], &headers["x-faregate-scopes"]),
        (&json!("demo:demo"), &json!("Ada"), &json!("demo.read"))
    );
    assert!(headers.get("authorization").is_none());
    assert_eq!(dev.call_with("GET", "/demo/token", &[("authorization", bad)]).await.status.as_u16(), 401);

    let mut statuses = Vec::new();
    for _ in 0..21 {
        statuses.push(dev.call("GET", "/demo/limited", Some(&dev.key)).await.status.as_u16());
    }
    // Ten a minute, and a minute may end in between.
    assert!(statuses.contains(&429) && statuses.iter().filter(|status| **status == 200).count() >= 10, "{statuses:?}");

    for (method, path, key, status, code) in [
        ("GET", "/demo/hello", Some("unknown"), 401, "credentials_invalid"),
        ("GET", "/demo/hello", None, 401, "credentials_missing"),
        ("GET", "/nowhere", Some(&*dev.key), 404, "route_not_found"),
        ("DELETE", "/demo/hello", Some(&*dev.key), 405, "method_not_allowed"),
    ] {
        let answer = dev.call(method, path, key).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        assert_eq!(answer.header("content-type").as_deref(), Some("application/problem+json"));
        assert_eq!(answer.json::<Value>().expect("a problem")["code"], code);
    }
}
