//! A way to DynamoDB on which things go wrong.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use super::client::send;

/// How every operation's name ends.
const ANY_OPERATION: &str = "";

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes through.
    Passed,
    /// It is made, and the connection ends without an answer.
    AnswerLost,
    /// It is made, and the answer comes so much later.
    Delayed(Duration),
    /// It is not made: the table takes no more.
    Throttled,
}

/// A call as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What was asked for: `GetItem`.
    pub operation: String,
    /// The parameters, in DynamoDB's JSON.
    pub parameters: Value,
}

/// Passes calls of one operation on, each with a fate of its own; other operations go through.
///
/// Dropping it ends the listener.
#[derive(Debug)]
pub struct DynamoDbProxy {
    address: SocketAddr,
    log: Arc<Log>,
    _listener: AbortOnDrop,
}

/// What came and what became of it.
#[derive(Debug, Default)]
struct Log {
    calls: AtomicU64,
    late: Mutex<Option<Instant>>,
    /// Where somebody wants to see them.
    seen: Option<Mutex<Vec<Call>>>,
}

#[derive(Debug)]
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl DynamoDbProxy {
    /// Listens before `upstream`; `fate` is asked with the number of each call of `operation`.
    ///
    /// # Errors
    ///
    /// If there is no port.
    pub async fn start(
        upstream: SocketAddr,
        operation: &'static str,
        fate: impl Fn(u64) -> Fate + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::start_with(upstream, operation, fate, Log::default()).await
    }

    /// Listens before `upstream`, lets every call of whatever operation through and keeps it.
    ///
    /// # Errors
    ///
    /// If there is no port.
    pub async fn recording(upstream: SocketAddr) -> io::Result<Self> {
        let log = Log { seen: Some(Mutex::default()), ..Log::default() };
        Self::start_with(upstream, ANY_OPERATION, |_| Fate::Passed, log).await
    }

    async fn start_with(
        upstream: SocketAddr,
        operation: &'static str,
        fate: impl Fn(u64) -> Fate + Send + Sync + 'static,
        log: Log,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let log = Arc::new(log);
        let (fate, kept) = (Arc::new(fate), Arc::clone(&log));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (fate, kept) = (Arc::clone(&fate), Arc::clone(&kept));
                let service = service_fn(move |request| {
                    let (fate, kept) = (Arc::clone(&fate), Arc::clone(&kept));
                    async move { answer(upstream, operation, &*fate, &kept, request).await }
                });
                // A client that ends its connection, or whose answer is lost, is no failure of the proxy's.
                tokio::spawn(async move {
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Ok(Self { address, log, _listener: AbortOnDrop(serving) })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many calls of the operation came.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.log.calls.load(Ordering::Relaxed)
    }

    /// When the last delayed answer went out.
    #[must_use]
    pub fn late_at(&self) -> Option<Instant> {
        *self.log.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All calls so far; `None` where they are not recorded.
    #[must_use]
    pub fn seen(&self) -> Option<Vec<Call>> {
        let seen = self.log.seen.as_ref()?;
        Some(seen.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

async fn answer(
    upstream: SocketAddr,
    operation: &str,
    fate: &(dyn Fn(u64) -> Fate + Send + Sync),
    log: &Log,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asked = target.rsplit('.').next().unwrap_or_default();
    let fate = match asked.ends_with(operation) {
        true => fate(log.calls.fetch_add(1, Ordering::Relaxed)),
        false => Fate::Passed,
    };
    if let Some(seen) = &log.seen {
        let parameters = serde_json::from_slice(&body).unwrap_or_default();
        let call = Call { operation: asked.to_owned(), parameters };
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
    if fate == Fate::Throttled {
        let body = r#"{"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", "message": "slow down"}"#;
        let answer = Response::builder()
            .status(StatusCode::BAD_REQUEST)
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.0");
        return answer.body(Full::from(body)).map_err(io::Error::other);
    }
    let answer = send(upstream, Request::from_parts(parts, body)).await.map_err(io::Error::other)?;
    match fate {
        Fate::AnswerLost => return Err(io::Error::other("the answer is lost")),
        Fate::Delayed(delay) => {
            tokio::time::sleep(delay).await;
            *log.late.lock().unwrap_or_else(PoisonError::into_inner) = Some(tokio::time::Instant::now().into_std());
        }
        Fate::Passed | Fate::Throttled => {}
    }
    let mut response = Response::new(Full::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}
