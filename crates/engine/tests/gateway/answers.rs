use faregate_core::problem::{Code, Problem};
use faregate_engine::gateway::{Peer, Undecodable};
use serde_json::json;

use super::support::{Harness, forwarding, request};

#[tokio::test]
async fn problems_are_documents_that_nobody_stores() {
    let harness =
        Harness::new(forwarding(json!({"match": [{"path": {"prefix": "/a"}, "methods": ["GET", "PUT"]}]}))).await;
    let answer = harness.get("https://h/b").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "route_not_found"));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.json()["type"], "urn:faregate:problem:route_not_found");
    assert_eq!(answer.json()["request_id"], answer.header("x-request-id").expect("an id"));

    let answer = harness.send(request("DELETE", "https://h/a", &[])).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, PUT")));
}

#[tokio::test]
async fn what_cannot_be_decoded_is_answered_and_recorded() {
    let harness = Harness::new(forwarding(json!({}))).await;
    let problem = Problem::new(Code::RequestInvalid, "the path is not valid").caused_by("climbs");
    let answer = harness.take(Err(problem), Peer::default()).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "request_invalid"));
    let record = harness.last_record();
    assert_eq!((record.status, record.cause.as_deref()), (400, Some("climbs")));
}

#[tokio::test]
async fn what_cannot_be_decoded_keeps_the_clients_request_id_where_it_has_the_right_shape() {
    let harness = Harness::new(forwarding(json!({}))).await;
    for (sent, is_kept) in [("mine-1", true), ("not mine", false)] {
        let problem = Problem::new(Code::RequestInvalid, "the path is not valid");
        let answer = harness.undecodable(Undecodable { problem, request_id: sent.parse().ok() }).await;
        assert_eq!((answer.status, answer.json()["request_id"] == sent), (400, is_kept));
        assert_eq!(answer.header("x-request-id") == Some(sent), is_kept);
        assert_eq!(harness.last_record().request_id == sent, is_kept);
    }
}

#[tokio::test]
async fn respond_and_redirect_need_no_backend() {
    let harness = Harness::new(json!({"routes": [
        {"id": "respond", "match": [{"path": "/up"}], "authenticate": "anonymous",
         "respond": {"status": 203, "headers": {"x-a": "1"}, "body": "up"}},
        {"id": "redirect", "match": [{"path": {"prefix": "/old"}}], "authenticate": "anonymous",
         "redirect": {"path": {"replace_prefix": "/new"}, "status": 308}},
    ]}))
    .await;
    let answer = harness.get("https://h/up").await;
    assert_eq!((answer.status, answer.header("x-a"), &answer.body[..]), (203, Some("1"), &b"up"[..]));
    let answer = harness.get("http://API.example.com:8080/old/x?q=1").await;
    assert_eq!((answer.status, answer.header("location")), (308, Some("http://api.example.com/new/x?q=1")));
    let answer = harness.get("https://h/old?q=é&r=%c3").await;
    assert_eq!((answer.status, answer.header("location")), (308, Some("https://h/new?q=%C3%A9&r=%c3")));
    assert!(harness.outbound.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_needs_the_requests_host_only_where_it_names_none() {
    let redirect = |path: &str, redirect: serde_json::Value| json!({"id": &path[1..], "match": [{"path": path}], "authenticate": "anonymous", "redirect": redirect});
    let routes = [redirect("/named", json!({"host": "example.org"})), redirect("/own", json!({}))];
    let harness = Harness::new(json!({ "routes": routes })).await;
    let answer = harness.get("/named").await;
    assert_eq!((answer.status, answer.header("location")), (302, Some("https://example.org/named")));
    let answer = harness.get("/own").await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "request_invalid"));
    assert_eq!(harness.last_record().cause.as_deref(), Some("the request has no host"));
}

#[tokio::test]
async fn cors_stands_on_preflights_answers_and_problems() {
    let cors = json!({"allow_origins": ["https://app.example.com"], "allow_methods": ["PUT"]});
    let route = json!({"match": [{"path": "/a", "methods": ["PUT"]}], "authenticate": "api_key", "cors": cors});
    let harness = Harness::new(forwarding(route)).await;
    let origin = ("origin", "https://app.example.com");
    let preflight = [origin, ("access-control-request-method", "PUT")];

    let answer = harness.send(request("OPTIONS", "https://h/a", &preflight)).await;
    assert_eq!((answer.status, answer.header("access-control-allow-methods")), (204, Some("PUT")));
    let answer = harness.send(request("PUT", "https://h/a", &[origin])).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (401, Some(origin.1)));
    let answer = harness.send(request("GET", "https://h/a", &[origin])).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (405, Some(origin.1)));
    // Nobody offers what the preflight asks for: an ordinary OPTIONS, which nobody offers either.
    let answer =
        harness.send(request("OPTIONS", "https://h/a", &[origin, ("access-control-request-method", "DELETE")])).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("PUT")));
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin.1));
    assert_eq!(answer.header("access-control-allow-methods"), None);
    let answer = harness.send(request("PUT", "https://h/a", &[("origin", "https://evil.example")])).await;
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (None, Some("origin")));
}

#[tokio::test]
async fn options_on_a_route_without_cors_authenticates_like_any_method() {
    let harness = Harness::new(forwarding(json!({"authenticate": "api_key"}))).await;
    let preflight = [("origin", "https://app.example.com"), ("access-control-request-method", "PUT")];
    let answer = harness.send(request("OPTIONS", "https://h/a", &preflight)).await;
    assert_eq!(answer.code(), "credentials_missing");
}

#[tokio::test]
async fn a_redirect_takes_no_hidden_key_along_and_every_authenticated_answer_is_private() {
    let key = json!({"api_key": {"header": "", "query": "k"}});
    let harness = Harness::new(json!({"routes": [
        {"id": "away", "match": [{"path": "/away"}], "authenticate": key, "redirect": {"host": "example.org"}},
        {"id": "here", "match": [{"path": "/here"}], "authenticate": key, "respond": {}},
        {"id": "cached", "match": [{"path": "/cached"}], "authenticate": key, "respond": {"headers": {"cache-control": "max-age=9"}}},
    ]}))
    .await;
    harness.key("secret", json!({"consumer": "acme"}));
    let answer = harness.get("https://h/away?a=1&k=secret").await;
    assert_eq!(answer.header("location"), Some("https://example.org/away?a=1"));
    assert_eq!(answer.header("cache-control"), Some("private"));
    assert_eq!(harness.get("https://h/here?k=secret").await.header("cache-control"), Some("private"));
    assert_eq!(harness.get("https://h/cached?k=secret").await.header("cache-control"), Some("max-age=9"));
}

#[tokio::test]
async fn the_version_is_exposed_only_if_asked() {
    let mut entries = forwarding(json!({}));
    entries["settings"] = json!({"expose_version": true});
    let harness = Harness::new(entries).await;
    assert_eq!(harness.get("https://h/").await.header("x-faregate-config"), Some("1"));
    harness.publish(json!({"settings": {"expose_version": false}})).await;
    harness.clock.advance(std::time::Duration::from_secs(11));
    harness.get("https://h/").await;
    assert_eq!(harness.get("https://h/").await.header("x-faregate-config"), None);
}
