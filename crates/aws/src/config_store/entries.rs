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
    use proptest::{
        collection::vec,
        prelude::{ProptestConfig, Strategy, any, proptest},
    };

    use super::entry_of;
    use crate::attributes::{Item, json_with_binaries, text};

    const KINDS: [&str; 6] = ["settings", "issuer", "plan", "backend", "route", "else"];
    const NAMES: [&str; 7] = ["match", "authenticate", "respond", "forward", "targets", "limits", "\u{1b}"];
    /// The document's own words, for within.
    const WORDS: [&str; 8] = ["match", "path", "respond", "body", "targets", "url", "/a", ""];

    fn pick<'a>(words: &[&'a str], number: u64) -> &'a str {
        words[usize::try_from(number % words.len() as u64).expect("few words")]
    }

    /// A word, or any characters.
    fn any_text(number: u64) -> String {
        match number % 2 {
            0 => pick(&WORDS, number / 2).to_owned(),
            _ => (0..3).filter_map(|place| char::from_u32((number >> (16 * place)) as u32 & 0x1f_ffff)).collect(),
        }
    }

    /// Up to 38 digits, and exponents of three.
    fn any_number(number: u64) -> String {
        let wide = i128::from(number.cast_signed()) * i128::from(number.rotate_left(32));
        match number % 3 {
            0 => number.cast_signed().to_string(),
            1 => (wide % 10_i128.pow(38)).to_string(),
            _ => format!("{}.{}E{:+}", wide % 10, number >> 32, wide / 16 % 126),
        }
    }

    /// A value of any type that DynamoDB has, spelt by numbers: one for each value in it. Where they end, null is.
    fn attribute(numbers: &mut impl Iterator<Item = u64>) -> AttributeValue {
        let number = numbers.next().unwrap_or_default();
        // The last byte says of what type it is, the others which one.
        let which = number >> 8;
        // A set is never empty.
        let others = || [which, !which].into_iter().take(1 + usize::from(which.is_multiple_of(2)));
        match number % 16 {
            0 => AttributeValue::Null(which.is_multiple_of(2)),
            1 => AttributeValue::Bool(which.is_multiple_of(2)),
            2 => AttributeValue::N(any_number(which)),
            3 => AttributeValue::Ns(others().map(any_number).collect()),
            4 => AttributeValue::Ss(others().map(any_text).collect()),
            5 => AttributeValue::B(Blob::new(any_text(which))),
            6 => AttributeValue::Bs(others().map(any_text).map(Blob::new).collect()),
            7..=9 => text(any_text(which)),
            10 | 11 => AttributeValue::L((0..which % 4).map(|_| attribute(numbers)).collect()),
            _ => {
                let member = |place| (pick(&WORDS, which >> (4 * place)).to_owned(), attribute(numbers));
                AttributeValue::M((1..=which % 4).map(member).collect())
            }
        }
    }

    fn item(kind: u64, numbers: Vec<u64>) -> Item {
        let kind = pick(&KINDS, kind);
        let id = if kind == "settings" { "gateway" } else { "x" };
        let mut item = Item::from([("kind".to_owned(), text(kind)), ("id".to_owned(), text(id))]);
        let mut numbers = numbers.into_iter();
        while let Some(name) = numbers.next() {
            item.insert(pick(&NAMES, name).to_owned(), attribute(&mut numbers));
        }
        item
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]

        #[test]
        fn any_item_at_all_is_an_entry_or_a_mistake_and_never_a_panic(
            item in (any::<u64>(), vec(any::<u64>(), 0..24)).prop_map(|(kind, numbers)| item(kind, numbers))
        ) {
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
