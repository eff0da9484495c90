//! The client itself.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use faregate_engine::body::Body;
use faregate_engine::ports::{Clock, Outbound, OutboundError, OutboundRequest};
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::capture_connection;
use rustls::RootCertStore;

use crate::clients::{HEADER_BYTES_MAX, Pools};
use crate::destination::Destination;
use crate::failure::classify;
use crate::guard::Guard;
use crate::limits::Deadlines;
use crate::settings::{InvalidSettings, OutboundSettings};
use crate::stream::BoundedBody;
use crate::tls::{Tls, public_roots};

/// Sends requests over HTTP/1.1 and, where TLS negotiates it, HTTP/2.
///
/// What goes out is the method, the path and the headers of the request, `host`, and `content-length` for a
/// body or where its method means one (POST, PUT, PATCH). A `host` header that is not the URL's own is sent over
/// HTTP/1.1 even to backends that speak HTTP/2.
///
/// What comes back is the status, the headers and the data of the body. A backend that switches protocols, or
/// sends more than 64 KB or (over HTTP/1.1) 256 lines of headers, has given a broken answer.
pub struct OutboundClient {
    guard: Arc<Guard>,
    pools: Pools,
}

impl OutboundClient {
    /// A client that trusts Mozilla's root certificates. Opens nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidSettings`] if the Runtime API's authority is none.
    pub fn new(settings: OutboundSettings, clock: Arc<dyn Clock>) -> Result<Self, InvalidSettings> {
        Self::trusting(public_roots(), settings, clock)
    }

    /// Closes all pooled connections that are not in use.
    ///
    /// Sending does so by itself when the wall clock says that the last request is more than 20 s ago.
    pub fn forget_idle(&self) {
        self.pools.forget_idle();
    }

    fn trusting(
        roots: RootCertStore,
        settings: OutboundSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InvalidSettings> {
        let guard = Arc::new(Guard::new(settings)?);
        let pools = Pools::new(Arc::clone(&guard), Tls::new(roots)?, clock);
        Ok(Self { guard, pools })
    }
}

#[async_trait]
impl Outbound for OutboundClient {
    async fn send(&self, request: OutboundRequest) -> Result<Response<Body>, OutboundError> {
        let deadlines = Deadlines::start(request.limits);
        let destination = Destination::new(&request.origin, &request.path_and_query)?;
        self.guard.check_host(destination.host())?;
        let mut outgoing = outgoing(request, &destination)?;
        let clients = self.pools.current();
        let overridden = destination.is_https() && outgoing.headers().contains_key(HOST);
        let client = if overridden { &clients.http1 } else { &clients.any };
        let connection = capture_connection(&mut outgoing);
        let answer = client.request(outgoing);
        let answer = async { answer.await.map_err(|error| classify(&error)) };
        let (head, body) = deadlines.headers(connection, answer).await?.into_parts();
        if head.status.is_informational() {
            return Err(OutboundError::BrokenAnswer(format!("status {}", head.status.as_u16())));
        }
        check_size(&head.headers)?;
        let mut answer = Response::new(BoundedBody::new(body, deadlines.body()).boxed_unsync());
        *answer.status_mut() = head.status;
        *answer.version_mut() = head.version;
        *answer.headers_mut() = head.headers;
        Ok(answer)
    }
}

fn outgoing(request: OutboundRequest, destination: &Destination) -> Result<Request<Full<Bytes>>, OutboundError> {
    let OutboundRequest { method, mut headers, body, .. } = request;
    if method == Method::CONNECT {
        return Err(OutboundError::InvalidUrl("CONNECT takes no path".to_owned()));
    }
    if headers.get_all(HOST).iter().nth(1).is_some() {
        return Err(OutboundError::InvalidUrl("more than one host".to_owned()));
    }
    // hyper adds the URL's own `host` where the protocol wants it.
    if headers.get(HOST).is_some_and(|host| host == destination.authority()) {
        headers.remove(HOST);
    }
    frame(&mut headers, &method, body.len());
    let mut outgoing = Request::new(Full::new(body));
    *outgoing.method_mut() = method;
    *outgoing.uri_mut() = destination.uri().clone();
    *outgoing.headers_mut() = headers;
    Ok(outgoing)
}

/// RFC 9110 §8.6: a method that means a body says its length, zero too; others only if there is one.
fn frame(headers: &mut HeaderMap, method: &Method, length: usize) {
    headers.remove(TRANSFER_ENCODING);
    headers.remove(CONTENT_LENGTH);
    if length > 0 || matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

/// Names, values and what stands between them on an HTTP/1.1 wire.
fn check_size(headers: &HeaderMap) -> Result<(), OutboundError> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
    if bytes > HEADER_BYTES_MAX {
        return Err(OutboundError::BrokenAnswer(format!("{bytes} bytes of headers")));
    }
    Ok(())
}
