//! The verifier of tokens alone: what it takes, how often it checks a signature or asks, and how much it remembers.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use faregate_core::{diagnostic::Report, policy::authenticate::CredentialPolicy, snapshot::Snapshot};
use faregate_engine::{
    body::full,
    fakes::{FakeClock, FakeOutbound, FakeSecrets, FakeTelemetry},
    gateway::{Refused, SideWork, TokenPorts, TokenVerifier},
};
use faregate_testing::issuer::SigningKey;
use http::Response;
use serde_json::{Value, json};

use super::support::{
    NOW,
    provider::{ISSUER, claims},
};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A route whose issuer has this key.
fn snapshot(key: &SigningKey) -> Snapshot {
    let mut issuer = json!({"id": "main", "issuer": ISSUER, "audiences": ["orders"]});
    if key.jwk()["kty"] == "oct" {
        issuer["secret"] = json!({"ssm": "/faregate/main"});
    } else {
        issuer["jwks"] = json!({"inline": key.jwks()});
    }
    compiled(&issuer)
}

fn compiled(issuer: &Value) -> Snapshot {
    let route = json!({"id": "r", "authenticate": {"jwt": {"issuers": ["main"]}}, "respond": {}});
    let document = serde_json::from_value(json!({"issuers": [issuer], "routes": [route]})).expect("a document");
    Snapshot::compile(&document, &mut Report::default()).expect("a snapshot")
}

fn verifier(outbound: FakeOutbound) -> TokenVerifier {
    let secrets = FakeSecrets::default();
    secrets.set("/faregate/main", SECRET);
    TokenVerifier::new(&TokenPorts {
        outbound: Arc::new(outbound),
        secrets: Arc::new(secrets),
        telemetry: Arc::new(FakeTelemetry::default()),
        clock: Arc::new(FakeClock::new(NOW)),
    })
}

#[tokio::test]
async fn a_hot_client_costs_no_signature_check() {
    for key in [
        SigningKey::rs256("k"),
        SigningKey::es256("k"),
        SigningKey::es384("k"),
        SigningKey::eddsa("k"),
        SigningKey::hs256(SECRET),
    ] {
        let key = key.expect("a key");
        let verifier = verifier(FakeOutbound::default());
        let snapshot = snapshot(&key);
        let CredentialPolicy::Jwt(policy) = &snapshot.routes[0].authenticate.credentials[0] else { panic!("a JWT") };
        let checked = async |token: &str, version: u64| {
            let mut side_work = SideWork::default();
            let (issuer, identity) =
                verifier.verify(policy, token.as_bytes(), version, &mut side_work).await.expect("a good token");
            assert_eq!((&*issuer, &*identity.consumer), ("main", "main:alice"));
            verifier.signatures_checked()
        };
        let token = key.token(&claims()).expect("a token");
        for _ in 0..100 {
            assert_eq!(checked(&token, 1).await, 1, "{key:?}");
        }
        let mut others = claims();
        others["jti"] = json!("another");
        assert_eq!(checked(&key.token(&others).expect("a token"), 1).await, 2, "another token is another one");
        assert_eq!(checked(&token, 1).await, 2);
        assert_eq!(checked(&token, 2).await, 3, "a new snapshot believes nothing that an old one did");
        assert_eq!(checked(&token, 2).await, 3);
    }
}

/// SECURITY.md 2: what is remembered is bounded by count and by bytes, and what was used last stays.
#[tokio::test]
async fn a_thousand_tokens_of_eight_megabytes_are_remembered() {
    let key = SigningKey::hs256(SECRET).expect("a key");
    let snapshot = snapshot(&key);
    let CredentialPolicy::Jwt(policy) = &snapshot.routes[0].authenticate.credentials[0] else { panic!("a JWT") };
    // Of 10,000 bytes each there is room for some 740.
    for (remembered, all, filler) in [(1000, 1001, ""), (700, 900, "x".repeat(10_000).as_str())] {
        let token = |number: usize| {
            let mut claims = claims();
            claims["jti"] = json!(format!("{number}{filler}"));
            key.token(&claims).expect("a token")
        };
        let tokens: Vec<String> = (0..all).map(token).collect();
        let verifier = verifier(FakeOutbound::default());
        let checked = async |number: usize| {
            verifier
                .verify(policy, tokens[number].as_bytes(), 1, &mut SideWork::default())
                .await
                .expect("a good token");
            usize::try_from(verifier.signatures_checked()).expect("few")
        };
        for number in 0..remembered {
            assert_eq!(checked(number).await, number + 1);
        }
        // All of them are still there; the first was used last of all.
        for number in (0..remembered).rev() {
            assert_eq!(checked(number).await, remembered, "token {number}");
        }
        for number in remembered..all {
            assert_eq!(checked(number).await, number + 1);
        }
        assert_eq!((checked(0).await, checked(all - 1).await), (all, all), "what was used last stays");
        assert_eq!(checked(remembered - 1).await, all + 1, "what was used first is forgotten, and checked again");
    }
}

/// A refusal costs the provider a question, and however many tokens somebody makes up, 10,000 are remembered.
#[tokio::test]
async fn ten_thousand_refusals_of_a_provider_are_remembered() {
    const REFUSALS: usize = 10_000;
    let client = json!({"id": "gateway", "secret": {"ssm": "/faregate/main"}});
    let introspection = json!({"url": format!("{ISSUER}/introspect"), "client": client});
    let snapshot = compiled(&json!({"id": "main", "issuer": ISSUER, "introspection": introspection}));
    let CredentialPolicy::Jwt(policy) = &snapshot.routes[0].authenticate.credentials[0] else { panic!("a JWT") };
    let questions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&questions);
    let verifier = verifier(FakeOutbound::answering(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(Response::new(full(json!({"active": false}).to_string())))
    }));
    let asked = async |number: usize| {
        let token = format!("made-up-{number}");
        let refused = verifier.verify(policy, token.as_bytes(), 1, &mut SideWork::default()).await;
        assert!(matches!(refused, Err(Refused::Invalid(_))), "{refused:?}");
        questions.load(Ordering::Relaxed)
    };
    for number in 0..=REFUSALS {
        assert_eq!(asked(number).await, number + 1);
    }
    assert_eq!((asked(1).await, asked(REFUSALS).await), (REFUSALS + 1, REFUSALS + 1), "what was used last stays");
    assert_eq!(asked(0).await, REFUSALS + 2, "the first is forgotten, and asked about again");
}
