//! The Runtime API and the Extensions API of one environment.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::answer::{AnswerStream, Ending, ErrorReport, Frame, ResponseMode, StreamFailure, text};
use super::dispatch::{Completion, Delivery, Dispatcher};
use super::extensions::EventKind;

const RUNTIME: &str = "/2018-06-01/runtime/";
const EXTENSION: &str = "/2020-01-01/extension/";

/// Frames that may wait for the one who asked: more are held back in the socket.
const FRAMES_MAX: usize = 8;

/// Bytes of an error report or an extension's registration.
const REPORT_BYTES_MAX: usize = 256 * 1024;

type Answer = Response<Full<Bytes>>;

/// What the function is called, as the APIs tell it.
#[derive(Debug, Clone)]
pub(crate) struct FunctionIdentity {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) arn: String,
    pub(crate) handler: String,
}

/// The APIs that one environment's process talks to.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeApi {
    pub(crate) environment: usize,
    pub(crate) extensions: bool,
    pub(crate) function: Arc<FunctionIdentity>,
    pub(crate) dispatcher: Arc<Dispatcher>,
}

#[derive(Debug, Default, Deserialize)]
struct Registration {
    #[serde(default)]
    events: Vec<EventKind>,
}

impl RuntimeApi {
    pub(crate) async fn handle(self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        if let Some(rest) = path.strip_prefix(RUNTIME) {
            return self.runtime(rest, request).await;
        }
        match path.strip_prefix(EXTENSION) {
            Some(rest) if self.extensions => self.extension(rest, request).await,
            _ => not_found(),
        }
    }

    async fn runtime(&self, path: &str, request: Request<Incoming>) -> Answer {
        let segments: Vec<&str> = path.split('/').collect();
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) => self.response(id, request).await,
            (&Method::POST, ["invocation", id, "error"]) => self.error(id, request).await,
            (&Method::POST, ["init", "error"]) => {
                let report = report(request).await;
                self.dispatcher.init_failed(self.environment, report);
                accepted()
            }
            _ => not_found(),
        }
    }

    async fn next(&self) -> Answer {
        match self.dispatcher.park(self.environment).await {
            Ok(delivery) => self.invocation(delivery),
            // The slot is dropped when the environment is given up.
            Err(_) => refused(StatusCode::GONE, "EnvironmentEnded"),
        }
    }

    fn invocation(&self, delivery: Delivery) -> Answer {
        let mut answer = Response::new(Full::new(delivery.event));
        let headers = answer.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("lambda-runtime-deadline-ms", HeaderValue::from(delivery.deadline_ms));
        let texts = [
            ("lambda-runtime-aws-request-id", &delivery.request_id),
            ("lambda-runtime-invoked-function-arn", &self.function.arn),
            ("lambda-runtime-trace-id", &delivery.trace_id),
        ];
        for (name, value) in texts {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        answer
    }

    async fn response(&self, id: &str, request: Request<Incoming>) -> Answer {
        let mode = text(request.headers(), "lambda-runtime-function-response-mode");
        let streaming = mode.is_some_and(|mode| mode.eq_ignore_ascii_case("streaming"));
        let mode = if streaming { ResponseMode::Streaming } else { ResponseMode::Buffered };
        let content_type = text(request.headers(), "content-type");
        let (sender, answer) = answer_stream(id, mode, content_type);
        let Some(completion) = self.dispatcher.begin_answer(self.environment, id, answer) else {
            return refused(StatusCode::BAD_REQUEST, "InvalidRequestID");
        };
        pump(request.into_body(), mode, sender, completion).await
    }

    async fn error(&self, id: &str, request: Request<Incoming>) -> Answer {
        let content_type = text(request.headers(), "content-type");
        let ending = Ending::Reported(report(request).await);
        let (sender, answer) = answer_stream(id, ResponseMode::Buffered, content_type);
        let Some(completion) = self.dispatcher.begin_answer(self.environment, id, answer) else {
            return refused(StatusCode::BAD_REQUEST, "InvalidRequestID");
        };
        completion.finish(&ending);
        // Nobody need be waiting.
        let _ = sender.send(Frame::Ended(ending)).await;
        accepted()
    }

    async fn extension(&self, path: &str, request: Request<Incoming>) -> Answer {
        match (request.method(), path) {
            (&Method::POST, "register") => self.register(request).await,
            (&Method::GET, "event/next") => self.next_event(&request).await,
            _ => not_found(),
        }
    }

    async fn register(&self, request: Request<Incoming>) -> Answer {
        let Some(name) = text(request.headers(), "lambda-extension-name") else {
            return refused(StatusCode::BAD_REQUEST, "Extension.InvalidExtensionName");
        };
        let body = collect(request.into_body()).await;
        let Ok(registration) = serde_json::from_slice::<Registration>(&body) else {
            return refused(StatusCode::BAD_REQUEST, "InvalidRequestFormat");
        };
        let events = registration.events;
        let Some(id) = self.dispatcher.register_extension(self.environment, name, events) else {
            return refused(StatusCode::FORBIDDEN, "Extension.TooManyExtensions");
        };
        let body = serde_json::json!({
            "functionName": self.function.name,
            "functionVersion": self.function.version,
            "handler": self.function.handler,
        });
        let mut answer = json(StatusCode::OK, &body);
        if let Ok(id) = HeaderValue::from_str(&id) {
            answer.headers_mut().insert("lambda-extension-identifier", id);
        }
        answer
    }

    async fn next_event(&self, request: &Request<Incoming>) -> Answer {
        let id = text(request.headers(), "lambda-extension-identifier").unwrap_or_default();
        let Some(event) = self.dispatcher.next_extension_event(self.environment, &id) else {
            return refused(StatusCode::FORBIDDEN, "Extension.UnknownExtensionIdentifier");
        };
        match event.await {
            Ok(event) => json(StatusCode::OK, &serde_json::json!(event)),
            Err(_) => refused(StatusCode::GONE, "EnvironmentEnded"),
        }
    }
}

fn answer_stream(id: &str, mode: ResponseMode, content_type: Option<String>) -> (mpsc::Sender<Frame>, AnswerStream) {
    let (sender, frames) = mpsc::channel(FRAMES_MAX);
    let request_id = id.to_owned();
    (sender, AnswerStream { request_id, mode, content_type, frames, ended: false })
}

/// Passes the body of a response POST on, chunk by chunk, and says how it ended.
async fn pump(
    mut body: Incoming,
    mode: ResponseMode,
    sender: mpsc::Sender<Frame>,
    completion: Completion<'_>,
) -> Answer {
    let mut taken = 0;
    let mut failure = None;
    let mut answer = accepted();
    let ending = loop {
        let frame = match body.frame().await {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => break Ending::Broken(error.to_string()),
            None => break failure.map_or(Ending::Complete, Ending::Failed),
        };
        match frame.into_data() {
            Ok(data) => {
                taken += data.len();
                if taken > mode.bytes_max() {
                    answer = refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge");
                    break Ending::Broken("the answer is too large".to_owned());
                }
                // The rest is taken even if nobody waits for it any more.
                let _ = sender.send(Frame::Chunk(data)).await;
            }
            Err(other) => {
                let trailers = other.into_trailers().unwrap_or_default();
                failure = StreamFailure::from_trailers(&trailers);
            }
        }
    };
    // Before the last frame: who has seen the end finds it in the record.
    completion.finish(&ending);
    let _ = sender.send(Frame::Ended(ending)).await;
    answer
}

async fn report(request: Request<Incoming>) -> ErrorReport {
    let error_type = text(request.headers(), "lambda-runtime-function-error-type");
    ErrorReport { error_type, body: collect(request.into_body()).await }
}

/// A small body; what is too large or broken counts as empty.
async fn collect(body: Incoming) -> Bytes {
    let collected = Limited::new(body, REPORT_BYTES_MAX).collect().await;
    collected.map(http_body_util::Collected::to_bytes).unwrap_or_default()
}

fn accepted() -> Answer {
    json(StatusCode::ACCEPTED, &serde_json::json!({ "status": "OK" }))
}

fn not_found() -> Answer {
    refused(StatusCode::NOT_FOUND, "NotFound")
}

fn refused(status: StatusCode, error_type: &str) -> Answer {
    json(status, &serde_json::json!({ "errorType": error_type, "errorMessage": error_type }))
}

fn json(status: StatusCode, body: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    let content_type = HeaderValue::from_static("application/json");
    answer.headers_mut().insert("content-type", content_type);
    answer
}
