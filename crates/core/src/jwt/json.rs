//! JSON in which no object has a member twice (RFC 7519 §4, RFC 7515 §4 leave it open; this refuses it).

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why bytes are no such JSON; says nothing of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no JSON, or an object that has a member twice")]
pub struct InvalidJson;

/// Parses JSON, refusing an object that has a member twice at any depth.
///
/// # Errors
///
/// [`InvalidJson`].
pub fn parse_strict(bytes: &[u8]) -> Result<Value, InvalidJson> {
    serde_json::from_slice(bytes).map(|Strict(value)| value).map_err(|_| InvalidJson)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("no number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{InvalidJson, parse_strict};

    #[test]
    fn a_member_stands_once_at_any_depth() {
        let nested = br#"{"a": [1, -1, 1.5, null, true, "x", {"b": {}}], "b": 1}"#;
        let expected = json!({"a": [1, -1, 1.5, null, true, "x", {"b": {}}], "b": 1});
        assert_eq!(parse_strict(nested), Ok(expected));
        for wrong in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#, "{", "", "{} {}"] {
            assert_eq!(parse_strict(wrong.as_bytes()), Err(InvalidJson), "{wrong}");
        }
        assert_eq!(parse_strict("[".repeat(100_000).as_bytes()), Err(InvalidJson));
    }
}
