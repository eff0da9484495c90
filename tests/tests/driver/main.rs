//! The gateway binary under the Runtime API driver, for what the local emulator does not do as AWS does.

mod answers;
mod concurrency;
mod configuration;
mod endings;
mod outages;
mod requests;
mod security;
mod support;
