//! Tokens made by a library that is not ours: PyJWT.

use std::{collections::BTreeMap, path::Path, process::Command};

use serde::Deserialize;
use serde_json::Value;

use super::tools::programs;

/// Keys and the tokens that were made with them.
#[derive(Debug, Deserialize)]
pub struct Minted {
    /// Public keys: RSA 2048, P-256, P-384, Ed25519, and two that must not count: RSA 1024 and a symmetric one.
    pub jwks: Value,
    /// A secret of 32 bytes.
    pub secret: String,
    /// One of 64.
    pub long_secret: String,
    /// Tokens by what is wrong with them; those of `good` have no fault.
    pub tokens: BTreeMap<String, Token>,
}

/// One token.
#[derive(Debug, Deserialize)]
pub struct Token {
    /// Which issuer is to take or refuse it.
    pub issuer: String,
    /// The compact form.
    pub token: String,
}

/// Has PyJWT make one token of each sort, with times around now.
///
/// # Errors
///
/// What went wrong, as where PyJWT is not installed (`cargo xtask test` does it).
pub fn mint() -> Result<Minted, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = Command::new(programs("pyjwt").join("python")).arg(root.join("providers/tokens/mint.py")).output();
    let made = made.map_err(|error| format!("no PyJWT: {error} (`cargo xtask test` installs it)"))?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    serde_json::from_slice(&made.stdout).map_err(|error| error.to_string())
}
