//! Connections that are kept, and when they are not.

use faregate_engine::ports::{Outbound, OutboundError};
use faregate_http::{OutboundClient, OutboundSettings};

use crate::support::{Backend, ManualClock, Peer, client, exchange, get, text};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

/// Makes an exchange whose connection then lies idle in the pool.
async fn first(client: &OutboundClient, backend: &Backend) -> Peer {
    let (answer, peer, _) = exchange(client, backend, get(&backend.origin()), OK).await;
    assert_eq!(text(answer.expect("an answer")).await, "hi");
    settle().await;
    peer
}

/// Lets the client's own tasks see what has happened to their connections.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

async fn again(client: &OutboundClient, backend: &Backend, peer: &mut Peer) {
    let (answer, _) = tokio::join!(client.send(get(&backend.origin())), peer.answer(OK));
    assert_eq!(text(answer.expect("an answer")).await, "hi");
    settle().await;
}

fn client_at(seconds: u64) -> (OutboundClient, std::sync::Arc<ManualClock>) {
    let clock = ManualClock::at(seconds);
    let settings = OutboundSettings { allow_loopback: true, ..OutboundSettings::default() };
    (OutboundClient::new(settings, clock.clone()).expect("settings"), clock)
}

#[tokio::test]
async fn a_connection_is_used_again_within_20_seconds_of_wall_time() {
    let (client, clock) = client_at(1_000);
    let backend = Backend::start().await;
    let mut peer = first(&client, &backend).await;
    for seconds in [1_000, 1_020, 1_040] {
        clock.set(seconds);
        again(&client, &backend, &mut peer).await;
    }
}

#[tokio::test]
async fn a_jump_of_the_wall_clock_drops_idle_connections() {
    for seconds in [1_021, 999, 0] {
        let (client, clock) = client_at(1_000);
        let backend = Backend::start().await;
        let old = first(&client, &backend).await;
        clock.set(seconds);
        let mut new = first(&client, &backend).await;
        assert!(old.rest().await.is_empty());
        again(&client, &backend, &mut new).await;
    }
}

#[tokio::test]
async fn forgotten_connections_are_closed_and_not_used_again() {
    let (client, backend) = (client(), Backend::start().await);
    let old = first(&client, &backend).await;
    client.forget_idle();
    assert!(old.rest().await.is_empty());
    first(&client, &backend).await;
}

#[tokio::test]
async fn forgetting_does_not_end_a_body_that_is_under_way() {
    let (client, backend) = (client(), Backend::start().await);
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab";
    let (answer, mut peer, _) = exchange(&client, &backend, get(&backend.origin()), begun).await;
    client.forget_idle();
    let (body, ()) = tokio::join!(text(answer.expect("an answer")), peer.send("cd"));
    assert_eq!(body, "abcd");
}

#[tokio::test]
async fn a_connection_that_the_backend_closed_while_idle_costs_no_request() {
    let (client, backend) = (client(), Backend::start().await);
    drop(first(&client, &backend).await);
    settle().await;
    first(&client, &backend).await;
}

#[tokio::test]
async fn a_request_that_was_read_and_not_answered_is_not_sent_again() {
    let (client, backend) = (client(), Backend::start().await);
    let mut peer = first(&client, &backend).await;
    let server = async {
        peer.request().await;
        drop(peer);
    };
    let (answer, ()) = tokio::join!(client.send(get(&backend.origin())), server);
    assert!(matches!(answer, Err(OutboundError::BrokenAnswer(_))), "{answer:?}");
    let probe = async {
        let (_, request) = backend.answer(OK).await;
        request
    };
    let mut last = get(&backend.origin());
    last.path_and_query = "/last".to_owned();
    let (answer, next) = tokio::join!(client.send(last), probe);
    answer.expect("an answer");
    assert!(next.starts_with("GET /last "), "{next}");
}
