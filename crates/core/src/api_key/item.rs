//! One item of the Keys table.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::{jwt::is_scope, policy::limit::LIMIT_MAX, time::Timestamp};

/// What an API key proves, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyItem {
    /// Who the key proves.
    pub consumer: Box<str>,
    /// Whether it works at all.
    pub enabled: bool,
    /// The first instant at which it no longer works.
    pub expires_at: Option<Timestamp>,
    /// The routes that it works on; `None` is all, an empty list none.
    pub routes: Option<Box<[Box<str>]>>,
    /// What the key is good for.
    pub scopes: Box<[Box<str>]>,
    /// The groups of its consumer.
    pub groups: Box<[Box<str>]>,
    /// The plan that its consumer is on.
    pub plan: Option<Box<str>>,
    /// Other numbers for limits of the plan, by id.
    pub limits: BTreeMap<Box<str>, u64>,
    /// Whatever else its owner noted, for backends.
    pub metadata: Map<String, Value>,
}

/// Why an item is not believed (401; the cause goes to the record).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyItem {
    /// An attribute is missing, unknown or of another type.
    #[error("the key item cannot be read: {0}")]
    Attribute(String),
    /// A consumer that could be mistaken for another kind's.
    #[error("the key item's consumer is empty, too long or has a colon")]
    Consumer,
    /// A scope that is none (RFC 6749 §3.3).
    #[error("the key item has a scope that is none")]
    Scopes,
}

/// The attributes as the table has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attributes {
    #[serde(rename = "key_hash")]
    _key_hash: String,
    consumer: String,
    #[serde(default = "enabled")]
    enabled: bool,
    #[serde(default, deserialize_with = "present")]
    expires_at: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    routes: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    plan: Option<String>,
    #[serde(default)]
    limits: Vec<LimitOverride>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
    #[serde(rename = "name", default, deserialize_with = "present")]
    _name: Option<String>,
    #[serde(rename = "created_at", default, deserialize_with = "present")]
    _created_at: Option<u64>,
}

/// Another number for one limit of the plan.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitOverride {
    id: String,
    limit: u64,
}

fn enabled() -> bool {
    true
}

/// An attribute that is there: DynamoDB's NULL is no list and no number, and must not mean "absent".
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl KeyItem {
    /// Longest consumer in bytes.
    pub const CONSUMER_BYTES_MAX: usize = crate::CONSUMER_BYTES_MAX;

    /// Reads an item, wholly or not at all.
    ///
    /// # Errors
    ///
    /// [`InvalidKeyItem`] for an unknown attribute, a wrong type or an impossible consumer.
    pub fn decode(attributes: Map<String, Value>) -> Result<Self, InvalidKeyItem> {
        let attributes: Attributes = serde_json::from_value(Value::Object(attributes))
            .map_err(|error| InvalidKeyItem::Attribute(error.to_string()))?;
        let consumer = attributes.consumer;
        if consumer.is_empty() || consumer.len() > Self::CONSUMER_BYTES_MAX || consumer.contains(':') {
            return Err(InvalidKeyItem::Consumer);
        }
        if !attributes.scopes.iter().all(|scope| is_scope(scope)) {
            return Err(InvalidKeyItem::Scopes);
        }
        let boxed = |list: Vec<String>| list.into_iter().map(Into::into).collect();
        Ok(Self {
            consumer: consumer.into(),
            enabled: attributes.enabled,
            expires_at: attributes.expires_at.map(Timestamp::from_seconds),
            routes: attributes.routes.map(boxed),
            scopes: boxed(attributes.scopes),
            groups: boxed(attributes.groups),
            plan: attributes.plan.map(Into::into),
            limits: attributes.limits.into_iter().map(|limit| (limit.id.into(), limit.limit.min(LIMIT_MAX))).collect(),
            metadata: attributes.metadata,
        })
    }

    /// Whether the key has expired at `now`.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// Whether the key works on a route.
    #[must_use]
    pub fn allows_route(&self, route: &str) -> bool {
        self.routes.as_ref().is_none_or(|routes| routes.iter().any(|id| **id == *route))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::{btree_map, vec},
        prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest},
        sample::select,
    };
    use serde_json::{Value, json};

    use super::{InvalidKeyItem, KeyItem};
    use crate::{jwt::is_scope, policy::limit::LIMIT_MAX, time::Timestamp};

    fn decode(value: Value) -> Result<KeyItem, InvalidKeyItem> {
        let Value::Object(map) = value else { panic!("an object") };
        KeyItem::decode(map)
    }

    /// Values of every type that an attribute has, within each other; lists of limits among them.
    fn value() -> impl Strategy<Value = Value> {
        let text = || vec(any::<char>(), 0..8).prop_map(String::from_iter);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text().prop_map(Value::from),
            (any::<char>(), 0..300_usize).prop_map(|(letter, count)| letter.to_string().repeat(count).into()),
            vec(text().prop_map(Value::from), 0..3).prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, move |inner| {
            let limit = (text(), inner.clone()).prop_map(|(id, limit)| json!({"id": id, "limit": limit}));
            let members =
                btree_map(text(), inner.clone(), 0..3).prop_map(|members| members.into_iter().collect::<Value>());
            prop_oneof![vec(inner, 0..3).prop_map(Value::from), vec(limit, 0..3).prop_map(Value::from), members]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]

        #[test]
        fn any_attributes_at_all_are_an_item_or_a_refusal(
            attributes in btree_map(
                select(vec![
                    "key_hash", "consumer", "enabled", "expires_at", "routes", "name", "created_at", "plan", "limits", "scopes",
                    "groups", "metadata", "other",
                ]),
                value(),
                0..4,
            ),
        ) {
            let mut item = json!({"key_hash": "00", "consumer": "acme"});
            for (name, value) in attributes {
                item[name] = value;
            }
            if let Ok(item) = decode(item) {
                assert!(!item.consumer.is_empty() && item.consumer.len() <= KeyItem::CONSUMER_BYTES_MAX);
                assert!(!item.consumer.contains(':'));
                assert!(item.scopes.iter().all(|scope| is_scope(scope)));
                assert!(item.limits.values().all(|limit| *limit <= LIMIT_MAX));
            }
        }
    }

    #[test]
    fn hash_and_consumer_are_a_whole_item() {
        let item = decode(json!({"key_hash": "00", "consumer": "acme"})).expect("an item");
        assert!(item.enabled && !item.expired(Timestamp::from_seconds(u64::MAX)) && item.allows_route("any"));
    }

    #[test]
    fn an_item_is_never_half_believed() {
        for attributes in [
            json!({"key_hash": "00"}),
            json!({"key_hash": "00", "consumer": 7}),
            json!({"key_hash": "00", "consumer": ""}),
            json!({"key_hash": "00", "consumer": "issuer:sub"}),
            json!({"key_hash": "00", "consumer": "acme", "enabled": "true"}),
            json!({"key_hash": "00", "consumer": "acme", "expires_at": "soon"}),
            json!({"key_hash": "00", "consumer": "acme", "expires_at": -1}),
            json!({"key_hash": "00", "consumer": "acme", "routes": "orders"}),
            json!({"key_hash": "00", "consumer": "acme", "routes": null}),
            json!({"key_hash": "00", "consumer": "acme", "name": null}),
            json!({"key_hash": "00", "consumer": "acme", "created_at": null}),
            json!({"key_hash": "00", "consumer": "acme", "expires_at": null}),
            json!({"key_hash": "00", "consumer": "acme", "plan": null}),
            json!({"key_hash": "00", "consumer": "acme", "limits": [{"id": "daily"}]}),
            json!({"key_hash": "00", "consumer": "acme", "limits": [{"id": "daily", "limit": -1}]}),
            json!({"key_hash": "00", "consumer": "acme", "limits": {"daily": 1}}),
            json!({"key_hash": "00", "consumer": "acme", "enable": false}),
            json!({"key_hash": "00", "consumer": "acme", "scopes": "read"}),
            json!({"key_hash": "00", "consumer": "acme", "scopes": ["read write"]}),
            json!({"key_hash": "00", "consumer": "acme", "groups": null}),
            json!({"key_hash": "00", "consumer": "acme", "metadata": []}),
        ] {
            assert!(decode(attributes.clone()).is_err(), "{attributes}");
        }
    }

    #[test]
    fn a_key_ends_at_its_expiry_and_an_empty_list_is_no_route() {
        let item =
            decode(json!({"key_hash": "00", "consumer": "acme", "expires_at": 100, "routes": []})).expect("an item");
        assert!(!item.expired(Timestamp::from_millis(99_999)));
        assert!(item.expired(Timestamp::from_seconds(100)));
        assert!(!item.allows_route("orders"));
    }
}
