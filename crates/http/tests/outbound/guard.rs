//! Addresses that are never connected to, however they are spelled.

use std::io::ErrorKind;
use std::net::TcpListener;

use faregate_engine::ports::{Outbound, OutboundError};
use faregate_http::{InvalidSettings, OutboundClient, OutboundSettings};

use crate::support::{Backend, ManualClock, client_with, exchange, get, text};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
const LOCAL_SPELLINGS: [&str; 9] = [
    "127.0.0.1",
    "localhost",
    "LocalHost",
    "127.1",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
];

fn assert_refused(answer: &Result<http::Response<faregate_engine::body::Body>, OutboundError>, what: &str) {
    assert!(matches!(answer, Err(OutboundError::AddressRefused(_))), "{what}: {answer:?}");
}

/// A listener that can tell at once whether anybody has come.
fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("not blocking");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

fn assert_nobody_came(listener: &TcpListener) {
    assert_eq!(listener.accept().err().map(|error| error.kind()), Some(ErrorKind::WouldBlock));
}

#[tokio::test]
async fn loopback_is_refused_without_the_switch() {
    let (listener, port) = listener();
    let client = client_with(OutboundSettings::default());
    for host in LOCAL_SPELLINGS.into_iter().chain(["[::1]", "127.9.9.9", "[64:ff9b::127.0.0.1]"]) {
        for scheme in ["http", "https"] {
            let origin = format!("{scheme}://{host}:{port}");
            assert_refused(&client.send(get(&origin)).await, &origin);
        }
    }
    assert_nobody_came(&listener);
}

#[tokio::test]
async fn metadata_and_unspecified_addresses_are_refused_under_the_switch_too() {
    let (listener, port) = listener();
    let client = client_with(OutboundSettings { allow_loopback: true, ..OutboundSettings::default() });
    for host in [
        "169.254.169.254",
        "0xa9fea9fe",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "0.0.0.0",
        "0",
        "[::]",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let origin = format!("http://{host}:{port}");
        assert_refused(&client.send(get(&origin)).await, &origin);
    }
    assert_nobody_came(&listener);
}

#[tokio::test]
async fn the_runtime_api_is_refused_under_the_switch_in_every_spelling() {
    let (listener, port) = listener();
    for own in ["127.0.0.1", "localhost", "0x7f000001", "[::1]", "0.0.0.0"] {
        let client = client_with(OutboundSettings {
            allow_loopback: true,
            runtime_api: Some(format!("{own}:{port}")),
            target_hosts: None,
        });
        for host in LOCAL_SPELLINGS.into_iter().chain(["[::1]", "127.0.0.2"]) {
            let origin = format!("http://{host}:{port}");
            assert_refused(&client.send(get(&origin)).await, &format!("{origin} with {own}"));
        }
    }
    assert_nobody_came(&listener);
}

#[tokio::test]
async fn the_port_of_a_runtime_api_that_does_not_resolve_is_refused() {
    let (listener, port) = listener();
    let client = client_with(OutboundSettings {
        allow_loopback: true,
        runtime_api: Some(format!("{}.invalid:{port}", "a".repeat(64))),
        target_hosts: None,
    });
    assert_refused(&client.send(get(&format!("http://127.0.0.1:{port}"))).await, "its port");
    assert_nobody_came(&listener);
}

#[tokio::test]
async fn other_ports_beside_the_runtime_api_are_reached() {
    let backend = Backend::start().await;
    let (_listener, port) = listener();
    let client = client_with(OutboundSettings {
        allow_loopback: true,
        runtime_api: Some(format!("127.0.0.1:{port}/gateway")),
        target_hosts: None,
    });
    for host in ["127.0.0.1", "localhost"] {
        let origin = format!("http://{host}:{}", backend.address().port());
        let (answer, _, _) = exchange(&client, &backend, get(&origin), OK).await;
        assert_eq!(text(answer.expect("an answer")).await, "hi");
    }
}

#[tokio::test]
async fn target_hosts_bound_where_requests_go() {
    let backend = Backend::start().await;
    let client = client_with(OutboundSettings {
        allow_loopback: true,
        runtime_api: None,
        target_hosts: Some(vec!["localhost".to_owned(), "*.example.com".to_owned()]),
    });
    let port = backend.address().port();
    for host in ["127.0.0.1", "example.com", "localhost.evil.example", "[::1]"] {
        let origin = format!("http://{host}:{port}");
        assert_refused(&client.send(get(&origin)).await, &origin);
    }
    let (answer, _, _) = exchange(&client, &backend, get(&format!("http://localhost:{port}")), OK).await;
    assert_eq!(text(answer.expect("an answer")).await, "hi");
}

#[test]
fn a_runtime_api_that_cannot_be_read_makes_no_client() {
    let settings = OutboundSettings { runtime_api: Some("not an authority".to_owned()), ..OutboundSettings::default() };
    let error = OutboundClient::new(settings, ManualClock::at(0)).err();
    assert_eq!(error, Some(InvalidSettings::RuntimeApi("not an authority".to_owned())));
}
