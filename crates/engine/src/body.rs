//! The body of an answer on its way to the client.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};

/// A body that is streamed frame by frame and may break.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BodyError>;

/// Why a body broke after its first byte was promised.
///
/// The client sees a broken stream and no byte more (SECURITY.md 22); the record has the cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The backend closed or reset the connection before the body's end.
    #[error("the backend broke the body off: {0}")]
    Reset(String),
    /// No byte came for the backend's `timeouts.idle_ms`.
    #[error("the backend was silent for longer than idle_ms")]
    IdleTimeout,
    /// The body took longer than the backend's `timeouts.stream_ms`.
    #[error("the body took longer than stream_ms")]
    StreamTimeout,
    /// The invocation's own time was about to end.
    #[error("the invocation's time was about to end")]
    Deadline,
}

impl BodyError {
    /// The word that the record carries for this cause.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Reset(_) => "reset",
            Self::IdleTimeout => "idle_timeout",
            Self::StreamTimeout => "stream_timeout",
            Self::Deadline => "deadline",
        }
    }
}

/// A body without bytes.
#[must_use]
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body of bytes that are all here.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}
