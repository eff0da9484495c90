//! A key that signs tokens, made anew each time: for tests, and for the issuer of the local stack.

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use serde_json::{Value, json};

/// Bytes of PKCS #8 before the PKCS #1 key of an RSA key of 2048 bits (RFC 5208 §5).
const RSA_PKCS8_HEADER_BYTES: usize = 26;

/// A signing key, its name and its public half.
pub struct SigningKey {
    kid: String,
    algorithm: Algorithm,
    key: EncodingKey,
    jwk: Value,
}

/// Why there is no key, or no signature.
#[derive(Debug, thiserror::Error)]
#[error("the key cannot be made or used: {0}")]
pub struct SigningError(String);

impl From<aws_lc_rs::error::Unspecified> for SigningError {
    fn from(error: aws_lc_rs::error::Unspecified) -> Self {
        Self(error.to_string())
    }
}

impl From<jsonwebtoken::errors::Error> for SigningError {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        Self(error.to_string())
    }
}

impl SigningKey {
    /// A new RSA key of 2048 bits, for RS256.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn rs256(kid: &str) -> Result<Self, SigningError> {
        let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&RsaKeyPair::generate(KeySize::Rsa2048)?)?;
        let pkcs1 = pkcs8.as_ref().get(RSA_PKCS8_HEADER_BYTES..).unwrap_or_default();
        Self::new(kid, Algorithm::RS256, EncodingKey::from_rsa_der(pkcs1))
    }

    /// A new key on P-256, for ES256.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn es256(kid: &str) -> Result<Self, SigningError> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
        Self::new(kid, Algorithm::ES256, EncodingKey::from_ec_der(pkcs8.as_ref()))
    }

    /// A new key on P-384, for ES384.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn es384(kid: &str) -> Result<Self, SigningError> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new())?;
        Self::new(kid, Algorithm::ES384, EncodingKey::from_ec_der(pkcs8.as_ref()))
    }

    /// A new Ed25519 key, for EdDSA.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn eddsa(kid: &str) -> Result<Self, SigningError> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())?;
        Self::new(kid, Algorithm::EdDSA, EncodingKey::from_ed_der(pkcs8.as_ref()))
    }

    /// A shared secret, for HS256.
    ///
    /// # Errors
    /// Never for any secret that there is.
    pub fn hs256(secret: &[u8]) -> Result<Self, SigningError> {
        Self::new("", Algorithm::HS256, EncodingKey::from_secret(secret))
    }

    fn new(kid: &str, algorithm: Algorithm, key: EncodingKey) -> Result<Self, SigningError> {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm)?)
            .map_err(|error| SigningError(error.to_string()))?;
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        Ok(Self { kid: kid.to_owned(), algorithm, key, jwk })
    }

    /// The public key (RFC 7517 §4), with its `kid`.
    #[must_use]
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// The JWK set with this key alone.
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk] })
    }

    /// A token with these claims.
    ///
    /// # Errors
    /// If the key does not sign.
    pub fn token(&self, claims: &Value) -> Result<String, SigningError> {
        let mut header = json!({ "alg": format!("{:?}", self.algorithm), "typ": "JWT" });
        if !self.kid.is_empty() {
            header["kid"] = json!(self.kid);
        }
        self.sign(&header.to_string(), &claims.to_string())
    }

    /// A token with this header and payload, whatever they are.
    ///
    /// # Errors
    /// If the key does not sign.
    pub fn sign(&self, header: &str, payload: &str) -> Result<String, SigningError> {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm)?;
        Ok(format!("{message}.{signature}"))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
