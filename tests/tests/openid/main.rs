//! The gateway under the Runtime API driver, and a certified OpenID provider beside it: discovery, keys that rotate, a
//! provider that is stopped or hangs, and introspection.
#![allow(clippy::disallowed_methods, reason = "how soon a provider is asked again is real time")]

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use bytes::Bytes;
use faregate_tests::{Answer, Backend, OpenIdProvider, Stack};
use http::Request;
use serde_json::{Value, json};

/// `/jwt` takes JWTs of the provider, `/opaque` tokens that it is asked about.
fn document(backend: &Backend, provider: &OpenIdProvider) -> Value {
    let route = |id: &str, issuer: &str| {
        json!({"id": id, "match": [{"path": {"exact": format!("/{id}")}}], "forward": {"backend": "b"},
               "authenticate": {"jwt": {"issuers": [issuer], "forward_claims": {"x-tenant": "tenant"}}},
               "authorize": {"scopes": {"all": ["read"]}}})
    };
    let client = json!({"id": "gateway", "secret": {"inline": "a secret of the gateway"}});
    let introspection =
        json!({"url": format!("{}/token/introspection", provider.issuer), "client": client, "cache_seconds": 1});
    json!({
        "settings": {"refresh_seconds": 1},
        "issuers": [
            {"id": "main", "issuer": provider.issuer, "audiences": ["orders"], "jwks": "discover"},
            {"id": "asked", "issuer": provider.issuer, "introspection": introspection},
        ],
        "backends": [{"id": "b", "targets": [{"url": backend.url()}]}],
        "routes": [route("jwt", "main"), route("opaque", "asked")],
    })
}

async fn call(stack: &Stack, path: &str, token: &str) -> Answer {
    let request =
        Request::get(path).header("host", "api.example.com").header("authorization", format!("Bearer {token}"));
    stack.send(request.body(Bytes::new()).expect("a request")).await.expect("an answer")
}

async fn jwt(provider: &OpenIdProvider) -> String {
    provider.token("read write", Some(&provider.resource)).await.expect("a token")
}

fn code(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.json::<Value>().expect("a problem")["code"].clone())
}

#[tokio::test]
async fn a_token_that_the_provider_issued_reaches_the_backend() {
    let backend = Backend::echo("b").await.expect("a backend");
    let mut provider = OpenIdProvider::start().await.expect("a provider");
    let stack = Stack::start(&document(&backend, &provider)).await.expect("a stack");
    let token = jwt(&provider).await;
    for _ in 0..5 {
        let seen = call(&stack, "/jwt", &token).await.seen().expect("an echo");
        assert_eq!(seen.header("x-faregate-consumer").as_deref(), Some("main:shop"));
        assert_eq!(seen.header("x-faregate-scopes").as_deref(), Some("read write"));
        assert_eq!(seen.header("x-tenant").as_deref(), Some("acme"));
    }
    assert_eq!(provider.requests("/jwks").await.expect("a count"), 1, "the keys are fetched once");
    let narrower = provider.token("write", Some(&provider.resource)).await.expect("a token");
    let answer = call(&stack, "/jwt", &narrower).await;
    assert_eq!(code(&answer), (403, json!("permission_denied")));
    assert!(answer.header("www-authenticate").expect("a challenge").contains("scope=\"read\""));
    // The token of another audience's resource is opaque here and no JWT.
    let opaque = provider.token("read", None).await.expect("a token");
    assert_eq!(code(&call(&stack, "/jwt", &opaque).await), (401, json!("credentials_invalid")));
}

#[tokio::test]
async fn keys_rotate_without_a_failed_request() {
    let backend = Backend::echo("b").await.expect("a backend");
    let mut provider = OpenIdProvider::start().await.expect("a provider");
    let stack =
        Stack::start_with(&document(&backend, &provider), |driver| driver.environments(4)).await.expect("a stack");
    let mut token = jwt(&provider).await;
    for number in 0..60 {
        if number == 30 {
            provider.tell("rotate").await.expect("rotated");
            token = jwt(&provider).await;
        }
        let burst = (0..4).map(|_| call(&stack, "/jwt", &token));
        for answer in futures_util::future::join_all(burst).await {
            assert_eq!(answer.status.as_u16(), 200, "{number}: {}", answer.text());
        }
    }
    let fetched = provider.requests("/jwks").await.expect("a count");
    assert!((2..=8).contains(&fetched), "{fetched} fetches by at most four environments");
}

/// The provider signs with a new key and keeps the old one in its set for as long as tokens of it live, as providers do.
#[tokio::test]
async fn keys_rotate_while_requests_are_in_flight() {
    let backend = Backend::echo("b").await.expect("a backend");
    let mut provider = OpenIdProvider::start().await.expect("a provider");
    let stack =
        Stack::start_with(&document(&backend, &provider), |driver| driver.environments(4)).await.expect("a stack");
    let tokens = Mutex::new(vec![jwt(&provider).await]);
    let known = || tokens.lock().expect("a lock").clone();
    // Every environment has the old keys.
    while provider.requests("/jwks").await.expect("a count") < 4 {
        let old = known();
        let burst = (0..8).map(|_| call(&stack, "/jwt", &old[0]));
        assert!(futures_util::future::join_all(burst).await.iter().all(|answer| answer.status.as_u16() == 200));
    }
    let requests = async {
        let mut bursts_after = 0;
        while bursts_after < 20 {
            let known = known();
            bursts_after += usize::from(known.len() > 1);
            // Tokens of the old key and the new one, at once.
            let burst = known.iter().cycle().take(8).map(|token| call(&stack, "/jwt", token));
            for answer in futures_util::future::join_all(burst).await {
                assert_eq!(answer.status.as_u16(), 200, "tokens of {} keys: {}", known.len(), answer.text());
            }
        }
    };
    let rotation = async {
        provider.tell("overlap").await.expect("rotated");
        let token = jwt(&provider).await;
        tokens.lock().expect("a lock").push(token);
    };
    tokio::join!(requests, rotation);
}

#[tokio::test]
async fn many_first_requests_fetch_the_keys_once() {
    let backend = Backend::echo("b").await.expect("a backend");
    let mut provider = OpenIdProvider::start().await.expect("a provider");
    let concurrent = |driver: faregate_testing::driver::DriverBuilder| driver.concurrency(20);
    let stack = Stack::start_with(&document(&backend, &provider), concurrent).await.expect("a stack");
    let token = jwt(&provider).await;
    let answers = futures_util::future::join_all((0..40).map(|_| call(&stack, "/jwt", &token))).await;
    assert!(answers.iter().all(|answer| answer.status.as_u16() == 200));
    assert_eq!(provider.requests("/jwks").await.expect("a count"), 1);
}

#[tokio::test]
async fn a_provider_that_stops_or_hangs_loses_no_known_key() {
    let backend = Backend::echo("b").await.expect("a backend");
    let mut provider = OpenIdProvider::start().await.expect("a provider");
    let stack = Stack::start(&document(&backend, &provider)).await.expect("a stack");
    let (first, second, third) = (jwt(&provider).await, jwt(&provider).await, jwt(&provider).await);
    // Never seen, and nobody to ask: neither a 401 nor an open door.
    provider.tell("stop").await.expect("stopped");
    let answer = call(&stack, "/jwt", &first).await;
    assert_eq!(code(&answer), (503, json!("dependency_unavailable")));
    assert!(answer.header("retry-after").is_some());
    provider.tell("start").await.expect("started");
    provider.tell("hang").await.expect("hanging");
    let mut hung = call(&stack, "/jwt", &first).await;
    let started = Instant::now();
    while hung.status.as_u16() == 503
        && provider.requests("/.well-known/openid-configuration").await.expect("a count") == 0
    {
        hung = call(&stack, "/jwt", &first).await;
        assert!(started.elapsed() < Duration::from_secs(20), "the hanging provider was never asked");
    }
    assert_eq!(code(&hung), (503, json!("dependency_unavailable")));
    provider.tell("resume").await.expect("resumed");
    let started = Instant::now();
    while call(&stack, "/jwt", &first).await.status.as_u16() != 200 {
        assert!(started.elapsed() < Duration::from_secs(20), "the provider answers again and nobody asks it");
    }
    // Its keys are known now: tokens of them need it no more, new ones neither.
    provider.tell("hang").await.expect("hanging");
    assert_eq!(call(&stack, "/jwt", &second).await.status.as_u16(), 200);
    provider.tell("resume").await.expect("resumed");
    provider.tell("stop").await.expect("stopped");
    assert_eq!(call(&stack, "/jwt", &third).await.status.as_u16(), 200);
    assert_eq!(call(&stack, "/jwt", &first).await.status.as_u16(), 200);
}

#[tokio::test]
async fn opaque_tokens_are_asked_about_and_can_be_taken_back() {
    let backend = Backend::echo("b").await.expect("a backend");
    let mut provider = OpenIdProvider::start().await.expect("a provider");
    let stack = Stack::start(&document(&backend, &provider)).await.expect("a stack");
    let token = provider.token("read", None).await.expect("a token");
    let seen = call(&stack, "/opaque", &token).await.seen().expect("an echo");
    assert_eq!(seen.header("x-faregate-consumer").as_deref(), Some("asked:shop"));
    assert_eq!(
        (seen.header("x-faregate-scopes").as_deref(), seen.header("x-tenant").as_deref()),
        (Some("read"), Some("acme"))
    );
    assert_eq!(code(&call(&stack, "/opaque", "made-up").await), (401, json!("credentials_invalid")));
    let asked = provider.requests("/token/introspection").await.expect("a count");
    assert_eq!(code(&call(&stack, "/opaque", "made-up").await), (401, json!("credentials_invalid")));
    assert_eq!(provider.requests("/token/introspection").await.expect("a count"), asked, "the refusal is remembered");

    // Taken back: known for cache_seconds at most.
    provider.revoke(&token).await.expect("revoked");
    let started = Instant::now();
    while call(&stack, "/opaque", &token).await.status.as_u16() == 200 {
        assert!(started.elapsed() < Duration::from_secs(20), "a revoked token goes on");
    }
    assert_eq!(code(&call(&stack, "/opaque", &token).await), (401, json!("credentials_invalid")));

    let (other, third) =
        (provider.token("read", None).await.expect("a token"), provider.token("read", None).await.expect("a token"));
    provider.tell("stop").await.expect("stopped");
    assert_eq!(code(&call(&stack, "/opaque", &other).await), (503, json!("dependency_unavailable")));
    provider.tell("start").await.expect("started");
    // The failure is remembered for a second.
    let started = Instant::now();
    while call(&stack, "/opaque", &other).await.status.as_u16() != 200 {
        assert!(started.elapsed() < Duration::from_secs(20), "the provider answers again and nobody asks it");
    }

    // One that takes the question and says nothing is no refusal either.
    provider.tell("hang").await.expect("hanging");
    let asked = provider.requests("/token/introspection").await.expect("a count");
    assert_eq!(code(&call(&stack, "/opaque", &third).await), (503, json!("dependency_unavailable")));
    assert_eq!(provider.requests("/token/introspection").await.expect("a count"), asked + 1);
    provider.tell("resume").await.expect("resumed");
    let started = Instant::now();
    while call(&stack, "/opaque", &third).await.status.as_u16() != 200 {
        assert!(started.elapsed() < Duration::from_secs(20), "the provider answers again and nobody asks it");
    }
}
