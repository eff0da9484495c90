//! Each limit ends what it bounds, and says which it was.

use faregate_engine::body::BodyError;
use faregate_engine::ports::{Outbound, OutboundError, OutboundLimits, OutboundRequest};
use tokio::io::AsyncWriteExt;

use crate::support::{Backend, LONG, SHORT, client, exchange, get, read, text};

const BEGUN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";

fn all_long() -> OutboundLimits {
    OutboundLimits {
        connect: Some(LONG),
        response: Some(LONG),
        idle: Some(LONG),
        stream: Some(LONG),
        invocation: Some(LONG),
    }
}

fn limited(origin: &str, limits: OutboundLimits) -> OutboundRequest {
    OutboundRequest { limits, ..get(origin) }
}

#[tokio::test]
async fn a_handshake_that_is_not_answered_ends_with_connect() {
    let (client, backend) = (client(), Backend::start().await);
    let origin = format!("https://{}", backend.address());
    let request = limited(&origin, OutboundLimits { connect: Some(SHORT), ..all_long() });
    let (answer, peer) = tokio::join!(client.send(request), backend.accept());
    assert_eq!(answer.err(), Some(OutboundError::ConnectTimeout));
    assert!(!peer.rest().await.is_empty(), "no handshake was begun");
}

#[tokio::test]
async fn a_request_that_is_not_answered_ends_with_response_or_invocation() {
    for limits in [
        OutboundLimits { response: Some(SHORT), ..all_long() },
        OutboundLimits { invocation: Some(SHORT), ..all_long() },
        OutboundLimits { connect: None, response: Some(SHORT), idle: None, stream: None, invocation: None },
    ] {
        let (client, backend) = (client(), Backend::start().await);
        let (answer, (peer, _)) =
            tokio::join!(client.send(limited(&backend.origin(), limits)), backend.answer("HTTP/1.1 200 OK\r\n"));
        assert_eq!(answer.err(), Some(OutboundError::ResponseTimeout));
        assert!(peer.rest().await.is_empty());
    }
}

#[tokio::test]
async fn an_invocation_that_ends_before_the_connection_is_a_response_timeout() {
    let (client, backend) = (client(), Backend::start().await);
    let origin = format!("https://{}", backend.address());
    let request = limited(&origin, OutboundLimits { invocation: Some(SHORT), ..all_long() });
    let (answer, _) = tokio::join!(client.send(request), backend.accept());
    assert_eq!(answer.err(), Some(OutboundError::ResponseTimeout));
}

#[tokio::test]
async fn connect_does_not_bound_a_slow_answer() {
    let (client, backend) = (client(), Backend::start().await);
    let limits = OutboundLimits { connect: Some(10 * SHORT), response: Some(12 * SHORT), ..all_long() };
    let (answer, _) = tokio::join!(client.send(limited(&backend.origin(), limits)), backend.answer(""));
    assert_eq!(answer.err(), Some(OutboundError::ResponseTimeout));
}

#[tokio::test]
async fn a_silent_body_ends_with_the_limit_that_is_nearest() {
    for (limits, end) in [
        (OutboundLimits { idle: Some(SHORT), ..all_long() }, BodyError::IdleTimeout),
        (OutboundLimits { stream: Some(SHORT), ..all_long() }, BodyError::StreamTimeout),
        (OutboundLimits { invocation: Some(10 * SHORT), ..all_long() }, BodyError::Deadline),
    ] {
        let (client, backend) = (client(), Backend::start().await);
        let request = limited(&backend.origin(), limits);
        let (response, peer, _) = exchange(&client, &backend, request, BEGUN).await;
        let body = response.expect("an answer").into_body();
        assert_eq!(read(body).await, (b"abc".to_vec(), Some(end)));
        assert!(peer.rest().await.is_empty());
    }
}

#[tokio::test]
async fn a_body_that_never_pauses_ends_with_stream() {
    let (client, backend) = (client(), Backend::start().await);
    let request = limited(&backend.origin(), OutboundLimits { stream: Some(SHORT), ..all_long() });
    let server = async {
        let (mut peer, _) = backend.answer("HTTP/1.1 200 OK\r\n\r\n").await;
        while peer.0.write_all(&[b'a'; 1024]).await.is_ok() {}
    };
    let reader = async {
        let response = client.send(request).await.expect("an answer");
        read(response.into_body()).await
    };
    let ((data, error), ()) = tokio::join!(reader, server);
    assert!(!data.is_empty());
    assert_eq!(error, Some(BodyError::StreamTimeout));
}

#[tokio::test]
async fn dropping_a_body_closes_its_connection() {
    let (client, backend) = (client(), Backend::start().await);
    let (response, peer, _) = exchange(&client, &backend, get(&backend.origin()), BEGUN).await;
    drop(response.expect("an answer"));
    assert!(peer.rest().await.is_empty());
}

#[tokio::test]
async fn limits_that_are_kept_and_limits_beyond_all_clocks_do_nothing() {
    let beyond = std::time::Duration::MAX;
    let unbounded = OutboundLimits {
        connect: Some(beyond),
        response: Some(beyond),
        idle: Some(beyond),
        stream: Some(beyond),
        invocation: Some(beyond),
    };
    for limits in [all_long(), unbounded, OutboundLimits::default()] {
        let (client, backend) = (client(), Backend::start().await);
        let request = limited(&backend.origin(), limits);
        let server = async {
            let (mut peer, _) = backend.answer(BEGUN).await;
            tokio::task::yield_now().await;
            peer.send("defghij").await;
            peer
        };
        let reader = async { text(client.send(request).await.expect("an answer")).await };
        let (body, _peer) = tokio::join!(reader, server);
        assert_eq!(body, "abcdefghij");
    }
}
