//! What a backend gets, byte for byte.

use bytes::Bytes;
use faregate_engine::ports::{Outbound, OutboundError};
use http::{HeaderValue, Method};

use crate::support::{Backend, client, exchange, get, headers, request};

const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[tokio::test]
async fn a_get_has_its_headers_and_host_and_nothing_else() {
    let (client, backend) = (client(), Backend::start().await);
    let mut request = request(Method::GET, &backend.origin(), "/a%2Fb;c/?d='e'&d=f&&g={h}");
    request.headers = headers(&[("x-one", "1"), ("x-two", "a"), ("x-two", "b")]);
    let (response, _, sent) = exchange(&client, &backend, request, EMPTY).await;
    assert_eq!(response.expect("an answer").status(), 204);
    let host = backend.address();
    assert_eq!(
        sent,
        format!(
            "GET /a%2Fb;c/?d='e'&d=f&&g={{h}} HTTP/1.1\r\nx-one: 1\r\nx-two: a\r\nx-two: b\r\nhost: {host}\r\n\r\n"
        )
    );
}

#[tokio::test]
async fn a_body_goes_out_whole_and_with_its_length() {
    let (client, backend) = (client(), Backend::start().await);
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let mut request = request(method.clone(), &backend.origin(), "/");
        request.body = Bytes::from("a=b");
        let (response, _, sent) =
            exchange(&client, &backend, request, "HTTP/1.1 204 x\r\nconnection: close\r\n\r\n").await;
        response.expect("an answer");
        let host = backend.address();
        assert_eq!(sent, format!("{method} / HTTP/1.1\r\ncontent-length: 3\r\nhost: {host}\r\n\r\na=b"));
    }
}

#[tokio::test]
async fn an_empty_body_has_a_length_only_where_the_method_means_one() {
    let (client, backend) = (client(), Backend::start().await);
    for (method, has_length) in [
        ("POST", true),
        ("PUT", true),
        ("PATCH", true),
        ("GET", false),
        ("HEAD", false),
        ("OPTIONS", false),
        ("DELETE", false),
        ("PURGE", false),
    ] {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = request(method.clone(), &backend.origin(), "/");
        let (response, _, sent) =
            exchange(&client, &backend, request, "HTTP/1.1 204 x\r\nconnection: close\r\n\r\n").await;
        response.expect("an answer");
        let length = if has_length { "content-length: 0\r\n" } else { "" };
        let host = backend.address();
        assert_eq!(sent, format!("{method} / HTTP/1.1\r\n{length}host: {host}\r\n\r\n"));
    }
}

#[tokio::test]
async fn framing_headers_of_the_caller_are_replaced() {
    let (client, backend) = (client(), Backend::start().await);
    let mut request = request(Method::POST, &backend.origin(), "/");
    request.headers = headers(&[("transfer-encoding", "chunked"), ("content-length", "99"), ("content-length", "1")]);
    request.body = Bytes::from("abc");
    let (response, _, sent) = exchange(&client, &backend, request, EMPTY).await;
    response.expect("an answer");
    let host = backend.address();
    assert_eq!(sent, format!("POST / HTTP/1.1\r\ncontent-length: 3\r\nhost: {host}\r\n\r\nabc"));
}

#[tokio::test]
async fn a_host_header_replaces_the_urls_own() {
    let (client, backend) = (client(), Backend::start().await);
    let mut request = get(&backend.origin());
    request.headers = headers(&[("host", "api.example.com:8443")]);
    let (response, _, sent) = exchange(&client, &backend, request, EMPTY).await;
    response.expect("an answer");
    assert_eq!(sent, "GET / HTTP/1.1\r\nhost: api.example.com:8443\r\n\r\n");
}

#[tokio::test]
async fn two_hosts_are_not_sent() {
    let mut request = get("http://127.0.0.1");
    request.headers = headers(&[("host", "127.0.0.1"), ("host", "example.com")]);
    let answer = client().send(request).await;
    assert!(matches!(answer, Err(OutboundError::InvalidUrl(_))), "{answer:?}");
}

#[tokio::test]
async fn header_bytes_beyond_ascii_go_out_as_they_are() {
    let (client, backend) = (client(), Backend::start().await);
    let mut request = get(&backend.origin());
    request.headers.insert("x-name", HeaderValue::from_str("Zoë").expect("a value"));
    let (response, _, sent) = exchange(&client, &backend, request, EMPTY).await;
    response.expect("an answer");
    assert!(sent.contains("\r\nx-name: Zoë\r\n"), "{sent}");
}

#[tokio::test]
async fn what_cannot_go_out_unchanged_is_not_sent() {
    let client = client();
    for (method, path) in
        [(Method::GET, "/a/../b"), (Method::GET, "/a#b"), (Method::GET, "/a b"), (Method::CONNECT, "/")]
    {
        let answer = client.send(request(method, "http://127.0.0.1", path)).await;
        assert!(matches!(answer, Err(OutboundError::InvalidUrl(_))), "{path}: {answer:?}");
    }
}
