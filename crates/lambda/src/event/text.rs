//! Pieces of events that borrow from the payload wherever JSON has no escapes.
//!
//! Serde's own `Cow` borrows only as a direct field, not inside `Option`, `Vec` or maps.

use std::{borrow::Cow, fmt, marker::PhantomData, ops::Deref};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

/// A string of the event.
#[derive(Debug, Default)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

/// An object of the event in its order, duplicate names included.
#[derive(Debug)]
pub(super) struct Pairs<'a, V>(pub(super) Vec<(Text<'a>, V)>);

/// Names with one value; a null value is no value.
pub(super) type Single<'a> = Pairs<'a, Option<Text<'a>>>;

/// Names with lists of values; null lists and null values are none.
pub(super) type Multi<'a> = Pairs<'a, Option<Vec<Option<Text<'a>>>>>;

impl Single<'_> {
    /// The names and values that are there.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(name, value)| value.as_deref().map(|value| (&**name, value)))
    }
}

impl Multi<'_> {
    /// The names and values that are there, those of one name in their order.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(name, values)| {
            values.iter().flatten().filter_map(move |value| value.as_deref().map(|value| (&**name, value)))
        })
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Text)
    }
}

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Pairs<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData)).map(Pairs)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct PairsVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<V> {
    type Value = Vec<(Text<'de>, V)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        // A browser's request has about this many headers.
        let mut pairs = Vec::with_capacity(24);
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{Multi, Single, Text};

    #[test]
    fn text_without_escapes_is_borrowed() {
        let borrowed: Option<Text<'_>> = serde_json::from_str(r#""é/b""#).expect("a string");
        assert!(matches!(borrowed, Some(Text(Cow::Borrowed("é/b")))));
        let owned: Option<Text<'_>> = serde_json::from_str(r#""a\/b""#).expect("a string");
        assert_eq!(owned.as_deref(), Some("a/b"));
    }

    #[test]
    fn null_values_are_no_values() {
        let single: Single<'_> = serde_json::from_str(r#"{"b":"1","a":null,"b":"2"}"#).expect("an object");
        assert_eq!(single.values().collect::<Vec<_>>(), [("b", "1"), ("b", "2")]);
        let multi: Multi<'_> = serde_json::from_str(r#"{"b":["1",null,"2"],"a":null,"c":[]}"#).expect("an object");
        assert_eq!(multi.values().collect::<Vec<_>>(), [("b", "1"), ("b", "2")]);
    }
}
