//! The same contracts on AWS's own DynamoDB Local, which is stricter than the embedded database: where this machine can run
//! it, and else a line says that it cannot.
#![allow(clippy::print_stdout, reason = "a suite that does not run must say so")]

use std::sync::Arc;

use faregate_aws::{AwsConfig, DynamoConfigStore, DynamoCounters, DynamoKeyStore, Patience};
use faregate_engine::{
    fakes::FakeClock,
    ports::{ConfigWriter, Counters, KeyAdmin},
};
use faregate_testing::{
    contract::Subject,
    dynamodb::{DynamoDbLocal, DynamoDbLocalError, TableNames},
};

use crate::counters::PATIENCE;

mod config_contract {
    faregate_testing::config_contract!(super::config, on super::DynamoDbLocal);
}

mod counters_contract {
    faregate_testing::counters_contract!(super::counters, on super::DynamoDbLocal);
}

mod keys_contract {
    faregate_testing::keys_contract!(super::keys, on super::DynamoDbLocal);
}

#[tokio::test]
async fn the_config_table_keeps_its_promises_on_dynamodb_local() {
    if let Some(server) = server().await {
        config_contract::all(&server).await;
    }
}

#[tokio::test]
async fn the_usage_table_keeps_its_promises_on_dynamodb_local() {
    if let Some(server) = server().await {
        counters_contract::all(&server).await;
    }
}

#[tokio::test]
async fn the_keys_table_keeps_its_promises_on_dynamodb_local() {
    if let Some(server) = server().await {
        keys_contract::all(&server).await;
    }
}

async fn server() -> Option<DynamoDbLocal> {
    match DynamoDbLocal::start().await {
        Ok(server) => Some(server),
        Err(missing @ DynamoDbLocalError::Missing(_)) => {
            println!("NOT CHECKED: {missing}");
            None
        }
        Err(failure) => panic!("{failure}"),
    }
}

async fn tables(server: &DynamoDbLocal, check: &str) -> (AwsConfig, TableNames) {
    let names = TableNames::with_prefix(check);
    server.create_tables(&names).await.expect("tables");
    let clock = Arc::new(FakeClock::default());
    (AwsConfig::for_local_stack(&server.endpoint(), clock, Patience::Background).await, names)
}

async fn config(server: &DynamoDbLocal, check: &str) -> Subject<dyn ConfigWriter> {
    let (aws, names) = tables(server, check).await;
    Subject::new(Box::new(DynamoConfigStore::new(&aws, names.config)), ())
}

async fn counters(server: &DynamoDbLocal, check: &str) -> Subject<dyn Counters> {
    let (aws, names) = tables(server, check).await;
    let counters = DynamoCounters::new(&aws, names.usage, Arc::new(FakeClock::default()));
    Subject::new(Box::new(counters.patient(PATIENCE)), ())
}

async fn keys(server: &DynamoDbLocal, check: &str) -> Subject<dyn KeyAdmin> {
    let (aws, names) = tables(server, check).await;
    Subject::new(Box::new(DynamoKeyStore::new(&aws, names.keys)), ())
}
