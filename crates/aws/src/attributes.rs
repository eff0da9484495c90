//! Items ⇄ JSON.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_engine::ports::StoreError;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A text attribute.
pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A whole number.
pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Lists and string sets become arrays, number sets arrays of numbers, integral numbers integers.
///
/// # Errors
///
/// The name of the attribute that holds a binary value, however deep, and what to do about it.
pub(crate) fn json_of(item: Item) -> Result<Map<String, Value>, String> {
    if let Some((name, _)) = item.iter().find(|(_, value)| holds_binary(value)) {
        return Err(format!("attribute `{name}` is binary or holds a binary value; write it as a text"));
    }
    serde_dynamo::from_item(item).map_err(|error| error.to_string())
}

/// As [`json_of`], but a binary value becomes the object `{"B": "<n> bytes"}`, which no text, number or list is
/// mistaken for.
pub(crate) fn json_with_binaries(mut item: Item) -> Result<Map<String, Value>, String> {
    item.values_mut().for_each(mark_binaries);
    json_of(item)
}

/// Each JSON value in the attribute type of its own: arrays as `L`, objects as `M`, null as `NULL`.
pub(crate) fn item_of(fields: &Map<String, Value>) -> Result<Item, StoreError> {
    serialize(fields)
}

/// One value of [`item_of`].
pub(crate) fn attribute_of(value: &Value) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value).map_err(|error| StoreError::Rejected(error.to_string()))
}

/// The attributes of a machine-written item.
pub(crate) fn serialize(value: &impl Serialize) -> Result<Item, StoreError> {
    serde_dynamo::to_item(value).map_err(|error| StoreError::Rejected(error.to_string()))
}

/// Reads a machine-written item.
pub(crate) fn deserialize<T: DeserializeOwned>(item: Item, what: &str) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(|error| StoreError::Malformed(format!("{what}: {error}")))
}

fn holds_binary(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::B(_) | AttributeValue::Bs(_) => true,
        AttributeValue::L(items) => items.iter().any(holds_binary),
        AttributeValue::M(members) => members.values().any(holds_binary),
        _ => false,
    }
}

fn mark_binaries(value: &mut AttributeValue) {
    match value {
        AttributeValue::B(bytes) => {
            let size = format!("{} bytes", bytes.as_ref().len());
            *value = AttributeValue::M(Item::from([("B".to_owned(), text(size))]));
        }
        AttributeValue::Bs(items) => {
            let count = format!("{} items", items.len());
            *value = AttributeValue::M(Item::from([("BS".to_owned(), text(count))]));
        }
        AttributeValue::L(items) => items.iter_mut().for_each(mark_binaries),
        AttributeValue::M(members) => members.values_mut().for_each(mark_binaries),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
    use serde_json::{Value, json};

    use super::{Item, attribute_of, json_of, json_with_binaries};

    fn one(value: AttributeValue) -> Item {
        Item::from([("x".to_owned(), value)])
    }

    #[test]
    fn every_attribute_type_has_its_json() {
        let strings = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<String>>();
        for (attribute, expected) in [
            (AttributeValue::S(String::new()), json!("")),
            (AttributeValue::N("18446744073709551615".to_owned()), json!(u64::MAX)),
            (AttributeValue::N("-7".to_owned()), json!(-7)),
            (AttributeValue::N("0.01".to_owned()), json!(0.01)),
            (AttributeValue::Bool(false), json!(false)),
            (AttributeValue::Null(true), Value::Null),
            (AttributeValue::Ss(strings(&["b", "a"])), json!(["b", "a"])),
            (AttributeValue::Ns(strings(&["1", "2.5"])), json!([1, 2.5])),
            (AttributeValue::L(vec![AttributeValue::M(one(AttributeValue::Bool(true)))]), json!([{"x": true}])),
        ] {
            let fields = json_of(one(attribute.clone())).expect("JSON");
            assert_eq!(fields["x"], expected, "{attribute:?}");
        }
    }

    #[test]
    fn a_binary_value_is_refused_by_name_however_deep() {
        let binary = AttributeValue::B(Blob::new(*b"secret"));
        for value in [
            binary.clone(),
            AttributeValue::Bs(vec![Blob::new(*b"secret")]),
            AttributeValue::L(vec![AttributeValue::M(one(binary.clone()))]),
        ] {
            let refused = json_of(one(value)).expect_err("a refusal");
            assert!(refused.starts_with("attribute `x` is binary"), "{refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
        assert_eq!(json_with_binaries(one(binary)).expect("JSON")["x"], json!({"B": "6 bytes"}));
    }

    #[test]
    fn json_comes_back_as_it_was_written() {
        for value in [json!({"a": [1, "1", 1.5, null, true, {}], "b": {"c": []}}), json!(u64::MAX), json!(i64::MIN)] {
            let attribute = attribute_of(&value).expect("an attribute");
            assert_eq!(json_of(one(attribute)).expect("JSON")["x"], value);
        }
    }

    #[test]
    fn dynamodb_knows_one_type_of_number() {
        let attribute = attribute_of(&json!(1.0)).expect("an attribute");
        assert_eq!(json_of(one(attribute)).expect("JSON")["x"], json!(1));
    }
}
