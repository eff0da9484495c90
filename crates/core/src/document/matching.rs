//! What a route matches.

use serde::Deserialize;

use super::choice;

/// One way to match: all its parts must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct MatchEntry {
    /// The path; absent: any.
    pub path: Option<PathMatch>,
    /// The methods; absent: any. HEAD and OPTIONS are not implied by GET.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 32)))]
    pub methods: Option<Vec<String>>,
    /// Headers that must fit.
    #[cfg_attr(feature = "schema", schemars(length(max = 16)))]
    pub headers: Vec<HeaderMatch>,
    /// Query parameters that must fit.
    #[cfg_attr(feature = "schema", schemars(length(max = 16)))]
    pub query: Vec<QueryMatch>,
}

/// A path to match; a bare string is a template.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = bare_template))]
#[serde(remote = "Self", rename_all = "snake_case")]
pub enum PathMatch {
    /// This path to the letter.
    Exact(String),
    /// This path and everything below it, by whole segments.
    Prefix(String),
    /// Segments of which `{name}` stands for one and a last `{name+}` for the rest.
    Template(String),
    /// A regular expression that the whole path must match.
    Regex(String),
}

#[cfg(feature = "schema")]
fn bare_template(schema: &mut schemars::Schema) {
    if let Some(serde_json::Value::Array(branches)) = schema.get_mut("oneOf") {
        branches.push(serde_json::json!({ "type": "string" }));
    }
}

impl<'de> Deserialize<'de> for PathMatch {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bare;

        impl<'de> serde::de::Visitor<'de> for Bare {
            type Value = PathMatch;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a template or an object with one of exact, prefix, template, regex")
            }

            fn visit_str<E: serde::de::Error>(self, template: &str) -> Result<PathMatch, E> {
                Ok(PathMatch::Template(template.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<PathMatch, A::Error> {
                <PathMatch as choice::Tagged>::tagged(serde::de::value::MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(Bare)
    }
}

impl<'de> choice::Tagged<'de> for PathMatch {
    fn tagged<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

/// A header that must be there and fit: exactly one of `exact`, `regex` and `present`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HeaderMatch {
    /// The header's name, in any case.
    pub name: String,
    /// The value; of a repeated header the values joined with commas.
    pub exact: Option<String>,
    /// A regular expression that the whole value must match.
    pub regex: Option<String>,
    /// `true`: any value.
    pub present: Option<bool>,
}

/// A query parameter that must be there and fit: exactly one of `exact`, `regex` and `present`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct QueryMatch {
    /// The parameter's name, decoded.
    pub name: String,
    /// A value, decoded; of a repeated parameter any one value.
    pub exact: Option<String>,
    /// A regular expression that one whole value must match.
    pub regex: Option<String>,
    /// `true`: any value.
    pub present: Option<bool>,
}
