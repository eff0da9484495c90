//! The config table's stream, read and filtered as Lambda does for the publisher.

use faregate_testing::dynamodb::{EmbeddedDynamoDb, TableNames};
use serde_json::{Value, json};

use crate::failure::Failure;

/// What the template's filter lets through: entries that users write.
const KINDS: [&str; 5] = ["route", "backend", "plan", "issuer", "settings"];

/// Records of one batch: the template's `BatchSize`.
const BATCH: usize = 1000;

/// A place in the stream.
#[derive(Debug)]
pub(super) struct ConfigStream {
    arn: String,
    iterators: Vec<String>,
}

impl ConfigStream {
    /// Begins with what is written from now on.
    pub(super) async fn open(database: &EmbeddedDynamoDb) -> Result<Self, Failure> {
        let table = TableNames::default().config;
        let streams = call(database, "ListStreams", json!({ "TableName": table })).await?;
        let arn = text(&streams, "/Streams/0/StreamArn")?;
        let stream = call(database, "DescribeStream", json!({ "StreamArn": arn })).await?;
        let shards = stream.pointer("/StreamDescription/Shards").and_then(Value::as_array);
        let mut iterators = Vec::new();
        for shard in shards.into_iter().flatten() {
            let request = json!({
                "StreamArn": arn,
                "ShardId": text(shard, "/ShardId")?,
                "ShardIteratorType": "LATEST",
            });
            iterators.push(text(&call(database, "GetShardIterator", request).await?, "/ShardIterator")?);
        }
        Ok(Self { arn, iterators })
    }

    /// The next event for the publisher, if anything of interest has been written.
    pub(super) async fn next(&mut self, database: &EmbeddedDynamoDb) -> Result<Option<Value>, Failure> {
        let mut records = Vec::new();
        for iterator in &mut self.iterators {
            let request = json!({ "ShardIterator": iterator, "Limit": BATCH });
            let mut answer = call(database, "GetRecords", request).await?;
            *iterator = text(&answer, "/NextShardIterator")?;
            if let Value::Array(new) = answer["Records"].take() {
                records.extend(new);
            }
        }
        records.retain(is_of_interest);
        Ok((!records.is_empty()).then(|| event(records, &self.arn)))
    }
}

/// The template's filter.
fn is_of_interest(record: &Value) -> bool {
    let kind = record.pointer("/dynamodb/Keys/kind/S").and_then(Value::as_str);
    kind.is_some_and(|kind| KINDS.contains(&kind))
}

/// The event that Lambda makes of records: each with the stream that it comes from.
fn event(mut records: Vec<Value>, arn: &str) -> Value {
    for record in &mut records {
        record["eventSourceARN"] = arn.into();
    }
    json!({ "Records": records })
}

async fn call(database: &EmbeddedDynamoDb, operation: &str, request: Value) -> Result<Value, Failure> {
    database
        .call(operation, &request)
        .await
        .map_err(Failure::because(format!("{operation} on the config table's stream")))
}

fn text(value: &Value, pointer: &str) -> Result<String, Failure> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| Failure::new(format!("the config table's stream: an answer without {pointer}")))
}

#[cfg(test)]
mod tests {
    use faregate_testing::dynamodb::TEMPLATE;
    use serde_json::{Value, json};

    use super::{KINDS, event, is_of_interest};

    fn record(kind: &str) -> Value {
        json!({ "eventName": "MODIFY", "dynamodb": { "Keys": { "kind": { "S": kind }, "id": { "S": "a" } } } })
    }

    #[test]
    fn only_what_users_write_calls_the_publisher() {
        for kind in ["route", "backend", "settings"] {
            assert!(is_of_interest(&record(kind)), "{kind}");
        }
        for kind in ["snapshot", "snapshot#0a", "status", "lock"] {
            assert!(!is_of_interest(&record(kind)), "{kind}");
        }
        assert!(!is_of_interest(&json!({})));
    }

    #[test]
    fn the_filter_is_the_templates() {
        let pattern = json!({ "dynamodb": { "Keys": { "kind": { "S": KINDS } } } }).to_string();
        assert!(TEMPLATE.contains(&pattern), "{pattern}");
    }

    #[test]
    fn a_record_says_where_it_comes_from() {
        let event = event(vec![record("route")], "arn:stream");
        assert_eq!(event["Records"][0]["eventSourceARN"], "arn:stream");
        assert_eq!(event["Records"][0]["eventName"], "MODIFY");
    }
}
