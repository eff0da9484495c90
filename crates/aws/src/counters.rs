//! Counters of limits in the Usage table (ARCHITECTURE.md, limits).
//!
//! | attribute | meaning |
//! | --- | --- |
//! | `id` | the counter |
//! | `<limit>.<unit><0 or 1>i` | the number of the window in this slot; only ever grows |
//! | `<limit>.<unit><0 or 1>u` | permits granted in that window |
//! | `<limit>.<unit><0 or 1>s` | permits really spent, as far as environments have said |
//! | `expires_at` | TTL, in seconds; housekeeping only |

mod expression;

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use aws_sdk_dynamodb::config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use faregate_core::{
    limit::{Counter, Return, Slot, SlotName, Take},
    time::Timestamp,
};
use faregate_engine::ports::{Counters, StoreError, Taken};

use self::expression::{Expression, give_back, take};
use crate::{
    AwsConfig,
    attributes::{Item, text},
    errors::store_error,
};

const ID: &str = "id";

/// How long a new connection may take.
const CONNECT: Duration = Duration::from_millis(400);
/// How long a gateway waits for an answer over a connection that is open.
pub const ANSWER_LIMIT: Duration = Duration::from_millis(100);

/// The Usage table in DynamoDB. The SDK retries nothing here.
#[derive(Clone, Debug)]
pub struct DynamoCounters {
    client: Client,
    table: String,
}

impl DynamoCounters {
    /// The table of this name; an answer may take as long as `answer_limit`.
    #[must_use]
    pub fn new(config: &AwsConfig, table: impl Into<String>, answer_limit: Duration) -> Self {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(answer_limit).build();
        let own = aws_sdk_dynamodb::config::Builder::from(config.sdk())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        Self { client: Client::from_conf(own.build()), table: table.into() }
    }

    fn update(&self, counter: &str, expression: Expression) -> UpdateItemFluentBuilder {
        let Expression { update, condition, names, values } = expression;
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(counter)))
            .update_expression(update)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
    }
}

#[async_trait]
impl Counters for DynamoCounters {
    async fn take(&self, counter: &str, takes: &[Take], expires_at: Timestamp) -> Result<Taken, StoreError> {
        let written = self
            .update(counter, take(takes, expires_at))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match written {
            Ok(answer) => {
                let item = answer.attributes.unwrap_or_default();
                let granted = takes.iter().map(|take| number(&item, &take.slot.granted_attribute()));
                let granted = granted.collect::<Result<Option<_>, _>>()?;
                granted
                    .map(Taken::Granted)
                    .ok_or_else(|| StoreError::Malformed("an update without its values".to_owned()))
            }
            Err(error) => match refused(&error) {
                Some(item) => {
                    Ok(Taken::Refused(read(item.unwrap_or(&Item::new()), takes.iter().map(|take| &take.slot))?))
                }
                None => Err(store_error(error)),
            },
        }
    }

    async fn give_back(&self, counter: &str, back: &Return) -> Result<bool, StoreError> {
        match self.update(counter, give_back(back)).send().await {
            Ok(_) => Ok(true),
            Err(error) if refused(&error).is_some() => Ok(false),
            Err(error) => Err(store_error(error)),
        }
    }

    async fn read(&self, counter: &str, slots: &[SlotName]) -> Result<Counter, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key(counter))).consistent_read(false);
        let item = get.send().await.map_err(store_error)?.item.unwrap_or_default();
        read(&item, slots.iter())
    }
}

/// The item that did not meet the condition, or that there was none; `None` for another failure.
fn refused<R>(error: &SdkError<UpdateItemError, R>) -> Option<Option<&Item>> {
    match error {
        SdkError::ServiceError(failure) => match failure.err() {
            UpdateItemError::ConditionalCheckFailedException(failed) => Some(failed.item()),
            _ => None,
        },
        _ => None,
    }
}

fn read<'a>(item: &Item, slots: impl Iterator<Item = &'a SlotName>) -> Result<Counter, StoreError> {
    let mut counter = Counter::default();
    for name in slots {
        // A slot without its window's number was never written.
        if let Some(index) = number(item, &name.index_attribute())? {
            let granted = number(item, &name.granted_attribute())?.unwrap_or_default();
            let settled = number(item, &name.settled_attribute())?.unwrap_or_default();
            counter.slots.insert(name.clone(), Slot { index, granted, settled });
        }
    }
    Ok(counter)
}

fn number(item: &Item, name: &str) -> Result<Option<u64>, StoreError> {
    match item.get(name) {
        None => Ok(None),
        Some(AttributeValue::N(text)) => {
            text.parse().map(Some).map_err(|_| StoreError::Malformed(format!("{name} is no count: {text}")))
        }
        Some(_) => Err(StoreError::Malformed(format!("{name} is no number"))),
    }
}

fn key(counter: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([(ID.to_owned(), text(counter))])
}
