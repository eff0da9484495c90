//! The embedded DynamoDB: its tables, its outages, and whom it refuses.

use std::net::{Ipv4Addr, SocketAddr};

use faregate_testing::dynamodb::{CallError, DynamoDbError, EmbeddedDynamoDb, TableNames};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn with_tables() -> EmbeddedDynamoDb {
    let dynamodb = EmbeddedDynamoDb::start().await.expect("a database");
    dynamodb.create_tables(&TableNames::default()).await.expect("tables");
    dynamodb
}

async fn describe(dynamodb: &EmbeddedDynamoDb, table: &str) -> Value {
    let described = dynamodb.call("DescribeTable", &json!({"TableName": table})).await.expect("a table");
    described["Table"].clone()
}

#[tokio::test]
async fn the_tables_have_the_keys_index_stream_and_ttl_of_the_template() {
    let dynamodb = with_tables().await;
    let config = describe(&dynamodb, "faregate-config").await;
    let hash = |name: &str| json!({"AttributeName": name, "KeyType": "HASH"});
    let range = |name: &str| json!({"AttributeName": name, "KeyType": "RANGE"});
    assert_eq!(config["KeySchema"], json!([hash("kind"), range("id")]));
    assert_eq!(config["StreamSpecification"]["StreamViewType"], "KEYS_ONLY");
    let keys = describe(&dynamodb, "faregate-keys").await;
    assert_eq!(keys["KeySchema"], json!([hash("key_hash")]));
    assert_eq!(keys["GlobalSecondaryIndexes"][0]["IndexName"], "by_consumer");
    assert_eq!(keys["GlobalSecondaryIndexes"][0]["KeySchema"], json!([hash("consumer"), range("key_hash")]));
    let usage = describe(&dynamodb, "faregate-usage").await;
    assert_eq!(usage["KeySchema"], json!([hash("id")]));
    let ttl = dynamodb.call("DescribeTimeToLive", &json!({"TableName": "faregate-usage"})).await.expect("a TTL");
    assert_eq!(ttl["TimeToLiveDescription"]["AttributeName"], "expires_at");
    assert_eq!(ttl["TimeToLiveDescription"]["TimeToLiveStatus"], "ENABLED");
}

#[tokio::test]
async fn making_the_tables_twice_changes_nothing() {
    let dynamodb = with_tables().await;
    let item = json!({"TableName": "faregate-usage", "Item": {"id": {"S": "a"}}});
    dynamodb.call("PutItem", &item).await.expect("an item");
    dynamodb.create_tables(&TableNames::default()).await.expect("tables");
    let scan = dynamodb.call("Scan", &json!({"TableName": "faregate-usage"})).await.expect("items");
    assert_eq!(scan["Count"], 1);
}

#[tokio::test]
async fn a_refusal_says_why() {
    let dynamodb = EmbeddedDynamoDb::start().await.expect("a database");
    let refused = dynamodb.call("Scan", &json!({"TableName": "absent"})).await;
    let Err(CallError::Refused { code, message }) = refused else { panic!("{refused:?}") };
    assert_eq!(code, "ResourceNotFoundException");
    assert!(!message.is_empty());
}

/// Sends bytes as they are; yields the answer up to the end of the connection.
async fn send(address: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

const HEALTH: &str = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn an_outage_refuses_connections_and_keeps_the_data() {
    let mut dynamodb = with_tables().await;
    let address = dynamodb.address();
    assert!(send(address, HEALTH).await.expect("an answer").starts_with("HTTP/1.1 200"));
    let mut open = TcpStream::connect(address).await.expect("a connection");
    open.write_all(HEALTH.replace("close", "keep-alive").as_bytes()).await.expect("sent");
    let mut first = [0; 12];
    open.read_exact(&mut first).await.expect("an answer");

    dynamodb.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
    let mut rest = Vec::new();
    // Broken off, gracefully or not: what matters is that it ends.
    let _ = open.read_to_end(&mut rest).await;

    dynamodb.restart().await.expect("the same port");
    assert_eq!(dynamodb.address(), address);
    assert!(send(address, HEALTH).await.expect("an answer").starts_with("HTTP/1.1 200"));
    describe(&dynamodb, "faregate-config").await;
}

#[tokio::test]
async fn browsers_are_refused_without_cors() {
    let dynamodb = EmbeddedDynamoDb::start().await.expect("a database");
    for method in ["OPTIONS", "POST", "GET"] {
        let request = format!(
            "{method} / HTTP/1.1\r\nhost: localhost\r\norigin: https://example.com\r\nconnection: close\r\n\
             access-control-request-method: POST\r\ncontent-length: 0\r\n\r\n"
        );
        let answer = send(dynamodb.address(), &request).await.expect("an answer").to_lowercase();
        assert!(answer.starts_with("http/1.1 403"), "{answer}");
        assert!(!answer.contains("access-control"), "{answer}");
    }
}

#[tokio::test]
async fn only_this_machine_can_reach_it() {
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let refused = EmbeddedDynamoDb::start_at(everywhere, None).await;
    assert!(matches!(refused, Err(DynamoDbError::NotLoopback(_))));
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let dynamodb = EmbeddedDynamoDb::start().await.expect("a database");
    let refused = EmbeddedDynamoDb::start_at(dynamodb.address(), None).await;
    assert!(matches!(refused, Err(DynamoDbError::Listen { .. })));
}

#[tokio::test]
async fn data_in_a_file_outlives_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("data.sqlite");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let first = EmbeddedDynamoDb::start_at(any, Some(&file)).await.expect("a database");
    first.create_tables(&TableNames::with_prefix("kept")).await.expect("tables");
    drop(first);
    let second = EmbeddedDynamoDb::start_at(any, Some(&file)).await.expect("a database");
    describe(&second, "kept-config").await;
}
