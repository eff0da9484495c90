//! The main job as a user does it: `cargo xtask dev`, the printed requests, the CLI, items put by hand; the
//! gateway run by `cargo lambda watch`.

mod configuration;
mod dev;
mod keys;
mod stack;
mod stopping;
mod streaming;
