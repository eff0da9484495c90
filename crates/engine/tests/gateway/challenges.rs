//! What a refusal says of how to do better (RFC 6750 §3, RFC 9110 §11.6.1), for each way to prove who calls.

use faregate_engine::{body::full, fakes::FakeOutbound};
use faregate_testing::issuer::SigningKey;
use http::Response;
use serde_json::{Value, json};

use super::support::{
    Harness, KEY, forwarding,
    provider::{ISSUER, claims},
    request,
};

const BEARER: &str = "Bearer realm=\"faregate\"";
const BAD_TOKEN: &str =
    "Bearer realm=\"faregate\", error=\"invalid_token\", error_description=\"the token is not valid\"";
const SCOPE: &str = "Bearer realm=\"faregate\", error=\"insufficient_scope\", scope=\"admin\"";
const API_KEY: &str = "ApiKey name=\"x-api-key\"";
const ENDPOINT: &str = "ForwardAuth realm=\"sso\"";
const IAM: &str = "AWS4-HMAC-SHA256 realm=\"faregate\"";

/// What a route takes, what a request sends, and how it is answered.
type Row<'a> = (Value, Vec<(&'a str, &'a str)>, u16, Vec<&'a str>);

/// The status and the challenges of a route that authenticates so. The endpoint answers by the header `x-say`.
async fn refused(
    authenticate: &Value,
    authorize: Option<Value>,
    key: &SigningKey,
    headers: &[(&str, &str)],
) -> (u16, Vec<String>) {
    let mut document = forwarding(json!({"authenticate": authenticate}));
    document["issuers"] =
        json!([{"id": "main", "issuer": ISSUER, "audiences": ["orders"], "jwks": {"inline": key.jwks()}}]);
    if let Some(authorize) = authorize {
        document["routes"][0]["authorize"] = authorize;
    }
    let outbound = FakeOutbound::answering(|request| {
        let said = request.headers.get("x-say").and_then(|value| value.to_str().ok()).unwrap_or("200");
        let (status, challenge) = said.split_once(' ').unwrap_or((said, ""));
        let mut answer = Response::builder().status(status.parse::<u16>().expect("a status"));
        if !challenge.is_empty() {
            answer = answer.header("www-authenticate", challenge);
        }
        Ok(answer.body(full("")).expect("an answer"))
    });
    let harness = Harness::with_outbound(document, outbound).await;
    harness.key(KEY, json!({"consumer": "acme"}));
    let answer = harness.send(request("GET", "https://h/?key=wrong", headers)).await;
    let challenges = answer.headers.get_all("www-authenticate").iter();
    (answer.status, challenges.map(|value| value.to_str().expect("text").to_owned()).collect())
}

#[tokio::test]
async fn a_401_names_every_way_that_the_route_takes() {
    let key = SigningKey::es256("a").expect("a key");
    let jwt = json!({"jwt": {"issuers": ["main"]}});
    let bearer_key = json!({"api_key": {"header": "authorization", "scheme": "Bearer"}});
    let endpoint = json!({"forward_auth": {"id": "sso", "url": "https://sso.example.com/", "send": ["x-say"], "consumer_header": "x-consumer"}});
    let token = format!("Bearer {}", key.token(&claims()).expect("a token"));
    let rows: [Row<'_>; 17] = [
        (json!("api_key"), vec![], 401, vec![API_KEY]),
        (json!("api_key"), vec![("x-api-key", "wrong")], 401, vec![API_KEY]),
        (json!({"api_key": {"header": "", "query": "key"}}), vec![], 401, vec!["ApiKey name=\"key\""]),
        (bearer_key.clone(), vec![], 401, vec![BEARER]),
        (bearer_key.clone(), vec![("authorization", "Bearer wrong")], 401, vec![BEARER]),
        (jwt.clone(), vec![], 401, vec![BEARER]),
        (jwt.clone(), vec![("authorization", "Bearer a.b.c")], 401, vec![BAD_TOKEN]),
        (
            json!({"jwt": {"issuers": ["main"], "from": {"header": "x-token", "scheme": "Token"}}}),
            vec![],
            401,
            vec!["Token realm=\"faregate\""],
        ),
        (json!("iam"), vec![], 401, vec![IAM]),
        (json!({"any_of": ["api_key", jwt]}), vec![], 401, vec![API_KEY, BEARER]),
        (json!({"any_of": ["api_key", jwt]}), vec![("x-api-key", "wrong")], 401, vec![API_KEY, BEARER]),
        (json!({"any_of": ["api_key", jwt]}), vec![("authorization", "Bearer a.b.c")], 401, vec![API_KEY, BAD_TOKEN]),
        // One for each scheme and realm: a key and a token in one place are told apart by their shape.
        (json!({"any_of": [bearer_key, jwt]}), vec![("authorization", "Bearer a.b.c")], 401, vec![BAD_TOKEN]),
        (json!({"all_of": ["api_key", jwt]}), vec![("authorization", &token)], 401, vec![API_KEY, BEARER]),
        (endpoint.clone(), vec![("x-say", "401")], 401, vec![ENDPOINT]),
        (endpoint.clone(), vec![("x-say", "401 Cookie realm=\"sso\"")], 401, vec!["Cookie realm=\"sso\""]),
        (endpoint, vec![("x-say", "403 Cookie realm=\"more\"")], 403, vec!["Cookie realm=\"more\""]),
    ];
    for (authenticate, headers, status, challenges) in rows {
        let found = refused(&authenticate, None, &key, &headers).await;
        let expected = (status, challenges.into_iter().map(str::to_owned).collect());
        assert_eq!(found, expected, "{authenticate} {headers:?}");
    }
}

#[tokio::test]
async fn a_scope_that_is_short_is_told_whatever_proved_the_caller() {
    let key = SigningKey::es256("a").expect("a key");
    let token = format!("Bearer {}", key.token(&claims()).expect("a token"));
    let jwt = json!({"jwt": {"issuers": ["main"]}});
    for (authenticate, header) in [(jwt, ("authorization", token.as_str())), (json!("api_key"), ("x-api-key", KEY))] {
        for scopes in [json!({"all": ["admin"]}), json!({"any": ["admin"]})] {
            // Whatever else is missing, too; but who is denied is told nothing.
            for (more, challenges) in [
                (json!({}), vec![SCOPE.to_owned()]),
                (json!({"groups": {"allow": ["staff"]}}), vec![SCOPE.to_owned()]),
                (json!({"consumers": {"allow": ["other"]}}), vec![SCOPE.to_owned()]),
                (json!({"consumers": {"deny": ["main:alice", "acme"]}}), vec![]),
            ] {
                let mut authorize = json!({"scopes": scopes});
                authorize.as_object_mut().expect("rules").extend(more.as_object().expect("rules").clone());
                let found = refused(&authenticate, Some(authorize.clone()), &key, &[header]).await;
                assert_eq!(found, (403, challenges), "{authorize}");
            }
        }
    }
}
