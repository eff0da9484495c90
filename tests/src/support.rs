//! The parts of the harness.

pub(crate) mod again;
pub(crate) mod backend;
pub(crate) mod binary;
pub(crate) mod client;
mod clock;
mod event;
pub mod figures;
pub(crate) mod local_aws;
pub(crate) mod process;
pub(crate) mod provider;
pub(crate) mod proxy;
pub(crate) mod seen;
pub(crate) mod stack;
pub(crate) mod tokens;
pub(crate) mod tools;
pub(crate) mod vectors;
