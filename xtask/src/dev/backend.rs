//! The demo backend: tells what request it got.

use std::{convert::Infallible, net::TcpListener, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Either, Full, channel::Channel};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::issuer::Issuer;

/// The port that the demo's configuration names.
pub(super) const DEFAULT_PORT: u16 = 9100;

/// Server-sent events of one answer, and the time between two of them.
const EVENTS: u32 = 10;
const EVENTS_APART: Duration = Duration::from_secs(1);

type Answer = Response<Either<Full<Bytes>, Channel<Bytes>>>;

/// Answers every connection until the process ends.
pub(super) async fn serve(listener: TcpListener, issuer: Arc<Issuer>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        // Out of file descriptors, say: the next connection may do better.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let issuer = Arc::clone(&issuer);
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| {
                let issuer = Arc::clone(&issuer);
                async move { Ok::<_, Infallible>(answer(request, &issuer).await) }
            }),
        );
        // A client that breaks off is the client's affair.
        tokio::spawn(async move { drop(connection.await) });
    }
}

async fn answer(request: Request<Incoming>, issuer: &Issuer) -> Answer {
    if let Some(document) = issuer.document(request.uri().path()) {
        return json_answer(&document);
    }
    if request.uri().path() == "/sse" {
        return events();
    }
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let told = json!({
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query().unwrap_or_default(),
        "headers": headers(&head.headers),
        "body_bytes": body.len(),
    });
    json_answer(&told)
}

fn json_answer(document: &Value) -> Answer {
    let mut answer = Response::new(Either::Left(Full::from(format!("{document:#}\n"))));
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    answer
}

/// One string for each name; of a repeated one a list.
fn headers(headers: &HeaderMap) -> Value {
    let named = headers.keys().map(|name| {
        let values = headers.get_all(name).iter();
        let mut values: Vec<Value> = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into()).collect();
        let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
        (name.as_str().to_owned(), value)
    });
    Value::Object(named.collect::<Map<_, _>>())
}

/// Server-sent events, one after the other.
fn events() -> Answer {
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        for number in 1..=EVENTS {
            let event = format!("event: tick\ndata: {{\"number\": {number}, \"of\": {EVENTS}}}\n\n");
            if sender.send_data(Bytes::from(event)).await.is_err() {
                return;
            }
            sleep(EVENTS_APART).await;
        }
    });
    let mut answer = Response::new(Either::Right(body));
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream"));
    answer
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use serde_json::json;

    #[test]
    fn repeated_headers_are_told_as_a_list() {
        let mut headers = HeaderMap::new();
        headers.append("x-one", HeaderValue::from_static("a"));
        headers.append("x-two", HeaderValue::from_static("b"));
        headers.append("x-two", HeaderValue::from_static("c"));
        assert_eq!(super::headers(&headers), json!({ "x-one": "a", "x-two": ["b", "c"] }));
    }
}
