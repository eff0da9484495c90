//! Tokens of a library that is not ours: one row for each sentence of what must be refused (SECURITY.md 7).

use bytes::Bytes;
use faregate_tests::{Answer, Backend, Minted, Stack, mint};
use http::Request;
use serde_json::{Value, json};

use super::support::{document, request};

/// A route `/<issuer>` for each issuer of the minted tokens.
fn issuers(backend: &Backend, minted: &Minted) -> Value {
    let issuer = |id: &str, more: Value| {
        let mut issuer = json!({"id": id, "issuer": format!("https://{id}.example"), "audiences": ["orders"]});
        for (name, value) in more.as_object().expect("fields") {
            issuer[name] = value.clone();
        }
        issuer
    };
    let route = |id: &str| {
        json!({"id": id, "match": [{"path": {"exact": format!("/{id}")}}], "authenticate": {"jwt": {"issuers": [id]}},
               "forward": {"backend": "b"}})
    };
    let mut document = document(backend, &json!({}));
    document["issuers"] = json!([
        issuer("wide", json!({"jwks": {"inline": minted.jwks}})),
        issuer("narrow", json!({"jwks": {"inline": minted.jwks}, "algorithms": ["ES256"]})),
        issuer("shared", json!({"secret": {"inline": minted.secret}})),
        issuer("long", json!({"secret": {"inline": minted.long_secret}})),
    ]);
    document["routes"] = json!([route("wide"), route("narrow"), route("shared"), route("long")]);
    document
}

fn with_token(path: &str, token: &str) -> Request<Bytes> {
    request("GET", path).header("authorization", format!("Bearer {token}")).body(Bytes::new()).expect("a request")
}

/// All that a client sees of a refusal but the request's id.
fn seen_of(answer: &Answer) -> (u16, Option<String>, Value) {
    let mut problem: Value = answer.json().expect("a problem");
    problem["request_id"] = Value::Null;
    (answer.status.as_u16(), answer.header("www-authenticate"), problem)
}

#[tokio::test]
async fn every_sort_of_bad_token_is_refused_and_all_look_alike() {
    let backend = Backend::echo("b").await.expect("a backend");
    let minted = mint().expect("tokens");
    let stack = Stack::start(&issuers(&backend, &minted)).await.expect("a stack");
    let (mut good, mut refusals) = (0, Vec::new());
    for (name, made) in &minted.tokens {
        let answer = stack.send(with_token(&format!("/{}", made.issuer), &made.token)).await.expect("an answer");
        if name.starts_with("good: ") {
            assert_eq!(answer.status.as_u16(), 200, "{name}: {}", answer.text());
            let seen = answer.seen().expect("an echo");
            assert_eq!(seen.header("x-faregate-consumer"), Some(format!("{}:alice", made.issuer)), "{name}");
            good += 1;
        } else if name == "expired" {
            let (status, challenge, problem) = seen_of(&answer);
            assert_eq!((status, &problem["code"]), (401, &json!("credentials_invalid")));
            assert_eq!(problem["detail"], "the token has expired");
            assert!(challenge.expect("a challenge").contains("error=\"invalid_token\""));
        } else {
            refusals.push((name, seen_of(&answer)));
        }
    }
    assert_eq!(good, 16);
    assert!(refusals.len() > 60, "{}", refusals.len());
    let (_, first) = &refusals[0];
    assert_eq!((first.0, &first.2["code"]), (401, &json!("credentials_invalid")));
    for (name, refusal) in &refusals {
        assert_eq!(refusal, first, "{name}");
    }
    assert_eq!(backend.seen().len(), good, "nothing of a refused request goes on");
    // No token, whole or in part, is written anywhere.
    stack.driver().wait_until_idle().await.expect("idle");
    for line in stack.driver().log_lines() {
        for (name, made) in minted.tokens.iter().filter(|(_, made)| made.token.len() > 40) {
            assert!(!line.text.contains(&made.token[made.token.len() - 20..]), "{name}: {}", line.text);
        }
    }
}

/// 8: what is remembered of one token answers for no other, for no other issuer, and not after a new snapshot.
#[tokio::test]
async fn a_remembered_token_answers_for_itself_alone() {
    let backend = Backend::echo("b").await.expect("a backend");
    let minted = mint().expect("tokens");
    let mut document = issuers(&backend, &minted);
    let stack = Stack::start(&document).await.expect("a stack");
    let good = &minted.tokens["good: ES256"].token;
    let status =
        async |path: &str, token: &str| stack.send(with_token(path, token)).await.expect("an answer").status.as_u16();
    assert_eq!((status("/wide", good).await, status("/wide", good).await), (200, 200));
    // Another issuer of the same keys.
    assert_eq!(status("/narrow", good).await, 401);
    // The same claims under another, a cut and a lengthened signature.
    let (message, signature) = good.rsplit_once('.').expect("a signature");
    let other = minted.tokens["good: narrow"].token.rsplit_once('.').expect("a signature").1;
    for forged in [format!("{message}.{other}"), format!("{message}.{}", &signature[..85]), format!("{good}A")] {
        assert_eq!(status("/wide", &forged).await, 401);
    }
    assert_eq!(status("/wide", good).await, 200);
    // The issuer no longer takes this audience: the next snapshot knows of no token that was verified before.
    document["issuers"][0]["audiences"] = json!(["billing"]);
    document["settings"]["expose_version"] = json!(true);
    stack.stores().apply(&document).await.expect("applied");
    let mut answers = 0;
    loop {
        let answer = stack.send(with_token("/wide", good)).await.expect("an answer");
        if answer.header("x-faregate-config").is_some() {
            assert_eq!(answer.status.as_u16(), 401);
            break;
        }
        answers += 1;
        assert!(answers < 100_000, "the change never served");
    }
}
