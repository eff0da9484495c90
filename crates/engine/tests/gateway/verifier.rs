//! The verifier of tokens alone: what it takes, and how often it checks a signature.

use std::sync::Arc;

use faregate_core::{diagnostic::Report, policy::authenticate::CredentialPolicy, snapshot::Snapshot};
use faregate_engine::{
    fakes::{FakeClock, FakeOutbound, FakeSecrets, FakeTelemetry},
    gateway::{SideWork, TokenPorts, TokenVerifier},
};
use faregate_testing::issuer::SigningKey;
use serde_json::json;

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
    let route = json!({"id": "r", "authenticate": {"jwt": {"issuers": ["main"]}}, "respond": {}});
    let document = serde_json::from_value(json!({"issuers": [issuer], "routes": [route]})).expect("a document");
    Snapshot::compile(&document, &mut Report::default()).expect("a snapshot")
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
        let secrets = FakeSecrets::default();
        secrets.set("/faregate/main", SECRET);
        let verifier = TokenVerifier::new(&TokenPorts {
            outbound: Arc::new(FakeOutbound::default()),
            secrets: Arc::new(secrets),
            telemetry: Arc::new(FakeTelemetry::default()),
            clock: Arc::new(FakeClock::new(NOW)),
        });
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
