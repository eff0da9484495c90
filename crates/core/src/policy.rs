//! The policies, one file each: what users write, how it compiles, what it decides.
//!
//! A policy's document type deserialises; its `compile` reports every mistake at its place and yields the
//! compiled form; the compiled form decides, without IO and without a clock. Adding one touches this
//! list, its own file and the enum of its phase.

pub mod access;
pub mod api_key;
pub mod authenticate;
pub mod authorize;
pub mod cors;
pub mod credential;
pub mod edge;
pub mod forward;
pub mod forward_auth;
pub mod headers;
pub mod jwt;
pub mod limit;
pub mod path_rewrite;
pub mod redirect;
pub mod respond;
pub mod telemetry;
