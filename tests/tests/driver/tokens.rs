//! Tokens of a library that is not ours: one row for each sentence of what must be refused (SECURITY.md 7).

use std::{
    sync::{Arc, Mutex},
    time::UNIX_EPOCH,
};

use bytes::Bytes;
use faregate_testing::issuer::SigningKey;
use faregate_tests::{Answer, Backend, Minted, Stack, again, full, mint};
use http::{Request, Response};
use serde_json::{Value, json};

use super::support::{document, request};

/// Shows a set of keys under every path, as it is by then.
async fn publishing(set: &Arc<Mutex<Value>>) -> Backend {
    let set = Arc::clone(set);
    let answer = move |_| {
        let body = set.lock().expect("a lock").to_string();
        async move { Response::new(full(body)) }
    };
    Backend::serve("keys", answer).await.expect("a provider")
}

/// A route `/<issuer>` for each issuer of the minted tokens, whose keys are at `keys`: not all of them are such as a
/// document may hold.
fn issuers(backend: &Backend, keys: &Backend, minted: &Minted) -> Value {
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
        issuer("wide", json!({"jwks": {"url": keys.url()}})),
        issuer("narrow", json!({"jwks": {"url": keys.url()}, "algorithms": ["ES256"]})),
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
    let keys = publishing(&Arc::new(Mutex::new(minted.jwks.clone()))).await;
    let stack = Stack::start(&issuers(&backend, &keys, &minted)).await.expect("a stack");
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
    let keys = publishing(&Arc::new(Mutex::new(minted.jwks.clone()))).await;
    let mut document = issuers(&backend, &keys, &minted);
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

/// 8 and 24: what is remembered of a token ends with its time, to the second, and with its key.
#[tokio::test]
async fn a_remembered_token_ends_with_its_time_and_with_its_key() {
    let backend = Backend::echo("b").await.expect("a backend");
    let [old, new] = ["old", "new"].map(|kid| SigningKey::es256(kid).expect("a key"));
    let set = Arc::new(Mutex::new(old.jwks()));
    let keys = publishing(&set).await;
    let mut document = document(&backend, &json!({"authenticate": {"jwt": {"issuers": ["main"]}}}));
    document["issuers"] = json!([{"id": "main", "issuer": "https://main.example", "audiences": ["orders"],
                                  "jwks": {"url": keys.url()}, "leeway_seconds": 0}]);
    let stack = Stack::start(&document).await.expect("a stack");
    let now = || UNIX_EPOCH.elapsed().expect("a clock");
    let token = |key: &SigningKey, exp: u64| {
        let claims = json!({"iss": "https://main.example", "aud": "orders", "sub": "alice", "exp": exp});
        key.token(&claims).expect("a token")
    };
    // The status and, of a refusal, what the client is told.
    let call = async |token: &str| {
        let answer = stack.send(with_token("/", token)).await.expect("an answer");
        let told = answer.json::<Value>().expect("JSON")["detail"].as_str().map(str::to_owned);
        (answer.status.as_u16(), told)
    };
    let good = || (200, None);
    let refused = |detail: &str| (401, Some(detail.to_owned()));
    let hour = now().as_secs() + 3600;
    let long = token(&old, hour);
    assert_eq!((call(&long).await, call(&long).await), (good(), good()));

    let exp = now().as_secs() + 4;
    let short = token(&old, exp);
    assert_eq!(call(&short).await, good(), "it is remembered from here on");
    let mut again = again();
    loop {
        again.tick().await;
        let before = now();
        let answer = call(&short).await;
        if answer != good() {
            assert_eq!(answer, refused("the token has expired"));
            break;
        }
        assert!(before.as_secs() < exp, "its time was over before it was sent");
    }
    assert!(now().as_secs() >= exp, "its time was not over");

    assert_eq!(call(&long).await, good());
    *set.lock().expect("a lock") = new.jwks();
    assert_eq!(call(&token(&new, hour)).await, good(), "its key is looked for, and the set without the old one found");
    assert_eq!(call(&long).await, refused("the token is not valid"));
    assert_eq!(keys.seen().len(), 2);
}
