//! What users write.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_engine::ports::{StoreError, StoredEntry};

use super::{CHUNKS, DynamoConfigStore, ID, KIND, LOCK, SNAPSHOT, STATUS, is_machine_written};
use crate::{
    attributes::{Item, item_of, json_of, text},
    errors::store_error,
};

impl DynamoConfigStore {
    /// A scan, because a kind that nobody knows has to be found too. The table filters, so that chunks do not
    /// travel.
    pub(super) async fn scan_entries(&self) -> Result<Vec<StoredEntry>, StoreError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression("NOT (begins_with(#kind, :chunks) OR #kind IN (:snapshot, :status, :lock))")
            .expression_attribute_names("#kind", KIND)
            .expression_attribute_values(":chunks", text(CHUNKS))
            .expression_attribute_values(":snapshot", text(SNAPSHOT))
            .expression_attribute_values(":status", text(STATUS))
            .expression_attribute_values(":lock", text(LOCK))
            .consistent_read(true);
        let mut items = scan.into_paginator().items().send();
        let mut entries = Vec::new();
        while let Some(item) = items.next().await {
            entries.push(entry_of(item.map_err(store_error)?)?);
        }
        entries.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
        Ok(entries)
    }

    pub(super) async fn write_entry(&self, entry: &StoredEntry) -> Result<(), StoreError> {
        refuse_machine_written(&entry.kind)?;
        let fields = entry.fields.as_ref().map_err(|cause| StoreError::Rejected(cause.clone()))?;
        self.put(&entry.kind, &entry.id, item_of(fields)?).await
    }

    pub(super) async fn remove_entry(&self, kind: &str, id: &str) -> Result<(), StoreError> {
        refuse_machine_written(kind)?;
        self.delete(kind, id).await
    }
}

fn entry_of(mut item: Item) -> Result<StoredEntry, StoreError> {
    let mut take = |name: &str| match item.remove(name) {
        Some(AttributeValue::S(value)) => Ok(value),
        _ => Err(StoreError::Malformed(format!("an item without `{name}`"))),
    };
    Ok(StoredEntry { kind: take(KIND)?, id: take(ID)?, fields: json_of(item) })
}

fn refuse_machine_written(kind: &str) -> Result<(), StoreError> {
    if is_machine_written(kind) {
        return Err(StoreError::Rejected(format!("items of kind `{kind}` are not written by hand")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
    use faregate_core::check::{CheckOptions, has_errors};
    use faregate_engine::publish::check_stored;
    use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

    use super::entry_of;
    use crate::attributes::{Item, json_with_binaries, text};

    /// Values of every type that DynamoDB has, often with the document's own words in them.
    fn attribute() -> impl Strategy<Value = AttributeValue> {
        let words = || prop::sample::select(vec!["match", "path", "respond", "body", "targets", "url", "/a", ""]);
        // Up to 38 digits, and exponents of three.
        let number = || {
            prop_oneof![
                any::<i64>().prop_map(|number| number.to_string()),
                "-?[0-9]{1,38}",
                "-?[1-9](\\.[0-9]{1,9})?E[+-]1[0-2][0-5]"
            ]
        };
        let leaf = prop_oneof![
            words().prop_map(text),
            ".{0,8}".prop_map(text),
            number().prop_map(AttributeValue::N),
            any::<bool>().prop_map(AttributeValue::Bool),
            any::<bool>().prop_map(AttributeValue::Null),
            ".{0,8}".prop_map(|bytes| AttributeValue::B(Blob::new(bytes))),
            prop::collection::vec(".{0,8}", 1..3).prop_map(AttributeValue::Ss),
            prop::collection::vec(number(), 1..3).prop_map(AttributeValue::Ns),
            prop::collection::vec(".{0,8}", 1..3)
                .prop_map(|sets| AttributeValue::Bs(sets.into_iter().map(Blob::new).collect())),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let members = prop::collection::hash_map(words().prop_map(str::to_owned), inner.clone(), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(AttributeValue::L),
                members.prop_map(AttributeValue::M)
            ]
        })
    }

    fn item() -> impl Strategy<Value = Item> {
        let names =
            prop::sample::select(vec!["match", "authenticate", "respond", "forward", "targets", "limits", "\u{1b}"]);
        let kinds = prop::sample::select(vec!["settings", "issuer", "plan", "backend", "route", "else"]);
        let attributes = prop::collection::hash_map(names.prop_map(str::to_owned), attribute(), 0..5);
        (kinds, attributes).prop_map(|(kind, mut item)| {
            let id = if kind == "settings" { "gateway" } else { "x" };
            item.extend([("kind".to_owned(), text(kind)), ("id".to_owned(), text(id))]);
            item
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn any_item_at_all_is_an_entry_or_a_mistake_and_never_a_panic(item in item()) {
            let entry = entry_of(item.clone()).expect("kind and id are there");
            let unreadable = entry.fields.is_err();
            let checked = check_stored(&[entry], CheckOptions::default());
            assert!(checked.document.is_none() || !unreadable);
            assert_eq!(checked.document.is_none(), has_errors(&checked.diagnostics));
            // Keys' items are read with the same eyes.
            drop(json_with_binaries(item));
        }
    }
}
