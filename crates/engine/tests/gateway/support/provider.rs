//! A provider of keys, and tokens for the gateway that trusts it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use faregate_engine::{body::full, fakes::FakeOutbound, ports::OutboundError};
use faregate_testing::issuer::SigningKey;
use http::Response;
use serde_json::{Value, json};

use super::{Answer, Harness, NOW, forwarding, request};

pub(crate) const ISSUER: &str = "https://auth.example.com";

/// A provider at [`ISSUER`], and a backend beside it.
#[derive(Clone, Default)]
pub(crate) struct Provider {
    pub(crate) jwks: Arc<Mutex<Value>>,
    pub(crate) is_down: Arc<AtomicBool>,
}

impl Provider {
    pub(crate) fn of(key: &SigningKey) -> Self {
        let provider = Self::default();
        provider.rotate_to(key);
        provider
    }

    pub(crate) fn rotate_to(&self, key: &SigningKey) {
        *self.jwks.lock().expect("a lock") = key.jwks();
    }

    pub(crate) fn outbound(&self) -> FakeOutbound {
        let provider = self.clone();
        FakeOutbound::answering(move |request| {
            if request.origin.authority() != "auth.example.com" {
                return Ok(Response::new(full("hello")));
            }
            if provider.is_down.load(Ordering::Relaxed) {
                return Err(OutboundError::ConnectTimeout);
            }
            let body = match request.path_and_query.as_str() {
                "/.well-known/openid-configuration" => {
                    json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys?a=b")})
                }
                "/keys?a=b" => provider.jwks.lock().expect("a lock").clone(),
                other => panic!("{other}"),
            };
            Ok(Response::new(full(body.to_string())))
        })
    }
}

pub(crate) fn document(issuer: Value, jwt: Value) -> Value {
    let mut document = forwarding(json!({"authenticate": {"jwt": jwt}}));
    document["issuers"] = json!([issuer]);
    document
}

pub(crate) fn discovering() -> Value {
    let issuer = json!({"id": "main", "issuer": ISSUER, "audiences": ["orders"], "jwks": "discover"});
    document(issuer, json!({"issuers": ["main"], "forward_claims": {"x-user": "sub", "x-level": "level"}}))
}

pub(crate) fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "orders", "sub": "alice", "exp": NOW.as_seconds() + 3600, "scope": "read write", "level": 3})
}

pub(crate) async fn call(harness: &Harness, token: &str) -> Answer {
    harness.send(request("GET", "https://h/", &[("authorization", &format!("Bearer {token}"))])).await
}

pub(crate) fn provider_calls(harness: &Harness) -> usize {
    harness.outbound.requests().iter().filter(|request| request.origin.authority() == "auth.example.com").count()
}
