//! What a token costs the first time, and every time after: `cargo bench -p faregate-engine --bench tokens`.
//!
//! The first time the signature and the claims are verified; after that the token is found by its SHA-256, and its
//! times are checked. Nothing is sent: keys stand in the issuer's entry, the secret comes from a fake.

use std::{cell::Cell, hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use faregate_core::{
    diagnostic::Report,
    document::Document,
    policy::{authenticate::CredentialPolicy, jwt::JwtPolicy},
    snapshot::Snapshot,
    time::Timestamp,
};
use faregate_engine::{
    fakes::{FakeClock, FakeOutbound, FakeSecrets, FakeTelemetry},
    gateway::{SideWork, TokenPorts, TokenVerifier},
};
use faregate_testing::issuer::SigningKey;
use futures_util::FutureExt;
use serde_json::json;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// More than are remembered: whoever takes them in turn never meets one that still is.
const TOKENS: usize = 1500;

fn snapshot(key: &SigningKey) -> Snapshot {
    let is_shared = key.jwk()["kty"] == "oct";
    let mut issuer = json!({"id": "main", "issuer": "https://main.example", "audiences": ["a"]});
    if is_shared {
        issuer["secret"] = json!({"ssm": "/faregate/main"});
    } else {
        issuer["jwks"] = json!({"inline": key.jwks()});
    }
    let route = json!({"id": "r", "authenticate": {"jwt": {"issuers": ["main"]}}, "respond": {}});
    let document = json!({"issuers": [issuer], "routes": [route]});
    let document: Document = serde_json::from_value(document).expect("a document");
    Snapshot::compile(&document, &mut Report::default()).expect("a snapshot")
}

fn tokens(key: &SigningKey) -> Vec<String> {
    let token = |number| {
        let exp = NOW.as_seconds() + 3600;
        let claims = json!({"iss": "https://main.example", "aud": "a", "sub": "alice", "exp": exp, "iat": NOW.as_seconds(),
                            "scope": "orders.read orders.write", "jti": format!("{number:032}"), "tenant": "acme"});
        key.token(&claims).expect("a token")
    };
    (0..TOKENS).map(token).collect()
}

fn policy(snapshot: &Snapshot) -> &JwtPolicy {
    match &snapshot.routes[0].authenticate.credentials[0] {
        CredentialPolicy::Jwt(policy) => policy,
        other => panic!("{other:?}"),
    }
}

fn verifier() -> TokenVerifier {
    let secrets = FakeSecrets::default();
    secrets.set("/faregate/main", SECRET);
    TokenVerifier::new(&TokenPorts {
        outbound: Arc::new(FakeOutbound::default()),
        secrets: Arc::new(secrets),
        telemetry: Arc::new(FakeTelemetry::default()),
        clock: Arc::new(FakeClock::new(NOW)),
    })
}

fn verify(verifier: &TokenVerifier, policy: &JwtPolicy, token: &str, side_work: &mut SideWork) {
    let verified = verifier.verify(policy, black_box(token.as_bytes()), 1, side_work).now_or_never();
    assert!(verified.expect("nothing to wait for").is_ok());
}

fn costs(criterion: &mut Criterion) {
    for (name, key) in [
        ("RS256", SigningKey::rs256("k")),
        ("ES256", SigningKey::es256("k")),
        ("EdDSA", SigningKey::eddsa("k")),
        ("HS256", SigningKey::hs256(SECRET)),
    ] {
        let key = key.expect("a key");
        let (snapshot, tokens) = (snapshot(&key), tokens(&key));
        let (policy, verifier) = (policy(&snapshot), verifier());
        let mut side_work = SideWork::default();
        let mut group = criterion.benchmark_group(name);
        let next = Cell::new(0);
        group.bench_function("first", |bencher| {
            bencher.iter(|| {
                next.set((next.get() + 1) % TOKENS);
                verify(&verifier, policy, &tokens[next.get()], &mut side_work);
            });
        });
        group.bench_function("repeated", |bencher| {
            bencher.iter(|| verify(&verifier, policy, &tokens[0], &mut side_work));
        });
        group.finish();
    }
}

criterion_group!(benches, costs);
criterion_main!(benches);
