//! What the gateway makes of an API key.

use faregate_core::{
    api_key::{KeyHash, KeyItem, screen},
    policy::authorize::Subject,
    snapshot::RoutePolicy,
};
use faregate_engine::ports::{Clock, KeyAdmin};
use serde::Serialize;

use super::rules::{RuleVerdict, rules};
use crate::{commands::key::read_secret, error::CliError, stores::Stores};

/// The verdict on a key; the refusals but the last are `credentials_invalid` to the client, all alike.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct KeyVerdict {
    pub(super) verdict: Verdict,
    /// The first digits of the key's hash.
    pub(super) hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) consumer: Option<String>,
    /// Why the item is not believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
    /// What the route's rules make of it alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rules: Vec<RuleVerdict>,
}

/// How a key fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// It proves its consumer.
    Good,
    /// Its checksum is wrong; no table is asked.
    Mistyped,
    /// There is no item.
    Unknown,
    /// The item is not believed.
    Invalid,
    /// It is switched off.
    Disabled,
    /// Its time is over.
    Expired,
    /// It is good, but not on this route: 403 `access_denied`.
    NotForThisRoute,
}

impl KeyVerdict {
    /// Reads the key from standard input and looks it up.
    ///
    /// # Errors
    ///
    /// The store's, and [`CliError::Usage`] where there is no key.
    pub(super) async fn of_standard_input(stores: &Stores, route: Option<&RoutePolicy>) -> Result<Self, CliError> {
        let secret = read_secret(std::io::stdin().lock())?;
        Self::of(&secret, route, &*stores.keys, &*stores.clock).await
    }

    async fn of(
        secret: &[u8],
        route: Option<&RoutePolicy>,
        keys: &dyn KeyAdmin,
        clock: &dyn Clock,
    ) -> Result<Self, CliError> {
        let hash = KeyHash::of(secret);
        let mut verdict = Self {
            verdict: Verdict::Mistyped,
            hash: hash.short().to_owned(),
            consumer: None,
            cause: None,
            rules: Vec::new(),
        };
        if screen(secret).is_err() {
            return Ok(verdict);
        }
        let decoded = keys.get(&hash).await?.map(KeyItem::decode);
        verdict.verdict = match &decoded {
            None => Verdict::Unknown,
            Some(Err(_)) => Verdict::Invalid,
            Some(Ok(item)) if !item.enabled => Verdict::Disabled,
            Some(Ok(item)) if item.expired(clock.now()) => Verdict::Expired,
            Some(Ok(item)) if route.is_some_and(|route| !item.allows_route(&route.id)) => Verdict::NotForThisRoute,
            Some(Ok(_)) => Verdict::Good,
        };
        match decoded {
            Some(Ok(item)) => {
                let subject =
                    Subject { consumer: &item.consumer, scopes: &item.scopes, groups: &item.groups, claims: None };
                verdict.rules = rules(route, subject);
                verdict.consumer = Some(item.consumer.into());
            }
            Some(Err(error)) => verdict.cause = Some(error.to_string()),
            None => {}
        }
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests {
    use faregate_core::{api_key::KeyHash, diagnostic::Report, snapshot::Snapshot};
    use faregate_engine::fakes::{FakeClock, FakeKeyStore};
    use serde_json::{Value, json};

    use super::{KeyVerdict, Verdict};

    /// A snapshot with the routes `a` and `b`.
    fn snapshot() -> Snapshot {
        let route = |id: &str| json!({"id": id, "authenticate": "api_key", "respond": {}});
        let document = serde_json::from_value(json!({"routes": [route("a"), route("b")]})).expect("a document");
        Snapshot::compile(&document, &mut Report::default()).expect("a snapshot")
    }

    async fn verdict(item: Option<Value>, route: Option<&str>) -> Verdict {
        let snapshot = snapshot();
        let route = route.and_then(|id| snapshot.routes.iter().find(|route| *route.id == *id));
        let (keys, clock) = (FakeKeyStore::default(), FakeClock::default());
        if let Some(Value::Object(attributes)) = item {
            keys.insert(&KeyHash::of(b"secret"), attributes);
        }
        KeyVerdict::of(b"secret", route, &keys, &clock).await.expect("a verdict").verdict
    }

    #[tokio::test]
    async fn a_key_fares_as_at_the_gateway() {
        for (item, route, expected) in [
            (None, None, Verdict::Unknown),
            (Some(json!({"consumer": "acme"})), Some("a"), Verdict::Good),
            (Some(json!({"consumer": "a:b"})), None, Verdict::Invalid),
            (Some(json!({"consumer": "acme", "enabled": false})), None, Verdict::Disabled),
            (Some(json!({"consumer": "acme", "expires_at": 1})), None, Verdict::Expired),
            (Some(json!({"consumer": "acme", "routes": ["a"]})), Some("a"), Verdict::Good),
            (Some(json!({"consumer": "acme", "routes": ["a"]})), Some("b"), Verdict::NotForThisRoute),
            (Some(json!({"consumer": "acme", "routes": []})), None, Verdict::Good),
        ] {
            assert_eq!(verdict(item.clone(), route).await, expected, "{item:?}");
        }
    }

    #[tokio::test]
    async fn a_mistyped_key_costs_no_read() {
        let (keys, clock) = (FakeKeyStore::default(), FakeClock::default());
        let key = format!("fg_{}", "0".repeat(38));
        let verdict = KeyVerdict::of(key.as_bytes(), None, &keys, &clock).await.expect("a verdict");
        assert_eq!((verdict.verdict, keys.gets()), (Verdict::Mistyped, 0));
    }
}
