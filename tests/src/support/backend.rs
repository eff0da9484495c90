//! Backends: HTTP/1.1 servers on the loopback interface that remember what they got.

mod echo;

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::seen::Seen;

/// How many requests a backend remembers; the oldest are forgotten.
pub const SEEN_MAX: usize = 10_000;

/// The body of a backend's answer; an error in it breaks the connection.
pub type BackendBody = UnsyncBoxBody<Bytes, io::Error>;

type Handler = dyn Fn(Seen) -> Pin<Box<dyn Future<Output = Response<BackendBody>> + Send>> + Send + Sync;

/// A backend; it ends when this value is dropped.
#[derive(Debug)]
pub struct Backend {
    name: String,
    address: SocketAddr,
    memory: Arc<Memory>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Memory(Mutex<VecDeque<Seen>>);

impl Backend {
    /// Starts one that answers 200 with what it got, as the JSON of [`Seen`].
    ///
    /// A request may ask for more: the query `delay=1s` (or `200ms`) for patience, `status=503` for another
    /// status, and the header `x-echo-set-header: name:value, name:value` for headers of the answer.
    ///
    /// # Errors
    ///
    /// If no port can be opened.
    pub async fn echo(name: &str) -> io::Result<Self> {
        Self::serve(name, echo::answer).await
    }

    /// Starts one that answers as `answer` says; the request's whole body is there by then.
    ///
    /// # Errors
    ///
    /// If no port can be opened.
    pub async fn serve<H, F>(name: &str, answer: H) -> io::Result<Self>
    where
        H: Fn(Seen) -> F + Send + Sync + 'static,
        F: Future<Output = Response<BackendBody>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let memory = Arc::new(Memory::default());
        let handler: Arc<Handler> = Arc::new(move |seen| Box::pin(answer(seen)));
        let server = Server { name: name.to_owned(), memory: Arc::clone(&memory), handler };
        let task = tokio::spawn(server.accept(listener));
        Ok(Self { name: name.to_owned(), address, memory, task })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL without a final slash: a target's `url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it got so far, oldest first; at most the last [`SEEN_MAX`] requests.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.memory.lock().iter().cloned().collect()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Memory {
    fn push(&self, seen: Seen) {
        let mut memory = self.lock();
        if memory.len() == SEEN_MAX {
            memory.pop_front();
        }
        memory.push_back(seen);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A whole body.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> BackendBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

#[derive(Clone)]
struct Server {
    name: String,
    memory: Arc<Memory>,
    handler: Arc<Handler>,
}

impl Server {
    async fn accept(self, listener: TcpListener) {
        // Connections end with the task that holds them.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        connections.spawn(self.clone().connection(stream));
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn connection(self, stream: TcpStream) {
        // Only latency suffers when it cannot be set.
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request| {
            let server = self.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        // A client that goes away is no news.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(self, request: Request<Incoming>) -> Response<BackendBody> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            let mut broken = Response::new(full("the request broke off"));
            *broken.status_mut() = StatusCode::BAD_REQUEST;
            return broken;
        };
        let seen = Seen::new(&self.name, &parts, body.to_bytes());
        self.memory.push(seen.clone());
        (self.handler)(seen).await
    }
}
