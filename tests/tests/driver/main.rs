//! The gateway binary under the Runtime API driver, for what the local emulator does not do as AWS does.
#![allow(clippy::disallowed_methods, reason = "how long an environment was idle is real time")]

mod answers;
mod canaries;
mod concurrency;
mod configuration;
mod endings;
mod hostile_events;
mod hostile_logs;
mod identities;
mod limits;
mod logs;
mod metrics;
mod outages;
mod requests;
mod security;
mod support;
mod tokens;
mod usage;
