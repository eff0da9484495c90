//! The stage that verifies signatures: Wycheproof's JSON Web Signature vectors, and every small change to a token.
//!
//! Most payloads are no claims, so nothing after the signature is asked. What is left out is listed with its reason;
//! everything else gets the verdict that the vectors expect. The list and the counts go to standard output, which
//! nextest shows for this binary (`cargo test` with `--nocapture`).
#![allow(clippy::print_stdout, reason = "the counts are what this test is run for")]

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use faregate_core::jwt::{Algorithm, KeySet, SignedToken};
use faregate_testing::issuer::SigningKey;
use faregate_tests::vectors;
use serde::Deserialize;
use serde_json::{Value, json};

const VECTORS: &str = "jwt-wycheproof.json";

#[derive(Deserialize)]
struct File {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    verify_key: Value,
    verify_key_is: String,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: u64,
    /// Compact, or an object for the JSON serialisation.
    #[serde(alias = "jwe")]
    token: Value,
    expect: String,
    #[serde(default)]
    suspect: Value,
}

#[test]
fn every_signature_gets_the_verdict_that_it_should() {
    let file: Option<File> = vectors(VECTORS).expect("the vectors as they are known here");
    let Some(file) = file else {
        println!("{VECTORS} is absent (FAREGATE_VECTORS names its folder): nothing was run");
        return;
    };
    let mut aside: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    let (mut right, mut encrypted) = (0, 0);
    for group in &file.groups {
        for case in &group.tests {
            let name = format!("{}/{}", group.name, case.id);
            if let Some(reason) = left_out(group, case) {
                aside.entry(reason).or_default().push(name);
            } else if verifies(group, case) != should_verify(group, case) {
                wrong.push(format!("{name}: verifies should be {}", should_verify(group, case)));
            } else if is_encrypted(group) {
                encrypted += 1;
            } else {
                right += 1;
            }
        }
    }
    let set_aside: usize = aside.values().map(Vec::len).sum();
    println!("{VECTORS}: {right} signatures judged as expected, {} not, {set_aside} left out:", wrong.len());
    for (reason, names) in &aside {
        println!("  {reason} ({}): {}", names.len(), names.join(", "));
    }
    println!("  and {encrypted} encrypted tokens, which are no signed ones, refused");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(right > 400, "{right} of the vectors are known to apply");
}

fn left_out(group: &Group, case: &Case) -> Option<&'static str> {
    let alg = group.verify_key["alg"].as_str().unwrap_or_default();
    let is_jwks = group.verify_key_is == "jwks";
    let is_symmetric = |key: &Value| key["kty"] == "oct";
    let has_symmetric = group.verify_key["keys"].as_array().is_some_and(|keys| keys.iter().any(is_symmetric));
    if !case.suspect.is_null() && case.suspect != false {
        Some("the row contradicts itself")
    } else if alg == "ES521" && case.expect == "valid" {
        Some("ES512 is not supported")
    } else if group.name.contains("roca") {
        Some("ROCA keys are not looked for")
    } else if is_jwks && has_symmetric {
        Some("a set with symmetric keys, which are never read from one")
    } else if is_named_otherwise(alg, case) {
        Some("PS384 under a PS256 key")
    } else {
        None
    }
}

/// What is encrypted is no signed token, however good it is.
fn should_verify(group: &Group, case: &Case) -> bool {
    case.expect == "valid" && !is_encrypted(group)
}

fn is_encrypted(group: &Group) -> bool {
    group.name.contains("jwe_")
}

/// The key says PS256, the token PS384, and the row that it is valid.
fn is_named_otherwise(alg: &str, case: &Case) -> bool {
    let header = case.token.as_str().and_then(|token| URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok());
    let header: Option<Value> = header.and_then(|header| serde_json::from_slice(&header).ok());
    alg == "PS256" && case.expect == "valid" && header.is_some_and(|header| header["alg"] == "PS384")
}

fn verifies(group: &Group, case: &Case) -> bool {
    // The JSON serialisation is no bearer token.
    let Some(token) = case.token.as_str() else { return false };
    let Ok(token) = SignedToken::parse(token.as_bytes()) else { return false };
    let key = &group.verify_key;
    let (keys, allowed) = if key["kty"] == "oct" {
        let Some(secret) = key["k"].as_str().and_then(|secret| URL_SAFE_NO_PAD.decode(secret).ok()) else {
            return false;
        };
        // The document says of a secret which algorithms it is for.
        let Some(algorithm) = key["alg"].as_str().and_then(Algorithm::parse) else { return false };
        (KeySet::from_secret(&secret), vec![algorithm])
    } else {
        let set = if group.verify_key_is == "jwks" { key.clone() } else { serde_json::json!({"keys": [key]}) };
        let Ok(keys) = KeySet::from_value(&set) else { return false };
        (keys, Algorithm::ASYMMETRIC.to_vec())
    };
    keys.verify(&token, &allowed).is_ok()
}

/// However a signature or a header is changed or cut, the token is refused.
#[test]
fn no_changed_or_cut_signature_or_header_verifies() {
    for key in [
        SigningKey::rs256("k"),
        SigningKey::es256("k"),
        SigningKey::es384("k"),
        SigningKey::eddsa("k"),
        SigningKey::hs256(b"0123456789abcdef0123456789abcdef"),
    ] {
        let key = key.expect("a key");
        let set = match key.jwk()["kty"].as_str() {
            Some("oct") => KeySet::from_secret(b"0123456789abcdef0123456789abcdef"),
            _ => KeySet::from_value(&key.jwks()).expect("a set"),
        };
        let allowed: Vec<Algorithm> = Algorithm::ASYMMETRIC.into_iter().chain(Algorithm::SYMMETRIC).collect();
        let verifies = |token: &[u8]| {
            SignedToken::parse(token).is_ok_and(|token| set.verify(&token, &allowed).is_ok() && token.claims().is_ok())
        };
        let token = key.token(&json!({"sub": "alice"})).expect("a token").into_bytes();
        assert!(verifies(&token));
        let header_end = token.iter().position(|byte| *byte == b'.').expect("a header");
        let signature_start = token.iter().rposition(|byte| *byte == b'.').expect("a signature") + 1;
        for place in (0..header_end).chain(signature_start..token.len()) {
            for bit in 0..8 {
                let mut changed = token.clone();
                changed[place] ^= 1 << bit;
                assert!(!verifies(&changed), "byte {place}, bit {bit}");
            }
        }
        for length in signature_start..token.len() {
            assert!(!verifies(&token[..length]), "cut to {length}");
        }
        for length in 0..header_end {
            assert!(!verifies(&[&token[..length], &token[header_end..]].concat()), "header cut to {length}");
            assert!(
                !verifies(&[&token[length + 1..header_end], &token[header_end..]].concat()),
                "header cut from {length}"
            );
        }
    }
}
