//! Two items in one transaction.

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{BuildError, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{Put, TransactWriteItem, builders::PutBuilder},
};
use faregate_engine::{
    ports::{Expected, Flip, StoreError},
    published::SnapshotHead,
};

use super::{CURRENT, DynamoConfigStore, KIND, SNAPSHOT, head_id, keyed};
use crate::{
    attributes::{number, serialize},
    errors::{refusal, store_error},
};

impl DynamoConfigStore {
    /// The SDK gives every try the same token, so a try whose answer was lost is not repeated.
    pub(super) async fn write_heads(&self, head: &SnapshotHead, expected: Expected) -> Result<Flip, StoreError> {
        let item = serialize(head)?;
        let put = |id: &str| Put::builder().table_name(&self.table).set_item(Some(keyed(SNAPSHOT, id, item.clone())));
        let current = condition(put(CURRENT), expected).build().map_err(rejected)?;
        let version = put(&head_id(head.version));
        let version = if expected == Expected::Unreadable { absent(version) } else { version };
        let version = version.build().map_err(rejected)?;
        let write = |put| TransactWriteItem::builder().put(put).build();
        let transaction =
            self.client.transact_write_items().transact_items(write(current)).transact_items(write(version));
        match transaction.send().await {
            Ok(_) => Ok(Flip::Done),
            Err(error) => cancelled(error),
        }
    }
}

fn condition(put: PutBuilder, expected: Expected) -> PutBuilder {
    match expected {
        Expected::Absent => absent(put),
        Expected::Unreadable => put,
        Expected::Version(version) => put
            .condition_expression("#version = :expected")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":expected", number(version)),
    }
}

fn absent(put: PutBuilder) -> PutBuilder {
    put.condition_expression("attribute_not_exists(#kind)").expression_attribute_names("#kind", KIND)
}

/// Tells a competitor from a failure.
fn cancelled(error: SdkError<TransactWriteItemsError, HttpResponse>) -> Result<Flip, StoreError> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancellation)) = error.as_service_error() else {
        return Err(store_error(error));
    };
    let reasons = cancellation.cancellation_reasons();
    let codes: Vec<&str> = reasons.iter().filter_map(|reason| reason.code()).filter(|code| *code != "None").collect();
    if codes.iter().any(|code| ["ConditionalCheckFailed", "TransactionConflict"].contains(code)) {
        return Ok(Flip::Conflict);
    }
    let messages: Vec<&str> = reasons.iter().filter_map(|reason| reason.message()).collect();
    let text = format!("the transaction was cancelled: {} {}", codes.join(", "), messages.join(", "));
    Err(refusal(codes.first().unwrap_or(&""), 400, text))
}

fn rejected(error: BuildError) -> StoreError {
    StoreError::Rejected(error.to_string())
}
