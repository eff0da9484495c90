//! Backends made of plain sockets, a clock that stands still, and short ways to send.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use faregate_core::time::Timestamp;
use faregate_engine::body::{Body, BodyError};
use faregate_engine::ports::{Clock, Outbound, OutboundError, OutboundLimits, OutboundRequest};
use faregate_http::{OutboundClient, OutboundSettings};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Short enough to wait for, in tests where nothing else can happen.
pub(crate) const SHORT: Duration = Duration::from_millis(50);
/// Longer than any test.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// Wall time that tests move.
#[derive(Default)]
pub(crate) struct ManualClock(AtomicU64);

impl ManualClock {
    pub(crate) fn at(seconds: u64) -> Arc<Self> {
        let clock = Self::default();
        clock.set(seconds);
        Arc::new(clock)
    }

    pub(crate) fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// A client for development: loopback is let through.
pub(crate) fn client() -> OutboundClient {
    client_with(OutboundSettings { allow_loopback: true, ..OutboundSettings::default() })
}

pub(crate) fn client_with(settings: OutboundSettings) -> OutboundClient {
    OutboundClient::new(settings, ManualClock::at(1_000)).expect("valid settings")
}

/// A request without headers, body and limits.
pub(crate) fn request(method: Method, origin: &str, path_and_query: &str) -> OutboundRequest {
    OutboundRequest {
        method,
        origin: origin.parse().expect("an origin"),
        path_and_query: path_and_query.to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        limits: OutboundLimits::default(),
    }
}

pub(crate) fn get(origin: &str) -> OutboundRequest {
    request(Method::GET, origin, "/")
}

pub(crate) fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
    list.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

/// A listening backend.
pub(crate) struct Backend(TcpListener);

impl Backend {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port"))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("bound")
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address())
    }

    pub(crate) async fn accept(&self) -> Peer {
        Peer(self.0.accept().await.expect("a connection").0)
    }

    /// Accepts a connection, reads a request from it and gives an answer.
    pub(crate) async fn answer(&self, answer: impl AsRef<[u8]>) -> (Peer, String) {
        let mut peer = self.accept().await;
        let request = peer.answer(answer).await;
        (peer, request)
    }
}

/// One connection of a backend.
pub(crate) struct Peer(pub(crate) TcpStream);

impl Peer {
    /// One request: its head, and as much body as its `content-length` says.
    pub(crate) async fn request(&mut self) -> String {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            text.push(self.0.read_u8().await.expect("a whole head"));
        }
        let head = String::from_utf8_lossy(&text).into_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
        self.0.read_exact(&mut body).await.expect("a whole body");
        head + &String::from_utf8_lossy(&body)
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("an open connection");
    }

    pub(crate) async fn answer(&mut self, answer: impl AsRef<[u8]>) -> String {
        let request = self.request().await;
        self.send(answer).await;
        request
    }

    /// Everything that still comes until the client has closed the connection.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = self.0.read_to_end(&mut rest).await;
        rest
    }
}

/// Sends a request to a backend that answers so; the connection stays open.
pub(crate) async fn exchange(
    client: &OutboundClient,
    backend: &Backend,
    request: OutboundRequest,
    answer: impl AsRef<[u8]>,
) -> (Result<Response<Body>, OutboundError>, Peer, String) {
    let (response, (peer, request)) = tokio::join!(client.send(request), backend.answer(answer));
    (response, peer, request)
}

/// A `GET /` to a new backend that answers so and then closes the connection.
pub(crate) async fn answered(answer: impl AsRef<[u8]>) -> Result<Response<Body>, OutboundError> {
    let (client, backend) = (client(), Backend::start().await);
    let (response, _, _) = exchange(&client, &backend, get(&backend.origin()), answer).await;
    response
}

/// The data of a body, and what it broke with.
pub(crate) async fn read(mut body: Body) -> (Vec<u8>, Option<BodyError>) {
    let mut data = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => data.extend_from_slice(&frame.into_data().expect("no trailers")),
            Err(error) => {
                assert!(body.frame().await.is_none(), "a body goes on after an error");
                return (data, Some(error));
            }
        }
    }
    (data, None)
}

/// The data of a body that is whole.
pub(crate) async fn text(response: Response<Body>) -> String {
    let (data, error) = read(response.into_body()).await;
    assert_eq!(error, None);
    String::from_utf8(data).expect("text")
}
