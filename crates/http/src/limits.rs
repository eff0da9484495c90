//! How long the parts of one exchange may take.

use std::future::pending;
use std::time::Duration;

use faregate_engine::body::BodyError;
use faregate_engine::ports::{OutboundError, OutboundLimits};
use hyper_util::client::legacy::connect::CaptureConnection;
use tokio::time::{Instant, sleep_until, timeout};

/// The limits of an exchange that has started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    limits: OutboundLimits,
    headers: Option<Instant>,
    invocation: Option<Instant>,
}

/// The end that a body has to keep to.
#[derive(Clone, Debug)]
pub(crate) struct BodyLimits {
    /// Between two frames.
    pub(crate) idle: Option<Duration>,
    /// The whole body's end, and what is wrong when it is past.
    pub(crate) end: Option<(Instant, BodyError)>,
}

impl Deadlines {
    /// Starts now.
    pub(crate) fn start(limits: OutboundLimits) -> Self {
        let now = Instant::now();
        let invocation = after(now, limits.invocation);
        Self { limits, headers: earlier(after(now, limits.response), invocation), invocation }
    }

    /// Waits for an answer's headers, within `connect` for a connection and within `response` and `invocation`
    /// for all.
    pub(crate) async fn headers<T>(
        self,
        connection: CaptureConnection,
        answer: impl Future<Output = Result<T, OutboundError>>,
    ) -> Result<T, OutboundError> {
        tokio::select! {
            biased;
            answer = answer => answer,
            () = past(self.headers) => Err(OutboundError::ResponseTimeout),
            () = unconnected(self.limits.connect, connection) => Err(OutboundError::ConnectTimeout),
        }
    }

    /// The limits of the body whose headers are here now.
    pub(crate) fn body(self) -> BodyLimits {
        let stream = after(Instant::now(), self.limits.stream).map(|end| (end, BodyError::StreamTimeout));
        let invocation = self.invocation.map(|end| (end, BodyError::Deadline));
        let end = [stream, invocation].into_iter().flatten().min_by_key(|(end, _)| *end);
        BodyLimits { idle: self.limits.idle, end }
    }
}

/// `None` for what no clock reaches.
pub(crate) fn after(start: Instant, duration: Option<Duration>) -> Option<Instant> {
    duration.and_then(|duration| start.checked_add(duration))
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

async fn past(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

/// Ends when the time to connect is over, never once there is a connection.
async fn unconnected(limit: Option<Duration>, mut connection: CaptureConnection) {
    let Some(limit) = limit else { return pending().await };
    let too_late = timeout(limit, connection.wait_for_connection_metadata()).await.is_err();
    if !too_late {
        pending::<()>().await;
    }
}
