//! The keys of an issuer, and whether a token was signed by one of them.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::{Algorithm, SignedToken, json::parse_strict};

/// Most keys of a set that are looked at.
const KEYS_MAX: usize = 100;
/// Fewest and most bits of an RSA key (RFC 7518 §3.3; more than the most would only cost time).
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// What only the owner of a key may have (RFC 7518 §6.2.2, §6.3.2 and §6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Keys that can verify; those that cannot were left out.
#[derive(Clone, Default)]
pub struct KeySet {
    keys: Arc<[Key]>,
}

struct Key {
    kid: Option<Box<str>>,
    algorithms: Box<[Algorithm]>,
    key: DecodingKey,
}

/// Why something is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeySet {
    /// It is not the JSON of RFC 7517 §5.
    #[error("no JWK set")]
    Malformed,
    /// No key of it can verify a signature.
    #[error("a JWK set without any usable key")]
    Empty,
    /// A key of it is not public: whoever reads it can sign.
    #[error("key {index} of the set has the private member `{member}`: only public keys belong here")]
    Private {
        /// Which one, from 0.
        index: usize,
        /// What of it, by name.
        member: &'static str,
    },
}

/// Why no key verifies a token, for the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The issuer does not sign like that.
    #[error("an algorithm that the issuer does not use")]
    Algorithm,
    /// No key has that `kid` and takes that algorithm; a newer set may.
    #[error("no key for the token")]
    UnknownKey,
    /// The key that the token names is there, and the signature is not its own.
    #[error("a signature that does not verify")]
    Signature,
    /// Keys without a name, or for a token that names none, are there, and the signature is no one's of them; that of a
    /// newer one it may be.
    #[error("a signature of none of the keys that it may be of")]
    Unnamed,
}

impl KeySet {
    /// Reads a JWK set (RFC 7517 §5) as a provider answers it. Keys of another use, unknown kinds, symmetric and too
    /// short ones are left out, as §5 says of keys that are not understood; none may be left, since a provider may
    /// take back all of them.
    ///
    /// # Errors
    ///
    /// [`InvalidKeySet::Malformed`].
    pub fn from_jwks(bytes: &[u8]) -> Result<Self, InvalidKeySet> {
        Self::read(&parse_strict(bytes).map_err(|_| InvalidKeySet::Malformed)?)
    }

    /// The same of a set in a document, where one that verifies nothing is a mistake, and so is a private key: documents
    /// are published, exported and compared as they are (SECURITY.md 11).
    ///
    /// # Errors
    ///
    /// [`InvalidKeySet`].
    pub fn from_value(set: &Value) -> Result<Self, InvalidKeySet> {
        let keys = Self::read(set)?;
        match private_member(set) {
            Some((index, member)) => Err(InvalidKeySet::Private { index, member }),
            None if keys.is_empty() => Err(InvalidKeySet::Empty),
            None => Ok(keys),
        }
    }

    fn read(set: &Value) -> Result<Self, InvalidKeySet> {
        let keys = set.get("keys").and_then(Value::as_array).ok_or(InvalidKeySet::Malformed)?;
        let usable = keys.iter().take(KEYS_MAX).filter_map(Value::as_object).filter_map(Key::read);
        Ok(Self { keys: usable.collect() })
    }

    /// Whether no key of it can verify a signature.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// A shared secret. It takes no algorithm whose hash is longer than the secret, so that one shorter than all of them
    /// is no key.
    #[must_use]
    pub fn from_secret(secret: &[u8]) -> Self {
        let takes = |algorithm: &Algorithm| secret.len() >= algorithm.secret_bytes_min();
        let algorithms: Box<[Algorithm]> = Algorithm::SYMMETRIC.into_iter().filter(takes).collect();
        if algorithms.is_empty() {
            return Self::default();
        }
        Self { keys: Arc::new([Key { kid: None, algorithms, key: DecodingKey::from_secret(secret) }]) }
    }

    /// Whether a key of the set signed the token with one of the issuer's algorithms.
    ///
    /// # Errors
    ///
    /// [`Unverified`].
    pub fn verify(&self, token: &SignedToken<'_>, allowed: &[Algorithm]) -> Result<(), Unverified> {
        let algorithm = token.algorithm();
        if !allowed.contains(&algorithm) {
            return Err(Unverified::Algorithm);
        }
        let fits = |key: &&Key| {
            let is_named = match (token.kid(), &key.kid) {
                (Some(wanted), Some(kid)) => wanted == &**kid,
                // RFC 7515 §4.1.4: `kid` is a hint; without one on either side every key may be meant.
                (None, _) | (_, None) => true,
            };
            is_named && key.algorithms.contains(&algorithm)
        };
        let (mut known, mut named) = (false, false);
        for key in self.keys.iter().filter(fits) {
            known = true;
            named |= token.kid().is_some() && token.kid() == key.kid.as_deref();
            let verified = jsonwebtoken::crypto::verify(
                token.signature,
                token.message.as_bytes(),
                &key.key,
                algorithm.of_jsonwebtoken(),
            );
            if matches!(verified, Ok(true)) {
                return Ok(());
            }
        }
        Err(match (known, named) {
            (false, _) => Unverified::UnknownKey,
            (true, false) => Unverified::Unnamed,
            (true, true) => Unverified::Signature,
        })
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| (&key.kid, &key.algorithms))).finish()
    }
}

impl Key {
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if jwk.get("use").is_some_and(|r#use| r#use != "sig") || jwk.get("key_ops").is_some_and(is_for_something_else) {
            return None;
        }
        let (algorithms, key) = match text("kty")? {
            "RSA" => {
                let (n, e) = (text("n")?, text("e")?);
                let (modulus, exponent) = (URL_SAFE_NO_PAD.decode(n).ok()?, URL_SAFE_NO_PAD.decode(e).ok()?);
                let is_sound = RSA_BITS.contains(&bits(&modulus)) && is_exponent(&exponent);
                (Algorithm::RSA.to_vec(), is_sound.then(|| DecodingKey::from_rsa_components(n, e).ok())??)
            }
            "EC" => {
                let (algorithm, length) = match text("crv")? {
                    "P-256" => (Algorithm::ES256, 32),
                    "P-384" => (Algorithm::ES384, 48),
                    _ => return None,
                };
                let (x, y) = (coordinate(text("x")?, length)?, coordinate(text("y")?, length)?);
                (vec![algorithm], DecodingKey::from_ec_components(x, y).ok()?)
            }
            "OKP" if text("crv")? == "Ed25519" => {
                (vec![Algorithm::EdDSA], DecodingKey::from_ed_components(coordinate(text("x")?, 32)?).ok()?)
            }
            _ => return None,
        };
        let algorithms = match jwk.get("alg") {
            None => algorithms,
            Some(alg) => {
                let own = Algorithm::parse(alg.as_str()?).filter(|own| algorithms.contains(own))?;
                vec![own]
            }
        };
        let kid = match jwk.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str()?.into()),
        };
        Some(Self { kid, algorithms: algorithms.into(), key })
    }
}

/// The first private member of a set, and in which key; a `null` is none.
fn private_member(set: &Value) -> Option<(usize, &'static str)> {
    let keys = set.get("keys").and_then(Value::as_array).into_iter().flatten();
    let has = |key: &Value, member: &str| key.get(member).is_some_and(|value| !value.is_null());
    let find = |key: &Value| PRIVATE_MEMBERS.into_iter().find(|member| has(key, member));
    keys.enumerate().find_map(|(index, key)| Some((index, find(key)?)))
}

/// RFC 7517 §4.3: a key with `key_ops` verifies only if it says so.
fn is_for_something_else(key_ops: &Value) -> bool {
    !key_ops.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
}

fn coordinate(text: &str, length: usize) -> Option<&str> {
    (URL_SAFE_NO_PAD.decode(text).ok()?.len() == length).then_some(text)
}

fn bits(number: &[u8]) -> usize {
    let first = number.iter().position(|byte| *byte != 0);
    first.map_or(0, |first| (number.len() - first) * 8 - number[first].leading_zeros() as usize)
}

/// Odd, more than 1, at most 64 bits.
fn is_exponent(bytes: &[u8]) -> bool {
    (2..=64).contains(&bits(bytes)) && bytes.last().is_some_and(|last| last % 2 == 1)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{InvalidKeySet, KeySet, PRIVATE_MEMBERS};

    /// Public keys: RFC 8037 appendix A.2, and RFC 7517 appendix A.1.
    fn public() -> [Value; 2] {
        [
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            json!({"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                   "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}),
        ]
    }

    #[test]
    fn a_documents_set_has_public_keys_only() {
        assert!(KeySet::from_value(&json!({"keys": public()})).is_ok());
        for member in PRIVATE_MEMBERS {
            for index in [0, 1] {
                let mut keys = public();
                keys[index][member] = json!("c2VjcmV0");
                let set = json!({"keys": keys});
                let error = KeySet::from_value(&set).expect_err("a private key");
                assert_eq!(error, InvalidKeySet::Private { index, member });
                assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
                // A provider that shows too much is still one whose public keys verify.
                assert!(KeySet::from_jwks(set.to_string().as_bytes()).is_ok_and(|set| !set.is_empty()));
            }
        }
        let shared = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]});
        assert_eq!(KeySet::from_value(&shared).err(), Some(InvalidKeySet::Private { index: 0, member: "k" }));
        // However many keys stand before it, more than are looked at for signatures among them.
        let mut keys = vec![public()[0].clone(); 150];
        keys.push(json!({"kty": "oct", "k": "c2VjcmV0"}));
        let error = KeySet::from_value(&json!({"keys": keys})).err();
        assert_eq!(error, Some(InvalidKeySet::Private { index: 150, member: "k" }));
    }
}
