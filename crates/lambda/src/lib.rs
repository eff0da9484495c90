//! Lambda on one side, the engine on the other: events in, answers out, and what the environment says.
//!
//! Answers go to the Runtime API by our own service, because the runtime's own turns a stream that breaks
//! into one that ended well, and loses repeated headers (see `serve`).

pub mod answer;
pub mod emf;
pub mod event;
pub mod extension;
pub mod host;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod serve;
pub mod settings;
pub mod telemetry;
