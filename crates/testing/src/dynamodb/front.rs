//! What stands before the database: it refuses browsers, and can go away while the data stays.
//!
//! The database itself answers CORS preflights with `*`, which would let any web page that somebody looks at
//! write a developer's tables. A request with an `Origin` is refused here.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
    task::JoinSet,
};

type Answer = Response<Either<Incoming, Full<Bytes>>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Serves until the task is aborted, which breaks all connections off.
pub(super) async fn serve(listener: TcpListener, inner: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve_connection(stream, inner));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection to the database for each that comes in: HTTP/1.1 has one request under way on either.
async fn serve_connection(stream: TcpStream, inner: SocketAddr) {
    // Small answers would otherwise wait for an acknowledgement that is delayed.
    let _ = stream.set_nodelay(true);
    let database = Arc::new(Mutex::new(None));
    let service = service_fn(move |request| {
        let database = Arc::clone(&database);
        async move { Ok::<_, Infallible>(answer(request, inner, &database).await) }
    });
    // A client that goes away is no news.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, inner: SocketAddr, database: &Mutex<Option<Sender>>) -> Answer {
    if request.headers().contains_key(header::ORIGIN) {
        return refusal(StatusCode::FORBIDDEN, "browsers are refused\n");
    }
    match forward(request, inner, database).await {
        Ok(response) => response.map(Either::Left),
        Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

type Sender = SendRequest<Full<Bytes>>;

async fn forward(
    request: Request<Incoming>,
    inner: SocketAddr,
    database: &Mutex<Option<Sender>>,
) -> Result<Response<Incoming>, BoxError> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut database = database.lock().await;
    let mut sender = match database.take().filter(|sender| !sender.is_closed()) {
        Some(sender) => sender,
        None => connect(inner).await?,
    };
    sender.ready().await?;
    let response = sender.send_request(Request::from_parts(parts, Full::new(body))).await?;
    *database = Some(sender);
    Ok(response)
}

/// Opens a connection; its task ends with the connection.
pub(super) async fn connect(address: SocketAddr) -> Result<Sender, BoxError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

fn refusal(status: StatusCode, text: &'static str) -> Answer {
    let mut response = Response::new(Either::Right(Full::new(Bytes::from_static(text.as_bytes()))));
    *response.status_mut() = status;
    response
}
