//! Faregate's ports on AWS: the Config, Keys and Usage tables in DynamoDB, secrets in SSM.
//!
//! No other crate knows an `aws-sdk-*` crate. Table names and switches are arguments: reading the
//! environment is the composition roots' business, but for what the SDK itself reads (region, credentials,
//! profile, `AWS_ENDPOINT_URL…`).

mod attributes;
mod cloudwatch;
mod config;
mod config_store;
mod counters;
mod deferred;
mod errors;
mod key_store;
mod ssm_secrets;

pub use cloudwatch::CloudWatchSink;
pub use config::{AwsConfig, Patience};
pub use config_store::DynamoConfigStore;
pub use counters::DynamoCounters;
pub use key_store::DynamoKeyStore;
pub use ssm_secrets::{NAMES_MAX, NEGATIVE_TTL, REFRESH_TTL, SsmSecrets, TTL};
