//! Connecting: resolve, let the guard see every address, and only then open a socket to one of them.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::{TcpStream, lookup_host};
use tower::Service;

use crate::guard::{Guard, Refused, RuntimeApi, RuntimeHost};

/// Opens guarded connections with one TLS configuration.
#[derive(Clone)]
pub(crate) struct Connector {
    guard: Arc<Guard>,
    tls: Arc<ClientConfig>,
}

/// Why there is no address to connect to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAddress {
    #[error("`{host}` does not resolve")]
    Lookup { host: String, source: io::Error },
    #[error("`{0}` has no address")]
    Empty(String),
}

impl Connector {
    pub(crate) fn new(guard: Arc<Guard>, tls: Arc<ClientConfig>) -> Self {
        Self { guard, tls }
    }
}

type BoxError = Box<dyn Error + Send + Sync>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { guard, tls } = self.clone();
        Box::pin(async move {
            let addresses = approved(&guard, &uri).await?;
            let mut http = HttpConnector::new_with_resolver(Approved(addresses));
            http.enforce_http(false);
            http.set_nodelay(true);
            HttpsConnector::from((http, tls)).call(uri).await
        })
    }
}

/// Every address of the URL's host, all of them let through by the guard.
async fn approved(guard: &Guard, uri: &Uri) -> Result<Vec<SocketAddr>, BoxError> {
    let default_port = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(default_port);
    let addresses = resolve(uri.host().unwrap_or_default(), port).await?;
    guard.check_addresses(&addresses)?;
    if let Some(api) = guard.runtime_api_on(port) {
        check_runtime_api(api, &addresses).await?;
    }
    Ok(addresses)
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, NoAddress> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(literal) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(literal, port)]);
    }
    let found = lookup_host((bare, port)).await;
    let addresses: Vec<_> = found.map_err(|source| NoAddress::Lookup { host: bare.to_owned(), source })?.collect();
    if addresses.is_empty() { Err(NoAddress::Empty(bare.to_owned())) } else { Ok(addresses) }
}

/// Fails closed: where the Runtime API's own name does not resolve, its port is refused altogether.
async fn check_runtime_api(api: &RuntimeApi, addresses: &[SocketAddr]) -> Result<(), Refused> {
    let own = match api.host() {
        RuntimeHost::Address(address) => vec![*address],
        RuntimeHost::Name(name) => match resolve(name, api.port()).await {
            Ok(own) => own.iter().map(SocketAddr::ip).collect(),
            Err(_) => return addresses.first().map_or(Ok(()), |first| Err(Refused::PerhapsRuntimeApi(*first))),
        },
    };
    api.check(addresses, &own)
}

/// A resolver that has resolved already: what the guard saw is what is connected to.
#[derive(Clone, Debug)]
struct Approved(Vec<SocketAddr>);

impl Service<Name> for Approved {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(self.0.clone().into_iter()))
    }
}
