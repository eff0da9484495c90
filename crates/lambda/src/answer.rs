//! Answers for the Runtime API: streamed with real trailers, or in one piece.

mod buffered;
mod headers;
mod streamed;

pub use buffered::{BUFFERED_BYTES_MAX, body_bytes_max, buffered};
pub use streamed::{CONTENT_TYPE, StreamedBody, TRAILERS, prelude};
