//! Counters of limits in the Usage table (ARCHITECTURE.md, limits).
//!
//! | attribute | meaning |
//! | --- | --- |
//! | `id` | the counter |
//! | `<limit>.<unit><0 or 1>i` | the number of the window in this slot; only ever grows |
//! | `<limit>.<unit><0 or 1>u` | permits granted in that window |
//! | `<limit>.<unit><0 or 1>s` | permits really spent, as far as environments have said |
//! | `<limit>.b` | for mode `burst`: when the bucket is full again, in microseconds since 1970 |
//! | `cost.<yyyy-mm>` | what requests of a month cost that this counter counted, in nano-dollars: an estimate |
//! | `requests.<yyyy-mm>` | how many they were |
//! | `expires_at` | TTL, in seconds; housekeeping only |
//!
//! A consumer's month, `u#<consumer>#<yyyy-mm>`, has sums:
//!
//! | attribute | meaning |
//! | --- | --- |
//! | `<owner>\|<limit>.<unit>` | permits really spent in windows of a quota that are over |
//! | `requests`, `cost` | requests that no counter of the consumer counted, and what they cost in nano-dollars |

mod admin;
mod expression;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::update_item::{UpdateItemError, UpdateItemOutput, builders::UpdateItemFluentBuilder},
    types::{
        AttributeValue, ConsumedCapacity, ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure,
    },
};
use faregate_core::{
    limit::{Ask, Counter, Return, RollUp, Slot, SlotName},
    time::Timestamp,
};
use faregate_engine::ports::{Clock, Counters, StoreError, Taken, Terms, Waiting};
use tokio::time::timeout;

use self::expression::{Expression, give_back, take};
use crate::{
    AwsConfig,
    attributes::{Item, number as number_of, text},
    config::Dates,
    errors::store_error,
};

const ID: &str = "id";
const EXPIRES_AT: &str = "expires_at";

/// How long a call may take, a new connection included.
const CALL_LIMIT: Duration = Duration::from_millis(500);
/// How long a call may take for which a request waits, over a connection that is open.
const WAITED_FOR_LIMIT: Duration = Duration::from_millis(100);
/// Bytes of an item for which a write takes one unit.
const UNIT_BYTES: usize = 1024;

/// How long after an answer its connection counts as open, whatever froze meanwhile.
const OPEN_FOR: Duration = Duration::from_secs(5);

/// The Usage table in DynamoDB. The SDK retries nothing here.
#[derive(Clone)]
pub struct DynamoCounters {
    client: Client,
    table: String,
    clock: Arc<dyn Clock>,
    dates: Arc<Dates>,
    call_limit: Duration,
    waited_for_limit: Duration,
    /// When the store was last heard, in milliseconds of wall time.
    heard_at: Arc<AtomicU64>,
    /// Write units beyond one for each call, since somebody asked.
    more_units: Arc<AtomicU64>,
}

impl DynamoCounters {
    /// The table of this name, for a gateway: a request waits 100 ms for an answer over an open connection, and 500 ms
    /// where one must be opened; what nobody waits for may take 500 ms.
    #[must_use]
    pub fn new(config: &AwsConfig, table: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        // Shorter limits than the SDK's are kept here, because they depend on the call.
        let own = config.dynamodb().retry_config(RetryConfig::disabled());
        Self {
            client: Client::from_conf(own.build()),
            table: table.into(),
            clock,
            dates: Arc::clone(config.dates()),
            call_limit: CALL_LIMIT,
            waited_for_limit: WAITED_FOR_LIMIT,
            heard_at: Arc::default(),
            more_units: Arc::default(),
        }
    }

    /// With other limits, the same for all calls.
    #[must_use]
    pub fn patient(self, limit: Duration) -> Self {
        Self { call_limit: limit, waited_for_limit: limit, ..self }
    }

    /// The outcome of a call, if it comes in time.
    async fn in_time<T>(
        &self,
        waiting: Waiting,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let heard_at = Timestamp::from_millis(self.heard_at.load(Ordering::Relaxed));
        let is_open = self.clock.now().since(heard_at) < OPEN_FOR;
        let limit = if is_open && waiting == Waiting::Request { self.waited_for_limit } else { self.call_limit };
        let outcome = timeout(limit, call)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable(format!("no answer within {} ms", limit.as_millis()))));
        if !matches!(outcome, Err(StoreError::Unavailable(_))) {
            self.heard_at.store(self.clock.now().as_millis(), Ordering::Relaxed);
        }
        outcome
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
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
    }

    /// Notes what a write took: what the store says, or where a condition did not hold, what the item that stood in the way
    /// is billed for, since the store does not say then.
    fn note_units<R>(&self, written: &Result<UpdateItemOutput, SdkError<UpdateItemError, R>>) {
        let units = match written {
            Ok(answer) => answer.consumed_capacity().and_then(ConsumedCapacity::capacity_units).unwrap_or_default(),
            Err(error) => refused(error).flatten().map_or(0, |item| bytes_of(item).div_ceil(UNIT_BYTES)) as f64,
        };
        self.more_units.fetch_add((units.ceil() as u64).saturating_sub(1), Ordering::Relaxed);
    }
}

#[async_trait]
impl Counters for DynamoCounters {
    async fn take(&self, counter: &str, asked: &[Ask], terms: Terms) -> Result<Taken, StoreError> {
        self.in_time(terms.waiting, self.write(counter, asked, &terms)).await
    }

    async fn give_back(&self, counter: &str, back: &Return) -> Result<bool, StoreError> {
        let call = async {
            let written = self.update(counter, give_back(back)).send().await;
            self.note_units(&written);
            match written {
                Ok(_) => Ok(true),
                Err(error) if refused(&error).is_some() => Ok(false),
                Err(error) => Err(store_error(error)),
            }
        };
        self.in_time(Waiting::Nobody, call).await
    }

    async fn roll_up(&self, roll_up: &RollUp, expires_at: Timestamp) -> Result<(), StoreError> {
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&roll_up.item)))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .expression_attribute_names("#e", EXPIRES_AT)
            .expression_attribute_values(":e", number_of(expires_at.as_seconds()));
        let mut added = Vec::new();
        for (n, (attribute, more)) in roll_up.sums.iter().enumerate() {
            added.push(format!("#n{n} :v{n}"));
            update = update
                .expression_attribute_names(format!("#n{n}"), attribute)
                .expression_attribute_values(format!(":v{n}"), number_of(*more));
        }
        let update = update.update_expression(format!("SET #e = :e ADD {}", added.join(", ")));
        let call = async {
            let written = update.send().await;
            self.note_units(&written);
            written.map(drop).map_err(store_error)
        };
        self.in_time(Waiting::Nobody, call).await
    }

    async fn read(&self, counter: &str, slots: &[SlotName]) -> Result<Counter, StoreError> {
        let call = async {
            let get = self.client.get_item().table_name(&self.table).set_key(Some(key(counter))).consistent_read(false);
            let item = get.send().await.map_err(store_error)?.item.unwrap_or_default();
            read(&item, slots.iter())
        };
        self.in_time(Waiting::Request, call).await
    }

    fn skew_millis(&self) -> i64 {
        self.dates.skew_millis()
    }

    fn more_units(&self) -> u64 {
        self.more_units.swap(0, Ordering::Relaxed)
    }
}

impl DynamoCounters {
    async fn write(&self, counter: &str, asked: &[Ask], terms: &Terms) -> Result<Taken, StoreError> {
        let written = self
            .update(counter, take(asked, terms.expires_at, terms.cost.as_ref()))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await;
        self.note_units(&written);
        match written {
            Ok(answer) => {
                let item = answer.attributes.unwrap_or_default();
                let numbers = asked.iter().map(|ask| match ask {
                    Ask::Take(take) => number(&item, &take.slot.granted_attribute()),
                    Ask::Draw(draw) => number(&item, &draw.bucket),
                });
                let numbers = numbers.collect::<Result<Option<_>, _>>()?;
                numbers
                    .map(Taken::Granted)
                    .ok_or_else(|| StoreError::Malformed("an update without its values".to_owned()))
            }
            Err(error) => match refused(&error) {
                Some(item) => Ok(Taken::Refused(read_asked(item.unwrap_or(&Item::new()), asked)?)),
                None => Err(store_error(error)),
            },
        }
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

/// The bytes of an item of texts and numbers, as they are billed: a number takes about a byte for two digits, and one more.
fn bytes_of(item: &Item) -> usize {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.trim_end_matches('0').len().div_ceil(2) + 1,
        _ => 0,
    };
    item.iter().map(|(name, attribute)| name.len() + value(attribute)).sum()
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

fn read_asked(item: &Item, asked: &[Ask]) -> Result<Counter, StoreError> {
    let slots = asked.iter().filter_map(|ask| match ask {
        Ask::Take(take) => Some(&take.slot),
        Ask::Draw(_) => None,
    });
    let mut counter = read(item, slots)?;
    for ask in asked {
        if let Ask::Draw(draw) = ask
            && let Some(full_at) = number(item, &draw.bucket)?
        {
            counter.buckets.insert(draw.bucket.clone(), full_at);
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
