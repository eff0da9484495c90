//! Picks the certificates of Amazon's own authorities out of Mozilla's list, for `src/config/http_client.rs`.

// A build script talks to cargo by its environment and its standard output.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::{env, fs, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// Amazon Trust Services' roots (<https://www.amazontrust.com/repository/>), as their subjects name them.
const AUTHORITIES: [&str; 5] = [
    "Amazon Root CA 1",
    "Amazon Root CA 2",
    "Amazon Root CA 3",
    "Amazon Root CA 4",
    "Starfield Services Root Certificate Authority - G2",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let pem: String = AUTHORITIES.iter().map(|name| pem_of(name)).collect();
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(folder.join("amazon-roots.pem"), pem).expect("the folder can be written");
}

fn pem_of(name: &str) -> String {
    let names_it = |der: &&[u8]| der.windows(name.len()).any(|window| window == name.as_bytes());
    let mut named = TLS_SERVER_ROOT_CERTS.iter().map(|certificate| certificate.as_ref()).filter(names_it);
    let der = named.next().unwrap_or_else(|| panic!("no certificate of `{name}`"));
    assert!(named.next().is_none(), "several certificates of `{name}`");
    let base64 = STANDARD.encode(der);
    let lines: Vec<&str> = (0..base64.len()).step_by(64).map(|at| &base64[at..base64.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
