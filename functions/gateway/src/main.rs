//! The gateway function: wires the engine to AWS, to backends and to Lambda.

use std::{error::Error, sync::Arc};

use faregate_aws::{AwsOptions, DynamoKeyStore, DynamoSnapshotStore, SsmSecrets};
use faregate_engine::gateway::{Gateway, Ports};
use faregate_http::{OutboundClient, OutboundSettings};
use faregate_lambda::{
    host::{OsRandom, SystemClock},
    serve,
    settings::Settings,
    telemetry::{JsonLines, init_tracing},
};
fn main() {}
