//! HTTP/2, which needs a certificate that the client trusts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use faregate_core::time::Timestamp;
use faregate_engine::body::BodyError;
use faregate_engine::ports::{Clock, Outbound, OutboundError, OutboundLimits, OutboundRequest};
use h2::server::SendResponse;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body_util::BodyExt;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::OutboundClient;
use crate::settings::OutboundSettings;

struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// A backend that speaks both protocols, and a client that trusts it.
struct Secure {
    client: OutboundClient,
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Secure {
    async fn start() -> Self {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .expect("a server");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut roots = RootCertStore::empty();
        roots.add(own.cert.der().clone()).expect("a root");
        let settings = OutboundSettings { allow_loopback: true, ..OutboundSettings::default() };
        Self {
            client: OutboundClient::trusting(roots, settings, Arc::new(StandingClock)).expect("settings"),
            listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port"),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("bound")
    }

    fn request(&self, host: Option<&str>) -> OutboundRequest {
        let host = host.map(|host| (HOST, HeaderValue::from_str(host).expect("a host")));
        OutboundRequest {
            method: Method::GET,
            origin: format!("https://{}", self.address()).parse().expect("an origin"),
            path_and_query: "/a?b".to_owned(),
            headers: HeaderMap::from_iter(host),
            body: Bytes::new(),
            limits: OutboundLimits::default(),
        }
    }

    async fn accept(&self) -> TlsStream<TcpStream> {
        let (stream, _) = self.listener.accept().await.expect("a connection");
        self.acceptor.accept(stream).await.expect("a handshake")
    }

    /// Serves one HTTP/2 connection to its end, each request in the same way.
    async fn serve_http2(&self, mut serve: impl FnMut(Request<h2::RecvStream>, SendResponse<Bytes>)) {
        let mut connection = h2::server::handshake(self.accept().await).await.expect("HTTP/2");
        while let Some(Ok((request, respond))) = connection.accept().await {
            serve(request, respond);
        }
    }
}

#[tokio::test]
async fn http2_has_the_urls_authority_and_no_host_header() {
    let secure = Secure::start().await;
    let own = secure.address().to_string();
    for host in [None, Some(own.as_str())] {
        let mut seen = None;
        let server = secure.serve_http2(|request, mut respond| {
            seen = Some((request.uri().to_string(), request.headers().clone()));
            respond.send_response(Response::new(()), true).expect("an answer");
        });
        let send = async {
            let answer = secure.client.send(secure.request(host)).await.expect("an answer");
            secure.client.forget_idle();
            answer.version()
        };
        let (version, ()) = tokio::join!(send, server);
        assert_eq!(version, Version::HTTP_2);
        let (uri, headers) = seen.expect("a request");
        assert_eq!(uri, format!("https://{own}/a?b"));
        assert_eq!(headers, HeaderMap::new());
    }
}

#[tokio::test]
async fn a_host_of_its_own_goes_over_http1_even_to_a_backend_with_http2() {
    let secure = Secure::start().await;
    let server = async {
        let mut stream = secure.accept().await;
        let mut head = vec![0; 1024];
        let length = stream.read(&mut head).await.expect("a request");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("an answer");
        (stream, String::from_utf8_lossy(&head[..length]).into_owned())
    };
    let (answer, (_stream, head)) = tokio::join!(secure.client.send(secure.request(Some("example.com"))), server);
    assert_eq!(answer.expect("an answer").version(), Version::HTTP_11);
    assert_eq!(head, "GET /a?b HTTP/1.1\r\nhost: example.com\r\n\r\n");
}

#[tokio::test]
async fn a_stream_that_is_reset_before_its_headers_is_a_broken_answer_and_not_sent_again() {
    for reason in [h2::Reason::INTERNAL_ERROR, h2::Reason::REFUSED_STREAM] {
        let secure = Secure::start().await;
        let mut count = 0;
        let server = secure.serve_http2(|_, mut respond| {
            count += 1;
            respond.send_reset(reason);
        });
        let send = async {
            let answer = secure.client.send(secure.request(None)).await;
            secure.client.forget_idle();
            answer
        };
        let (answer, ()) = tokio::join!(send, server);
        assert!(matches!(answer, Err(OutboundError::BrokenAnswer(_))), "{answer:?}");
        assert_eq!(count, 1);
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_in_its_body_is_a_reset() {
    let secure = Secure::start().await;
    let (read, was_read) = tokio::sync::oneshot::channel::<()>();
    let mut was_read = Some(was_read);
    let server = secure.serve_http2(|_, mut respond| {
        let mut body = respond.send_response(Response::new(()), false).expect("an answer");
        body.send_data(Bytes::from("abc"), false).expect("data");
        let was_read = was_read.take().expect("one request");
        tokio::spawn(async move {
            was_read.await.expect("read");
            body.send_reset(h2::Reason::INTERNAL_ERROR);
        });
    });
    let send = async {
        let mut body = secure.client.send(secure.request(None)).await.expect("an answer").into_body();
        let data = body.frame().await.expect("a frame").expect("no error").into_data().ok();
        read.send(()).expect("a server");
        let error = body.frame().await.expect("a frame").err();
        secure.client.forget_idle();
        (data, error)
    };
    let ((data, error), ()) = tokio::join!(send, server);
    assert_eq!(data, Some(Bytes::from("abc")));
    assert!(matches!(error, Some(BodyError::Reset(_))), "{error:?}");
}

#[tokio::test]
async fn more_than_64_kb_of_http2_headers_are_a_broken_answer() {
    let secure = Secure::start().await;
    let server = secure.serve_http2(|_, mut respond| {
        let mut answer = Response::new(());
        for number in 0..66 {
            let value = HeaderValue::from_str(&format!("{number}{}", "a".repeat(1024))).expect("a value");
            answer.headers_mut().append("x-header", value);
        }
        respond.send_response(answer, true).expect("an answer");
    });
    let send = async {
        let answer = secure.client.send(secure.request(None)).await;
        secure.client.forget_idle();
        answer
    };
    let (answer, ()) = tokio::join!(send, server);
    assert!(matches!(answer, Err(OutboundError::BrokenAnswer(_))), "{answer:?}");
}

#[tokio::test]
async fn dropping_an_http2_body_resets_its_stream() {
    let secure = Secure::start().await;
    let (told, reset) = tokio::sync::oneshot::channel();
    let mut told = Some(told);
    let server = secure.serve_http2(|_, mut respond| {
        let mut body = respond.send_response(Response::new(()), false).expect("an answer");
        let told = told.take().expect("one request");
        tokio::spawn(async move {
            let reason = std::future::poll_fn(|context| body.poll_reset(context)).await;
            let _ = told.send(reason.ok());
        });
    });
    let send = async {
        drop(secure.client.send(secure.request(None)).await.expect("an answer"));
        let reason = reset.await.expect("a reason");
        secure.client.forget_idle();
        reason
    };
    let (reason, ()) = tokio::join!(send, server);
    assert_eq!(reason, Some(h2::Reason::CANCEL));
}
