//! The Config table (ARCHITECTURE.md, tables).
//!
//! | kind | id | attributes |
//! | --- | --- | --- |
//! | `route`, `backend`, … | the entry's | its fields, natively |
//! | `snapshot` | `current` | `version`, `hash`, `format`, `chunks`, `published_at` (ms since 1970) |
//! | `snapshot` | `<version, 12 digits>` | the same |
//! | `snapshot#<hash>` | `<number, 4 digits>` | `data`, binary |
//! | `status` | `publisher` | `version`, `time` (ms), `refused`, `diagnostics`, `count` |
//! | `lock` | `apply` | `holder`, `expires_at` (ms) |

mod chunks;
mod entries;
mod flip;
mod gateway;
mod operator;
mod publisher;

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use faregate_engine::ports::StoreError;

use crate::{
    AwsConfig,
    attributes::{Item, text},
    errors::store_error,
};

const KIND: &str = "kind";
const ID: &str = "id";
const SNAPSHOT: &str = "snapshot";
const CURRENT: &str = "current";
const CHUNKS: &str = "snapshot#";
const STATUS: &str = "status";
const PUBLISHER: &str = "publisher";
const LOCK: &str = "lock";
const APPLY: &str = "apply";

/// The Config table in DynamoDB.
#[derive(Clone, Debug)]
pub struct DynamoConfigStore {
    client: Client,
    table: String,
}

impl DynamoConfigStore {
    /// The table of this name.
    #[must_use]
    pub fn new(config: &AwsConfig, table: impl Into<String>) -> Self {
        Self { client: Client::from_conf(config.dynamodb().build()), table: table.into() }
    }

    async fn get(&self, kind: &str, id: &str, consistent: bool) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key(kind, id)));
        let answer = get.consistent_read(consistent).send().await.map_err(store_error)?;
        Ok(answer.item)
    }

    async fn put(&self, kind: &str, id: &str, item: Item) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(keyed(kind, id, item)));
        put.send().await.map_err(store_error)?;
        Ok(())
    }

    async fn delete(&self, kind: &str, id: &str) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key(kind, id)));
        delete.send().await.map_err(store_error)?;
        Ok(())
    }
}

fn key(kind: &str, id: &str) -> HashMap<String, AttributeValue> {
    keyed(kind, id, Item::new())
}

fn keyed(kind: &str, id: &str, mut item: Item) -> Item {
    item.insert(KIND.to_owned(), text(kind));
    item.insert(ID.to_owned(), text(id));
    item
}

/// The id of a version's head; sorts as the versions do.
fn head_id(version: u64) -> String {
    format!("{version:012}")
}

/// Whether items of this kind are written by Faregate itself.
fn is_machine_written(kind: &str) -> bool {
    [SNAPSHOT, STATUS, LOCK].contains(&kind) || kind.starts_with(CHUNKS)
}
