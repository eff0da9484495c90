//! The parts of the harness.

pub mod backend;
pub mod binary;
pub mod client;
mod clock;
mod event;
pub mod seen;
pub mod stack;
pub mod vectors;
