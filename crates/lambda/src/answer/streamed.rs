//! A streamed answer
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming>).

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use faregate_engine::body::BodyError;
use http::{HeaderMap, HeaderName, HeaderValue, response::Parts};
use http_body::{Body, Frame};
use serde::Serialize;
use serde_json::json;

use super::headers::{Cookies, Joined};

/// The content type that tells Lambda that a prelude comes first.
pub const CONTENT_TYPE: &str = "application/vnd.awslambda.http-integration-response";

const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const ERROR_BODY: HeaderName = HeaderName::from_static("lambda-runtime-function-error-body");

/// The trailers that a broken stream ends with.
pub const TRAILERS: [HeaderName; 2] = [ERROR_TYPE, ERROR_BODY];

/// What ends the prelude.
const SEPARATOR: [u8; 8] = [0; 8];

/// What Lambda wants before the body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Prelude<'a> {
    status_code: u16,
    headers: Joined<'a>,
    /// The local emulator takes no prelude without these, not even an empty list.
    cookies: Cookies<'a>,
}

/// Status, headers and cookies as Lambda wants them before the body.
#[must_use]
pub fn prelude(parts: &Parts) -> Vec<u8> {
    let prelude = Prelude {
        status_code: parts.status.as_u16(),
        headers: Joined::without_cookies(&parts.headers),
        cookies: Cookies(&parts.headers),
    };
    serde_json::to_vec(&prelude).unwrap_or_default()
}

/// Prelude, separator, the body's bytes, and error trailers if the body breaks.
///
/// Prelude and separator are frames of their own: the local emulator drops what shares a frame with them.
pub struct StreamedBody<B> {
    head: VecDeque<Bytes>,
    inner: Option<B>,
}

impl<B> StreamedBody<B> {
    /// A body behind its prelude.
    pub fn new(prelude: Vec<u8>, inner: B) -> Self {
        let head = VecDeque::from([Bytes::from(prelude), Bytes::from_static(&SEPARATOR)]);
        Self { head, inner: Some(inner) }
    }
}

impl<B> Body for StreamedBody<B>
where
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(bytes) = self.head.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        loop {
            let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
            match Pin::new(inner).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    // An empty frame would end the chunked body.
                    Ok(data) if !data.is_empty() => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    _ => {}
                },
                Poll::Ready(Some(Err(error))) => {
                    self.inner = None;
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers(&error)))));
                }
                Poll::Ready(None) => self.inner = None,
            }
        }
    }
}

/// The error in the form of the Runtime API; no word of where the backend is.
fn trailers(error: &BodyError) -> HeaderMap {
    let kind = format!("Faregate.{}", error.cause());
    let body = json!({ "errorType": kind, "errorMessage": "the answer broke off" }).to_string();
    let mut trailers = HeaderMap::new();
    trailers.extend(HeaderValue::from_str(&kind).map(|value| (ERROR_TYPE, value)));
    trailers.extend(HeaderValue::from_str(&body).map(|value| (ERROR_BODY, value)));
    trailers
}
