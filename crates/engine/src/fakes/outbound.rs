//! A way out that leads nowhere.

use std::{collections::VecDeque, fmt, sync::Mutex, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use super::locked;
use crate::{
    body::{self, Body, BodyError},
    ports::{Outbound, OutboundError, OutboundRequest},
};

type Answer = Result<Response<Body>, OutboundError>;
type Responder = Box<dyn Fn(&OutboundRequest) -> Answer + Send + Sync>;
type Condition = Box<dyn Fn(&OutboundRequest) -> bool + Send + Sync>;

/// Keeps the requests and gives the answers of a script, then those of a responder.
///
/// Without either, no connection can be made.
#[derive(Default)]
pub struct FakeOutbound {
    requests: Mutex<Vec<OutboundRequest>>,
    script: Mutex<VecDeque<Answer>>,
    responder: Option<Responder>,
    hangs: Option<Condition>,
    slow: Option<(Duration, Condition)>,
}

impl FakeOutbound {
    /// Answers by a function of the request, once the script is at its end.
    pub fn answering(responder: impl Fn(&OutboundRequest) -> Answer + Send + Sync + 'static) -> Self {
        Self { responder: Some(Box::new(responder)), ..Self::default() }
    }

    /// Never answers anything.
    #[must_use]
    pub fn hanging() -> Self {
        Self::default().hanging_where(|_| true)
    }

    /// Never answers requests of which this is true when they come; the script does not count them.
    #[must_use]
    pub fn hanging_where(self, hangs: impl Fn(&OutboundRequest) -> bool + Send + Sync + 'static) -> Self {
        Self { hangs: Some(Box::new(hangs)), ..self }
    }

    /// Answers requests of which this is true when they come only after a while.
    #[must_use]
    pub fn slow_where(
        self,
        delay: Duration,
        is_slow: impl Fn(&OutboundRequest) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { slow: Some((delay, Box::new(is_slow))), ..self }
    }

    /// Adds an answer to the script.
    pub fn then(&self, answer: Answer) {
        locked(&self.script).push_back(answer);
    }

    /// Adds an answer without headers to the script.
    pub fn then_status(&self, status: StatusCode, body: impl Into<Bytes>) {
        let mut response = Response::new(body::full(body));
        *response.status_mut() = status;
        self.then(Ok(response));
    }

    /// The requests so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<OutboundRequest> {
        locked(&self.requests).clone()
    }
}

impl fmt::Debug for FakeOutbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeOutbound").field("requests", &self.requests()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Outbound for FakeOutbound {
    async fn send(&self, request: OutboundRequest) -> Answer {
        if self.hangs.as_ref().is_some_and(|hangs| hangs(&request)) {
            locked(&self.requests).push(request);
            return std::future::pending().await;
        }
        if let Some((delay, _)) = self.slow.as_ref().filter(|(_, is_slow)| is_slow(&request)) {
            tokio::time::sleep(*delay).await;
        }
        let scripted = locked(&self.script).pop_front();
        let answer = scripted.unwrap_or_else(|| match &self.responder {
            Some(responder) => responder(&request),
            None => Err(OutboundError::Connect("no answer is scripted".to_owned())),
        });
        locked(&self.requests).push(request);
        answer
    }
}

/// A body of these frames; one that is an error ends it.
#[must_use]
pub fn frames(frames: Vec<Result<Bytes, BodyError>>) -> Body {
    StreamBody::new(stream::iter(frames.into_iter().map(|frame| frame.map(Frame::data)))).boxed_unsync()
}
