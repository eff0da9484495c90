//! What Faregate decides, as pure functions.
//!
//! Nothing here is async, does IO, reads a clock or knows AWS: `now` is an argument, the caller brings
//! bytes. A **document** is what users write; [`snapshot::Snapshot::compile`] turns it, once per
//! environment, into the matchers and policies that the pipeline in `faregate-engine` asks.

pub mod api_key;
#[cfg(feature = "compile")]
pub mod check;
pub mod cost;
pub mod diagnostic;
pub mod document;
pub mod forwarding;
pub mod jwt;
pub mod limit;
pub mod matcher;
pub mod origin;
pub mod path;
pub mod policy;
pub mod problem;
pub mod secret;
pub mod snapshot;
pub mod time;

/// Longest name of a consumer in bytes, whatever proves it.
pub const CONSUMER_BYTES_MAX: usize = 256;
