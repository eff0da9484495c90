//! Chunks of a snapshot: items of `snapshot#<hash>`.

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, primitives::Blob, types::AttributeValue};
use bytes::Bytes;
use faregate_engine::{ports::StoreError, published::DOCUMENT_BYTES_MAX};

use super::{CHUNKS, DynamoConfigStore, ID, KIND};
use crate::{
    attributes::{Item, text},
    errors::store_error,
};

const DATA: &str = "data";

impl DynamoConfigStore {
    /// Reads until the chunks are larger than any snapshot may be. What is no chunk is left out: a number of
    /// chunks that does not fit, or their hash, tells.
    pub(super) async fn read_chunks(&self, hash: &str) -> Result<Vec<Bytes>, StoreError> {
        let mut items = self.query_chunks(hash).into_paginator().items().send();
        let mut chunks = Vec::new();
        let mut bytes = 0;
        while let Some(item) = items.next().await {
            let Some(AttributeValue::B(data)) = item.map_err(store_error)?.remove(DATA) else { continue };
            let chunk = Bytes::from(data.into_inner());
            bytes += chunk.len();
            chunks.push(chunk);
            if bytes > DOCUMENT_BYTES_MAX {
                break;
            }
        }
        Ok(chunks)
    }

    pub(super) async fn write_chunk(&self, hash: &str, number: usize, bytes: Bytes) -> Result<(), StoreError> {
        let data = AttributeValue::B(Blob::new(bytes));
        // Four digits keep the order of 64 MB in chunks of 64 KB.
        let id = format!("{number:04}");
        self.put(&kind_of(hash), &id, Item::from([(DATA.to_owned(), data)])).await
    }

    /// One by one: the publisher may not write batches, and there are few.
    pub(super) async fn remove_chunks(&self, hash: &str) -> Result<(), StoreError> {
        let query = self.query_chunks(hash).projection_expression("#id").expression_attribute_names("#id", ID);
        let mut items = query.into_paginator().items().send();
        while let Some(item) = items.next().await {
            if let Some(AttributeValue::S(id)) = item.map_err(store_error)?.get(ID) {
                self.delete(&kind_of(hash), id).await?;
            }
        }
        Ok(())
    }

    fn query_chunks(&self, hash: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#kind = :kind")
            .expression_attribute_names("#kind", KIND)
            .expression_attribute_values(":kind", text(kind_of(hash)))
            .consistent_read(true)
    }
}

fn kind_of(hash: &str) -> String {
    format!("{CHUNKS}{hash}")
}
