//! The two problems that an event can be.

use std::fmt::Display;

use faregate_core::problem::{Code, Problem};

/// The event cannot be a request: what the client should send instead, and the cause for the record.
pub(super) fn invalid(advice: &str, cause: impl Display) -> Problem {
    Problem::new(Code::RequestInvalid, advice).caused_by(cause.to_string())
}

/// A part of the request line or of the headers is over its bound.
pub(super) fn too_large(part: &str, bytes_max: usize) -> Problem {
    Problem::new(Code::RequestHeadersTooLarge, format!("send at most {bytes_max} bytes of {part}"))
}
