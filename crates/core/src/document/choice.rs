//! Choices: enums of which a variant without fields may be written as its bare name.
//!
//! `anonymous` and `{ anonymous: {} }` mean the same. Serde's external tagging takes only one of the two
//! for a given variant, and untagged enums lose the place of an error, hence this small visitor.

use std::{fmt, marker::PhantomData};

use serde::de::{
    Deserializer, Error, MapAccess, Visitor,
    value::{MapAccessDeserializer, MapDeserializer},
};

/// Deserialises an externally tagged enum, reading the bare name `x` as `{ x: {} }`.
///
/// # Errors
///
/// Whatever `T` says of the value.
pub fn deserialise<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Tagged<'de>,
{
    deserializer.deserialize_any(BareName(PhantomData))
}

/// An enum's derived, externally tagged form (`#[serde(remote = "Self")]`).
pub trait Tagged<'de>: Sized {
    /// Deserialises `{ variant: fields }`.
    ///
    /// # Errors
    ///
    /// Whatever the derived implementation says.
    fn tagged<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

struct BareName<T>(PhantomData<T>);

impl<'de, T: Tagged<'de>> Visitor<'de> for BareName<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name or an object with one member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        let entries = std::iter::once((name, NoFields));
        T::tagged(MapAccessDeserializer::new(MapDeserializer::new(entries)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::tagged(MapAccessDeserializer::new(map))
    }
}

/// The fields of a bare name: none.
struct NoFields;

impl<'de, E: Error> serde::de::IntoDeserializer<'de, E> for NoFields {
    // Wrapped, because a plain `MapDeserializer` would pass for an empty list, too.
    type Deserializer = MapAccessDeserializer<MapDeserializer<'de, std::iter::Empty<((), ())>, E>>;

    fn into_deserializer(self) -> Self::Deserializer {
        MapAccessDeserializer::new(MapDeserializer::new(std::iter::empty()))
    }
}

/// Implements `Deserialize` for a choice that derives `Deserialize` with `#[serde(remote = "Self")]`.
macro_rules! choice {
    ($name:ident) => {
        impl<'de> $crate::document::choice::Tagged<'de> for $name {
            fn tagged<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize(deserializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::document::choice::deserialise(deserializer)
            }
        }
    };
}

pub(crate) use choice;

/// Lets the schema of a choice take the bare names of these variants.
#[cfg(feature = "schema")]
pub(crate) struct BareNames(pub(crate) &'static [&'static str]);

#[cfg(feature = "schema")]
impl schemars::transform::Transform for BareNames {
    fn transform(&mut self, schema: &mut schemars::Schema) {
        if let Some(serde_json::Value::Array(branches)) = schema.get_mut("oneOf") {
            branches.push(serde_json::json!({ "type": "string", "enum": self.0 }));
        }
    }
}
