//! A client that sends what it is told: no redirects, no retries, no header of its own.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1::handshake};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use super::seen::{Seen, readable};

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection.
    #[error("no connection")]
    Connect(#[from] std::io::Error),
    /// The connection ended before the answer did, or what came is no HTTP.
    #[error("the answer broke off")]
    Broken(#[from] hyper::Error),
    /// The function posted no answer that can be understood.
    #[error("the function gave no answer: {0}")]
    NoAnswer(String),
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The values of a header joined with `, `; `None` where it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<String> = self.headers.get_all(name).iter().map(|value| readable(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The body as text, what is not UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON: a problem document, for one.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// What an echo backend got, if the answer is its.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        self.json().ok()
    }
}

/// Sends a request on a connection of its own and takes the whole answer. Path and headers go out as they are;
/// one without `host` is sent without.
///
/// # Errors
///
/// [`SendError`] where no whole answer came.
pub async fn send(address: SocketAddr, request: Request<Bytes>) -> Result<Answer, SendError> {
    let (parts, body) = open(address, request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

/// Sends a request on a connection of its own; the answer's body is still to come, frame by frame.
///
/// # Errors
///
/// [`SendError`] where no answer began.
pub async fn open(address: SocketAddr, request: Request<Bytes>) -> Result<Response<Incoming>, SendError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request.map(Full::new)).await?)
}
