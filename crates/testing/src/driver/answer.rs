//! What a function posts to the Runtime API, as it arrived.

use std::fmt;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use tokio::sync::mpsc;

use super::record::Outcome;

/// The content type that announces a prelude before a streamed body.
const HTTP_INTEGRATION: &str = "application/vnd.awslambda.http-integration-response";

/// What stands between a prelude and the body.
pub(crate) const SEPARATOR: [u8; 8] = [0; 8];

/// `Lambda-Runtime-Function-Response-Mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// The answer is one JSON text.
    Buffered,
    /// The answer is passed on as it arrives.
    Streaming,
}

impl ResponseMode {
    /// The most the platform takes, in bytes.
    pub fn bytes_max(self) -> usize {
        match self {
            Self::Buffered => 6_291_556,
            Self::Streaming => 200 * 1024 * 1024,
        }
    }
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Bytes as they were read: never of two HTTP chunks, though a large chunk may come in parts.
    Chunk(Bytes),
    /// The end; always the last frame.
    Ended(Ending),
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The POST was complete and had no error trailers.
    Complete,
    /// The POST ended with error trailers.
    Failed(StreamFailure),
    /// The POST broke off, or was larger than [`ResponseMode::bytes_max`]; says why.
    Broken(String),
    /// The function posted an error instead of a response.
    Reported(ErrorReport),
}

impl Ending {
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Complete => Outcome::Answered,
            Self::Failed(_) => Outcome::Failed,
            Self::Broken(_) => Outcome::Broken,
            Self::Reported(_) => Outcome::Reported,
        }
    }
}

/// The error trailers of a streamed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFailure {
    /// `Lambda-Runtime-Function-Error-Type`.
    pub error_type: String,
    /// `Lambda-Runtime-Function-Error-Body` as sent: JSON in base64, by the platform's contract.
    pub error_body: Option<String>,
}

impl StreamFailure {
    pub(crate) fn from_trailers(trailers: &HeaderMap) -> Option<Self> {
        let error_type = text(trailers, "lambda-runtime-function-error-type");
        let error_body = text(trailers, "lambda-runtime-function-error-body");
        if error_type.is_none() && error_body.is_none() {
            return None;
        }
        Some(Self { error_type: error_type.unwrap_or_default(), error_body })
    }
}

/// What a function posted to an error path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorReport {
    /// `Lambda-Runtime-Function-Error-Type`.
    pub error_type: Option<String>,
    /// The body as sent, usually JSON with `errorType` and `errorMessage`.
    pub body: Bytes,
}

impl fmt::Display for ErrorReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error_type = self.error_type.as_deref().unwrap_or("no type");
        write!(formatter, "{error_type}: {}", String::from_utf8_lossy(&self.body))
    }
}

/// An answer whose frames are still arriving. Frames not taken hold the function's POST back;
/// dropping the stream lets the POST run to its end unseen.
#[derive(Debug)]
pub struct AnswerStream {
    pub(crate) request_id: String,
    pub(crate) mode: ResponseMode,
    pub(crate) content_type: Option<String>,
    pub(crate) frames: mpsc::Receiver<Frame>,
    pub(crate) ended: bool,
}

impl AnswerStream {
    /// The invocation's request id.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Whether the function streams.
    pub fn mode(&self) -> ResponseMode {
        self.mode
    }

    /// Content type of the POST.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Whether the content type announces a prelude before the body.
    pub fn has_prelude(&self) -> bool {
        self.mode == ResponseMode::Streaming && self.content_type() == Some(HTTP_INTEGRATION)
    }

    /// The next frame, `None` after [`Frame::Ended`].
    pub async fn next(&mut self) -> Option<Frame> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    /// Takes the rest of the answer.
    pub async fn collect(mut self) -> RawAnswer {
        let mut chunks = Vec::new();
        let mut ending = Ending::Complete;
        while let Some(frame) = self.next().await {
            match frame {
                Frame::Chunk(chunk) => chunks.push(chunk),
                Frame::Ended(end) => ending = end,
            }
        }
        RawAnswer::new(&self, chunks, ending)
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Frame>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(self.frames.poll_recv(context)).unwrap_or_else(connection_lost);
        self.ended = matches!(frame, Frame::Ended(_));
        Poll::Ready(Some(frame))
    }
}

/// A whole answer as it arrived at the Runtime API.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    /// The invocation's request id.
    pub request_id: String,
    /// Whether the function streamed.
    pub mode: ResponseMode,
    /// Content type of the POST.
    pub content_type: Option<String>,
    /// What stood before the eight NULs, if the content type announced a prelude and it came.
    pub prelude: Option<Bytes>,
    /// The body: what came after prelude and NULs, or everything.
    pub body: Bytes,
    /// The bytes of the POST chunk by chunk, prelude and NULs included.
    pub chunks: Vec<Bytes>,
    /// How the POST ended.
    pub ending: Ending,
}

impl RawAnswer {
    fn new(stream: &AnswerStream, chunks: Vec<Bytes>, ending: Ending) -> Self {
        let mut all = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
        chunks.iter().for_each(|chunk| all.extend_from_slice(chunk));
        let mut body = all.freeze();
        let mut prelude = None;
        if stream.has_prelude()
            && let Some(end) = separator_at(&body)
        {
            prelude = Some(body.split_to(end));
            body = body.split_off(SEPARATOR.len());
        }
        Self {
            request_id: stream.request_id.clone(),
            mode: stream.mode,
            content_type: stream.content_type.clone(),
            prelude,
            body,
            chunks,
            ending,
        }
    }

    /// The prelude of a streamed answer, or else the body, as JSON.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn json(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::from_slice(self.prelude.as_ref().unwrap_or(&self.body))
    }

    /// The error trailers, if the answer ended with some.
    pub fn failure(&self) -> Option<&StreamFailure> {
        match &self.ending {
            Ending::Failed(failure) => Some(failure),
            Ending::Complete | Ending::Broken(_) | Ending::Reported(_) => None,
        }
    }
}

pub(crate) fn separator_at(bytes: &[u8]) -> Option<usize> {
    bytes.windows(SEPARATOR.len()).position(|window| window == SEPARATOR)
}

/// The header `name` as text, if it is there and is text.
pub(crate) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn connection_lost() -> Frame {
    Frame::Ended(Ending::Broken("the connection was lost".to_owned()))
}
