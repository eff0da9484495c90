//! What operators do with the Usage table.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update, builders::UpdateBuilder};
use faregate_engine::ports::{Adjustment, Beginning, StoreError, UsageAdmin};
use serde_json::{Map, Value, json};

use super::{DynamoCounters, EXPIRES_AT, ID, key, number_of};
use crate::{
    attributes::{item_of, json_with_binaries},
    errors::store_error,
};

/// How long the record of an adjustment is kept, in seconds: 13 months.
const KEPT_SECONDS: u64 = 400 * 86_400;

#[async_trait]
impl UsageAdmin for DynamoCounters {
    async fn get(&self, id: &str) -> Result<Option<Map<String, Value>>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key(id))).consistent_read(true);
        let item = get.send().await.map_err(store_error)?.item;
        item.map(json_with_binaries).transpose().map_err(StoreError::Malformed)
    }

    async fn all(&self) -> Result<Vec<Map<String, Value>>, StoreError> {
        let mut pages = self.client.scan().table_name(&self.table).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(json_with_binaries(item.map_err(store_error)?).map_err(StoreError::Malformed)?);
        }
        Ok(items)
    }

    async fn adjust(&self, adjustment: &Adjustment) -> Result<bool, StoreError> {
        let permits = adjustment.permits.unsigned_abs();
        // Each with what of the limit's number it needs. Beyond the limit blocks were granted in part or not at all: what
        // is given counts from the limit on.
        let expressions: &[_] = match (adjustment.permits >= 0, adjustment.limit) {
            (false, _) => &[("#u + :n", "#i = :w", None)],
            (true, None) => &[("#u - :n", "#i = :w AND #u >= :n", None)],
            (true, Some(limit)) if limit < permits => &[],
            (true, limit) => {
                &[("#u - :n", "#i = :w AND #u BETWEEN :n AND :l", limit), (":l - :n", "#i = :w AND #u > :l", limit)]
            }
        };
        if let Some(beginning) = &adjustment.beginning {
            return self.begin(adjustment, beginning).await;
        }
        for (becomes, condition, limit) in expressions {
            let mut update = Update::builder()
                .table_name(&self.table)
                .set_key(Some(key(&adjustment.counter)))
                .update_expression(format!("SET #u = {becomes}"))
                .condition_expression(*condition)
                .expression_attribute_names("#i", adjustment.slot.index_attribute())
                .expression_attribute_names("#u", adjustment.slot.granted_attribute())
                .expression_attribute_values(":w", number_of(adjustment.index))
                .expression_attribute_values(":n", number_of(permits));
            if let Some(limit) = limit {
                update = update.expression_attribute_values(":l", number_of(*limit));
            }
            if self.write_adjustment(update, None, adjustment).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl DynamoCounters {
    /// Begins a slot with permits that are taken, and adds to its month what it had before.
    async fn begin(&self, adjustment: &Adjustment, beginning: &Beginning) -> Result<bool, StoreError> {
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(&adjustment.counter)))
            .update_expression("SET #i = :w, #u = :n, #s = :zero, #e = :e")
            .expression_attribute_names("#i", adjustment.slot.index_attribute())
            .expression_attribute_names("#u", adjustment.slot.granted_attribute())
            .expression_attribute_names("#s", adjustment.slot.settled_attribute())
            .expression_attribute_names("#e", EXPIRES_AT)
            .expression_attribute_values(":w", number_of(adjustment.index))
            .expression_attribute_values(":n", number_of(adjustment.permits.unsigned_abs()))
            .expression_attribute_values(":zero", number_of(0))
            .expression_attribute_values(":e", number_of(beginning.expires_at.as_seconds()));
        update = match beginning.over {
            None => update.condition_expression("attribute_not_exists(#i)"),
            Some(over) => update
                .condition_expression("#i = :over AND #i < :w AND #s = :spent")
                .expression_attribute_values(":over", number_of(over.index))
                .expression_attribute_values(":spent", number_of(over.permits)),
        };
        let month = beginning.roll_up.as_ref().map(|roll_up| {
            let month = Update::builder().table_name(&self.table).set_key(Some(key(&roll_up.item)));
            let month = month
                .expression_attribute_names("#e", EXPIRES_AT)
                .expression_attribute_values(":e", number_of(beginning.expires_at.as_seconds()));
            let mut added = Vec::new();
            let month = roll_up.sums.iter().enumerate().fold(month, |month, (n, (attribute, more))| {
                added.push(format!("#n{n} :v{n}"));
                month
                    .expression_attribute_names(format!("#n{n}"), attribute)
                    .expression_attribute_values(format!(":v{n}"), number_of(*more))
            });
            month.update_expression(format!("SET #e = :e ADD {}", added.join(", ")))
        });
        self.write_adjustment(update, month, adjustment).await
    }

    /// Changes a counter and leaves a record of it, or neither; `false` where a condition does not hold.
    async fn write_adjustment(
        &self,
        update: UpdateBuilder,
        month: Option<UpdateBuilder>,
        adjustment: &Adjustment,
    ) -> Result<bool, StoreError> {
        let record = json!({
            ID: format!("adjustment|{}|{}", adjustment.counter, adjustment.at.rfc3339()),
            "counter": adjustment.counter,
            "slot": adjustment.slot.granted_attribute(),
            "permits": adjustment.permits,
            "by": adjustment.by,
            "reason": adjustment.reason,
            EXPIRES_AT: adjustment.at.as_seconds() + KEPT_SECONDS,
        });
        let record = item_of(record.as_object().unwrap_or(&Map::new()))?;
        // A record is never written over: two adjustments in one millisecond are one too many.
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(record))
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", ID);
        let rejected = |error: aws_sdk_dynamodb::error::BuildError| StoreError::Rejected(error.to_string());
        let mut writes = vec![TransactWriteItem::builder().put(put.build().map_err(rejected)?).build()];
        for update in [Some(update), month].into_iter().flatten() {
            writes.push(TransactWriteItem::builder().update(update.build().map_err(rejected)?).build());
        }
        let written = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        match written {
            Ok(_) => Ok(true),
            Err(error) => {
                let is_refused = error.as_service_error().is_some_and(|error| match error {
                    aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
                        canceled,
                    ) => canceled.cancellation_reasons().iter().any(|why| why.code() == Some("ConditionalCheckFailed")),
                    _ => false,
                });
                if is_refused { Ok(false) } else { Err(store_error(error)) }
            }
        }
    }
}
