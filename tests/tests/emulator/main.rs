//! The main job as a user does it: `cargo xtask dev`, the printed requests, the CLI, items put by hand; the
//! gateway run by `cargo lambda watch`.
#![allow(clippy::disallowed_methods, reason = "a change has a bound in real time, which a test measures")]

mod by_hand;
mod configuration;
mod dev;
mod keys;
mod listeners;
mod missing;
mod shell;
mod stack;
mod stopping;
mod streaming;
