//! What an operator may do.

use async_trait::async_trait;
use faregate_core::time::Timestamp;
use serde_json::Value;

use super::{FakeConfigStore, locked};
use crate::ports::{ApplyLock, ConfigWriter, StoreError, StoredEntry};

/// Below 2⁵³ every integral float is exactly that integer.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

#[async_trait]
impl ConfigWriter for FakeConfigStore {
    async fn take_lock(&self, lock: &ApplyLock, now: Timestamp) -> Result<bool, StoreError> {
        self.faults.begin("take_lock").await?;
        let mut table = locked(&self.table);
        let is_foreign = |held: &&ApplyLock| held.holder != lock.holder && held.expires_at > now;
        if table.lock.as_ref().filter(is_foreign).is_some() {
            return Ok(false);
        }
        table.lock = Some(lock.clone());
        Ok(true)
    }

    async fn release_lock(&self, holder: &str) -> Result<(), StoreError> {
        self.faults.begin("release_lock").await?;
        let mut table = locked(&self.table);
        if table.lock.as_ref().is_some_and(|held| held.holder == holder) {
            table.lock = None;
        }
        Ok(())
    }

    async fn put_entry(&self, entry: &StoredEntry) -> Result<(), StoreError> {
        self.faults.begin("put_entry").await?;
        refuse_machine_written(&entry.kind)?;
        if entry.kind.is_empty() || entry.id.is_empty() {
            return Err(StoreError::Rejected("kind and id cannot be empty".to_owned()));
        }
        let fields = entry.fields.clone().map_err(StoreError::Rejected)?;
        let fields = fields.into_iter().map(|(name, value)| (name, stored(value))).collect();
        self.insert(StoredEntry { fields: Ok(fields), ..entry.clone() });
        Ok(())
    }

    async fn delete_entry(&self, kind: &str, id: &str) -> Result<(), StoreError> {
        self.faults.begin("delete_entry").await?;
        refuse_machine_written(kind)?;
        locked(&self.table).entries.remove(&(kind.to_owned(), id.to_owned()));
        Ok(())
    }
}

/// DynamoDB has one type of number: `1.0` comes back as `1`.
fn stored(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT_INTEGERS => {
                Value::from(float as i64)
            }
            _ => Value::Number(number),
        },
        Value::Array(items) => items.into_iter().map(stored).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, stored(value))).collect(),
        other => other,
    }
}

fn refuse_machine_written(kind: &str) -> Result<(), StoreError> {
    if kind.starts_with("snapshot#") || ["snapshot", "status", "lock"].contains(&kind) {
        return Err(StoreError::Rejected(format!("items of kind `{kind}` are not written by hand")));
    }
    Ok(())
}
