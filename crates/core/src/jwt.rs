//! JSON Web Tokens (RFC 7519) signed as RFC 7515 says: reading them and verifying their signatures.
//!
//! The library verifies signatures only. Everything else is decided here: which algorithm may be used comes from
//! the issuer and its keys, never from the token (RFC 8725 §3.1). No document can name an issuer yet: the gateway
//! does not use this module.

mod algorithm;
mod json;
mod keys;
mod token;

pub use algorithm::Algorithm;
pub use json::{InvalidJson, parse_strict};
pub use keys::{InvalidKeySet, KeySet, Unverified};
pub use token::{InvalidToken, SignedToken, TOKEN_BYTES_MAX, looks_like_token};
