//! A function's answer as the HTTP response that a function URL makes of it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response, StatusCode};
use http_body::Body;
use http_body_util::{Either, Full};

use super::answer::{AnswerStream, Ending, Frame, ResponseMode, SEPARATOR, separator_at};
use super::error::DriverError;
use super::head::{InvalidAnswer, from_buffered, from_prelude};

/// Names the reason of an answer that is the driver's own.
const ERROR_HEADER: &str = "x-driver-error";

/// A prelude that is longer is no prelude.
const PRELUDE_BYTES_MAX: usize = 1024 * 1024;

/// The body of a response: known as a whole, or passed on as it arrives.
pub(crate) type ReplyBody = Either<Full<Bytes>, AnswerBody>;

/// The error after which the client's connection is closed without an end of the body.
#[derive(Debug, thiserror::Error)]
#[error("the function's answer did not come to its end")]
pub(crate) struct AnswerAborted;

/// A streamed answer behind its prelude.
#[derive(Debug)]
pub(crate) struct AnswerBody {
    first: Option<Bytes>,
    stream: AnswerStream,
    aborting: bool,
}

/// Why there is no head to answer with.
#[derive(Debug, thiserror::Error)]
enum NoHead {
    #[error("{0}")]
    Invalid(InvalidAnswer),
    #[error("{0:?}")]
    Ended(Ending),
}

/// Turns what became of an invocation into a response.
pub(crate) async fn reply(answer: Result<AnswerStream, DriverError>) -> Response<ReplyBody> {
    let stream = match answer {
        Ok(stream) => stream,
        Err(error) => return bad_gateway(lost(&error), error.to_string()),
    };
    let response = match stream.mode() {
        ResponseMode::Buffered => buffered(stream).await,
        ResponseMode::Streaming if stream.has_prelude() => streamed(stream).await,
        ResponseMode::Streaming => Ok(without_prelude(stream)),
    };
    response.unwrap_or_else(|error| bad_gateway(error.name(), error.to_string()))
}

/// A response of the driver's own: `reason` is a word for tests, `detail` a body for people.
pub(crate) fn refusal(status: StatusCode, reason: &'static str, detail: String) -> Response<ReplyBody> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(detail))));
    *response.status_mut() = status;
    response.headers_mut().insert(ERROR_HEADER, HeaderValue::from_static(reason));
    response
}

fn bad_gateway(reason: &'static str, detail: String) -> Response<ReplyBody> {
    refusal(StatusCode::BAD_GATEWAY, reason, detail)
}

fn lost(error: &DriverError) -> &'static str {
    match error {
        DriverError::Exited { .. } => "exited",
        DriverError::TimedOut(_) => "timed-out",
        _ => "no-environment",
    }
}

async fn buffered(stream: AnswerStream) -> Result<Response<ReplyBody>, NoHead> {
    let answer = stream.collect().await;
    match answer.ending {
        Ending::Complete => {
            let response = from_buffered(&answer.body).map_err(NoHead::Invalid)?;
            Ok(response.map(|body| Either::Left(Full::new(body))))
        }
        ending => Err(NoHead::Ended(ending)),
    }
}

async fn streamed(mut stream: AnswerStream) -> Result<Response<ReplyBody>, NoHead> {
    let mut taken = BytesMut::new();
    let end = loop {
        match stream.next().await {
            Some(Frame::Chunk(chunk)) => taken.extend_from_slice(&chunk),
            Some(Frame::Ended(ending)) => return Err(NoHead::Ended(ending)),
            None => return Err(NoHead::Invalid(InvalidAnswer::NoSeparator)),
        }
        if let Some(end) = separator_at(&taken) {
            break end;
        }
        if taken.len() > PRELUDE_BYTES_MAX {
            return Err(NoHead::Invalid(InvalidAnswer::NoSeparator));
        }
    };
    let rest = taken.split_off(end + SEPARATOR.len()).freeze();
    let head = from_prelude(&taken[..end]).map_err(NoHead::Invalid)?;
    let first = Some(rest).filter(|rest| !rest.is_empty());
    Ok(head.map(|()| Either::Right(AnswerBody { first, stream, aborting: false })))
}

/// A streamed answer of another content type is the body of a 200.
fn without_prelude(stream: AnswerStream) -> Response<ReplyBody> {
    let content_type = stream.content_type().unwrap_or("application/octet-stream");
    let content_type = HeaderValue::from_str(content_type);
    let body = AnswerBody { first: None, stream, aborting: false };
    let mut response = Response::new(Either::Right(body));
    if let Ok(content_type) = content_type {
        response.headers_mut().insert("content-type", content_type);
    }
    response
}

impl NoHead {
    fn name(&self) -> &'static str {
        match self {
            Self::Ended(Ending::Reported(_)) => "reported",
            Self::Ended(Ending::Failed(_)) => "failed",
            Self::Ended(Ending::Broken(_)) => "broken",
            Self::Ended(Ending::Complete) | Self::Invalid(_) => "invalid-answer",
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, AnswerAborted>>> {
        if self.aborting {
            self.aborting = false;
            return Poll::Ready(Some(Err(AnswerAborted)));
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(http_body::Frame::data(first))));
        }
        match ready!(self.stream.poll_next(context)) {
            Some(Frame::Chunk(chunk)) => Poll::Ready(Some(Ok(http_body::Frame::data(chunk)))),
            Some(Frame::Ended(Ending::Complete)) | None => Poll::Ready(None),
            Some(Frame::Ended(_)) => {
                // One turn later, so that what came before is flushed to the client.
                self.aborting = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}
