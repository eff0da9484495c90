//! The real binary: against files, and against tables in an embedded DynamoDB.

mod aws;
mod configuration;
mod explain;
mod files;
mod keys;
mod support;
mod usage;
