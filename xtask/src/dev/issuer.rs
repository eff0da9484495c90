//! The demo's issuer: a signing key of this start alone, an OpenID provider's two documents, and one token.

use std::time::{SystemTime, UNIX_EPOCH};

use faregate_testing::issuer::SigningKey;
use serde_json::{Value, json};

use crate::failure::Failure;

/// Where its documents lie below the demo backend's address.
const PATH: &str = "/issuer";

/// How long the token is good for: a working day.
const TOKEN_SECONDS: u64 = 12 * 3600;

/// Signs tokens for the demo.
#[derive(Debug)]
pub(super) struct Issuer {
    key: SigningKey,
    url: String,
}

impl Issuer {
    /// Makes a key; `port` is the demo backend's.
    pub(super) fn new(port: u16) -> Result<Self, Failure> {
        let key = SigningKey::es256("demo").map_err(Failure::because("the demo's signing key"))?;
        Ok(Self { key, url: format!("http://127.0.0.1:{port}{PATH}") })
    }

    /// The document at a path of the demo backend, if it is the issuer's (OpenID Connect Discovery 1.0 §4).
    pub(super) fn document(&self, path: &str) -> Option<Value> {
        match path.strip_prefix(PATH)? {
            "/.well-known/openid-configuration" => {
                Some(json!({ "issuer": self.url, "jwks_uri": format!("{}/keys", self.url) }))
            }
            "/keys" => Some(self.key.jwks()),
            _ => None,
        }
    }

    /// A token that the demo's route takes.
    pub(super) fn token(&self) -> Result<String, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = json!({
            "iss": self.url,
            "aud": "demo",
            "sub": "demo",
            "name": "Ada",
            "scope": "demo.read",
            "iat": now,
            "exp": now + TOKEN_SECONDS,
        });
        self.key.token(&claims).map_err(Failure::because("the demo's token"))
    }
}

#[cfg(test)]
mod tests {
    use super::Issuer;

    #[test]
    fn its_metadata_names_itself_and_leads_to_its_keys() {
        let issuer = Issuer::new(9100).expect("an issuer");
        let metadata = issuer.document("/issuer/.well-known/openid-configuration").expect("metadata");
        assert_eq!(metadata["issuer"], "http://127.0.0.1:9100/issuer");
        assert_eq!(metadata["jwks_uri"], "http://127.0.0.1:9100/issuer/keys");
        assert_eq!(issuer.document("/issuer/keys").expect("keys")["keys"][0]["kid"], "demo");
        assert!(issuer.document("/other").is_none());
    }
}
