//! A DynamoDB of its own for each test, and an SSM.

pub(crate) mod ssm;

use std::sync::Arc;

use faregate_aws::{AwsConfig, Patience};
use faregate_engine::fakes::FakeClock;
use faregate_testing::dynamodb::{EmbeddedDynamoDb, TableNames};
use serde_json::{Value, json};

pub(crate) const CONFIG_TABLE: &str = "faregate-config";
pub(crate) const KEYS_TABLE: &str = "faregate-keys";
pub(crate) const USAGE_TABLE: &str = "faregate-usage";

/// An embedded DynamoDB with empty tables.
pub(crate) async fn dynamodb() -> EmbeddedDynamoDb {
    let dynamodb = EmbeddedDynamoDb::start().await.expect("a database");
    dynamodb.create_tables(&TableNames::default()).await.expect("tables");
    dynamodb
}

/// The SDK, set up as for a function but for this endpoint.
pub(crate) async fn aws(endpoint: &str) -> AwsConfig {
    AwsConfig::for_local_stack(endpoint, Arc::new(FakeClock::default()), Patience::Request).await
}

/// Writes an item as the console does, in DynamoDB's own JSON.
pub(crate) async fn put_item(dynamodb: &EmbeddedDynamoDb, table: &str, item: Value) {
    dynamodb.call("PutItem", &json!({"TableName": table, "Item": item})).await.expect("an item");
}

/// Every item of a table, in DynamoDB's own JSON.
pub(crate) async fn scan(dynamodb: &EmbeddedDynamoDb, table: &str) -> Vec<Value> {
    let mut answer = dynamodb.call("Scan", &json!({"TableName": table})).await.expect("items");
    let Value::Array(items) = answer["Items"].take() else { panic!("{answer}") };
    items
}
