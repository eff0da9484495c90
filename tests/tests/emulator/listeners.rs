//! 28: what `cargo xtask dev` listens on is this machine's alone, and other sites' scripts read nothing of it.

use std::{collections::BTreeSet, fs};

use bytes::Bytes;
use faregate_tests::{Answer, send};
use http::Request;
use serde_json::{Value, json};

use super::{dev::Dev, stopping::descendants};

/// State of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";
/// How an address of 127/8 ends, as `/proc/net/tcp` writes it: the least byte first.
const LOOPBACK: &str = "7F";
/// `::ffff:127.0.0.1` and `::1`.
const LOOPBACK_V6: [&str; 2] = ["0000000000000000FFFF00000100007F", "00000000000000000000000001000000"];

/// The sockets of a process, as `/proc` numbers them.
fn sockets(pid: u32) -> BTreeSet<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    let number = |target: &str| Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned());
    targets.filter_map(|target| number(target.to_str()?)).collect()
}

/// Address and port, in hexadecimal, of every listener among these sockets.
fn listeners(own: &BTreeSet<String>) -> Vec<(String, String)> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    let listener = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (address, port) = columns.get(1)?.split_once(':')?;
        let listens = columns.get(3) == Some(&LISTENING) && columns.get(9).is_some_and(|socket| own.contains(*socket));
        listens.then(|| (address.to_owned(), port.to_owned()))
    };
    lines.filter_map(listener).collect()
}

async fn preflight(address: std::net::SocketAddr) -> Answer {
    let request = Request::builder().method("OPTIONS").uri("/").header("host", address.to_string());
    let request = request.header("origin", "https://evil.example").header("access-control-request-method", "POST");
    let request = request.header("access-control-request-headers", "x-amz-target,authorization");
    send(address, request.body(Bytes::new()).expect("a request")).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listener_is_loopback_and_no_other_sites_script_reads_an_answer() {
    let (dev, other) = tokio::join!(Dev::start(), Dev::start());
    let processes = descendants(dev.pid()).into_iter().chain([dev.pid()]);
    let found = listeners(&processes.flat_map(sockets).collect());
    let is_loopback = |address: &str| match address.len() {
        8 => address.ends_with(LOOPBACK),
        _ => LOOPBACK_V6.contains(&address),
    };
    assert!(found.iter().all(|(address, _)| is_loopback(address)), "{found:?}");
    for address in [dev.gateway, dev.dynamodb, dev.backend] {
        let port = format!("{:04X}", address.port());
        assert!(found.iter().any(|(_, known)| *known == port), "{address} in {found:?}");
        let answer = preflight(address).await;
        let allowing = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
        assert_eq!(allowing, None, "{address}");
    }
    assert_ne!(dev.key, other.key);
    // The key that signs, too: whoever has read one stack's tokens can make none for another.
    assert_ne!(signing_key(dev.backend).await, signing_key(other.backend).await);
}

/// The public half of the demo issuer's key.
async fn signing_key(backend: std::net::SocketAddr) -> Value {
    let request = Request::get("/issuer/keys").header("host", backend.to_string());
    let keys = send(backend, request.body(Bytes::new()).expect("a request")).await.expect("an answer");
    let keys: Value = keys.json().expect("a set of keys");
    let key = &keys["keys"][0];
    assert!(key["x"].is_string() && key["y"].is_string() && key.get("d").is_none(), "{keys}");
    json!([key["x"], key["y"]])
}
