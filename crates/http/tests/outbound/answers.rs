//! What becomes of a backend's answer.

use faregate_engine::body::BodyError;
use faregate_engine::ports::{Outbound, OutboundError};
use http::Method;
use tokio::io::AsyncWriteExt;

use crate::support::{Backend, answered, client, exchange, get, read, request, text};

#[tokio::test]
async fn status_headers_and_data_come_back_as_they_were() {
    let answer =
        "HTTP/1.1 418 Teapot\r\nset-cookie: a\r\nset-cookie: b\r\nx-latin: \u{e9}\r\ncontent-length: 2\r\n\r\nhi";
    let response = answered(answer).await.expect("an answer");
    assert_eq!(response.status(), 418);
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a", "b"]);
    assert_eq!(response.headers()["x-latin"].as_bytes(), "\u{e9}".as_bytes());
    assert_eq!(response.headers().len(), 4);
    assert_eq!(text(response).await, "hi");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let (client, backend) = (client(), Backend::start().await);
    for (status, location) in [
        (301, format!("{}/next", backend.origin())),
        (302, "/next".to_owned()),
        (303, "http://256.1.1.1/".to_owned()),
        (307, "http://[".to_owned()),
        (308, "//".to_owned()),
    ] {
        let answer = format!("HTTP/1.1 {status} x\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let (response, peer, _) = exchange(&client, &backend, get(&backend.origin()), answer).await;
        let response = response.expect("an answer");
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["location"], location);
        client.forget_idle();
        assert!(peer.rest().await.is_empty(), "{status}");
    }
}

#[tokio::test]
async fn encoded_content_is_not_touched() {
    let content = b"\x1f\x8b\x08\x00no gzip at all";
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 18\r\n\r\n".to_vec();
    answer.extend_from_slice(content);
    let response = answered(answer).await.expect("an answer");
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(response.headers()["content-length"], "18");
    assert_eq!(read(response.into_body()).await, (content.to_vec(), None));
}

#[tokio::test]
async fn a_switch_of_protocols_is_a_broken_answer() {
    let answer = answered("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n").await;
    assert!(matches!(answer, Err(OutboundError::BrokenAnswer(_))), "{answer:?}");
}

#[tokio::test]
async fn informational_answers_never_surface() {
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
                  HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    let response = answered(answer).await.expect("an answer");
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("link"));
    assert_eq!(text(response).await, "hi");
}

#[tokio::test]
async fn headers_of_60_kb_pass_and_of_more_than_64_kb_are_a_broken_answer() {
    for (kilobytes, passes) in [(60, true), (65, false), (2_000, false)] {
        let (client, backend) = (client(), Backend::start().await);
        let header = format!("x-header: {}\r\n", "a".repeat(1024 - "x-header: \r\n".len()));
        let server = async {
            let mut peer = backend.accept().await;
            peer.request().await;
            peer.send("HTTP/1.1 200 OK\r\n").await;
            for _ in 0..kilobytes {
                // The client leaves when it has had enough.
                if peer.0.write_all(header.as_bytes()).await.is_err() {
                    return;
                }
            }
            let _ = peer.0.write_all(b"content-length: 0\r\n\r\n").await;
            peer.rest().await;
        };
        let send = async {
            let answer = client.send(get(&backend.origin())).await;
            client.forget_idle();
            answer
        };
        let (answer, ()) = tokio::join!(send, server);
        match answer {
            Ok(response) => assert!(passes && response.headers().len() == kilobytes + 1, "{kilobytes} KB"),
            Err(error) => assert!(!passes && matches!(error, OutboundError::BrokenAnswer(_)), "{error}"),
        }
    }
}

#[tokio::test]
async fn more_than_256_header_lines_are_a_broken_answer() {
    for (lines, passes) in [(100, true), (255, true), (256, false)] {
        let answer = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "a: b\r\n".repeat(lines));
        let answer = answered(answer).await;
        assert_eq!(answer.is_ok(), passes, "{answer:?}");
        assert!(passes || matches!(answer, Err(OutboundError::BrokenAnswer(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_a_broken_answer() {
    for answer in [
        "",
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 20",
        "HTTP/1.1 200 OK\r\nx: y\r\n",
    ] {
        let (client, backend) = (client(), Backend::start().await);
        let server = async { drop(backend.answer(answer).await) };
        let (response, ()) = tokio::join!(client.send(get(&backend.origin())), server);
        assert!(matches!(response, Err(OutboundError::BrokenAnswer(_))), "{answer:?}: {response:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_reset_after_what_came() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n",
    ] {
        let (data, error) = read(answered(answer).await.expect("an answer").into_body()).await;
        assert_eq!(data, b"abc", "{answer:?}");
        assert!(matches!(error, Some(BodyError::Reset(_))), "{answer:?}: {error:?}");
    }
}

#[tokio::test]
async fn whole_bodies_of_every_framing_end_without_error() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x\r\n\r\n3\r\nabc\r\n0\r\nx: dropped\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nabc",
        "HTTP/1.0 200 OK\r\n\r\nabc",
    ] {
        assert_eq!(text(answered(answer).await.expect("an answer")).await, "abc", "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_to_head_has_a_length_and_no_body() {
    let (client, backend) = (client(), Backend::start().await);
    let head = request(Method::HEAD, &backend.origin(), "/");
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
    let (response, _peer, _) = exchange(&client, &backend, head, answer).await;
    let response = response.expect("an answer");
    assert_eq!(response.headers()["content-length"], "10");
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn a_refused_connection_and_an_unknown_name_are_no_connection() {
    let port = Backend::start().await.address().port();
    // A label of 64 characters is no name, so nothing is asked of the network.
    for origin in [format!("http://127.0.0.1:{port}"), format!("http://{}.invalid", "a".repeat(64))] {
        let answer = client().send(get(&origin)).await;
        assert!(matches!(answer, Err(OutboundError::Connect(_))), "{origin}: {answer:?}");
    }
}
