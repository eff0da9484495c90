//! The async half of Faregate: the request pipeline and publishing, over ports.
//!
//! A port is a narrow trait for something outside the process: a table, a secret store, a backend, a
//! clock. Adapters live in `faregate-aws`, `faregate-http` and `faregate-lambda`; fakes live in
//! `fakes` behind the feature `testing`, and one contract suite holds each fake to its real twin.
//! Nothing here knows AWS or Lambda.

pub mod body;
#[cfg(feature = "testing")]
pub mod fakes;
pub mod gateway;
mod meter;
pub mod metrics;
pub mod ports;
#[cfg(feature = "publish")]
pub mod publish;
pub mod published;
pub mod record;
