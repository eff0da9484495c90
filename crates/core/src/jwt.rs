//! JSON Web Tokens (RFC 7519) signed as RFC 7515 says: reading them and verifying their signatures.
//!
//! The library verifies signatures only. Everything else is decided here: which algorithm may be used comes from
//! the issuer and its keys, never from the token (RFC 8725 §3.1), and what the claims prove.

mod algorithm;
mod claims;
mod issuer;
mod json;
mod keys;
mod token;

pub use algorithm::Algorithm;
pub use claims::{Identity, InvalidClaims, is_scope};
pub use issuer::{IntrospectionPolicy, IssuerPolicy, KeyUrl, Verification};
pub use json::{InvalidJson, parse_strict};
pub use keys::{InvalidKeySet, KeySet, Unverified};
pub use token::{InvalidToken, SignedToken, TOKEN_BYTES_MAX, claimed_issuer, looks_like_token};
