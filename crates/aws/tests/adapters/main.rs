//! The adapters against their contracts, through the real SDK and HTTP; the fakes beside them.

mod config_store;
mod counters;
mod dynamodb_local;
mod key_store;
mod ssm_secrets;
mod support;
mod timeouts;
