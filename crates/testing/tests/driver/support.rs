//! Clients, gates and the function binary for the driver's own tests.

use std::path::PathBuf;

use bytes::Bytes;
use faregate_testing::driver::{Driver, DriverBuilder};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// A driver of the example `echo_function`.
pub(crate) fn builder() -> DriverBuilder {
    let test = std::env::current_exe().unwrap();
    let profile: PathBuf = test.ancestors().nth(2).unwrap().to_owned();
    let binary = profile.join("examples/echo_function");
    assert!(binary.exists(), "build the examples first: cargo build --examples");
    Driver::builder(binary).function_name("echo")
}

/// Sends a request on a connection of its own.
pub(crate) async fn send(driver: &Driver, request: Request<Bytes>) -> Response<Incoming> {
    let stream = TcpStream::connect(driver.address()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request.map(Full::new)).await.unwrap()
}

pub(crate) async fn get(driver: &Driver, path: &str) -> Response<Incoming> {
    send(driver, Request::get(path).body(Bytes::new()).unwrap()).await
}

pub(crate) async fn text(response: Response<Incoming>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Holds a function up until it is opened.
pub(crate) struct Gate(TcpListener);

impl Gate {
    pub(crate) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    /// Waits until a function stands at the gate.
    pub(crate) async fn arrival(&self) -> Arrival {
        Arrival(self.0.accept().await.unwrap().0)
    }

    /// Waits until a function stands at the gate, and lets it through.
    pub(crate) async fn open(&self) {
        self.arrival().await.open().await;
    }
}

/// A function that stands at a gate.
pub(crate) struct Arrival(TcpStream);

impl Arrival {
    pub(crate) async fn open(&mut self) {
        self.0.write_all(b"x").await.unwrap();
    }
}

/// An event that is answered once `gate` is opened.
pub(crate) fn at_gate(gate: &Gate) -> serde_json::Value {
    let query = format!("gate={}", gate.address());
    serde_json::json!({ "rawPath": "/gate", "rawQueryString": query })
}
