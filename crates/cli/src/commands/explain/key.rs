//! What the gateway makes of an API key.

use faregate_core::{
    api_key::{KeyHash, KeyItem, screen},
    policy::{
        authenticate::{AuthenticatePolicy, CredentialPolicy, Needed},
        authorize::Subject,
    },
    snapshot::{RoutePolicy, Snapshot},
};
use faregate_engine::ports::{Clock, KeyAdmin};
use serde::Serialize;

use super::rules::{RuleVerdict, rules};
use crate::{commands::key::read_key, error::CliError, stores::Stores};

/// The verdict on a key; a key that proves nobody is `credentials_invalid` to the client, whatever the reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct KeyVerdict {
    pub(super) verdict: Verdict,
    /// The first digits of the key's hash.
    pub(super) hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) consumer: Option<String>,
    /// The plan that the consumer is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<String>,
    /// Why the item is not believed, or no plan counts.
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
    /// The route takes no API key, so that nobody looks at it; neither is a table asked.
    NotTaken,
    /// It has the shape of a token, and stands nowhere but where the route takes one; no table is asked.
    ReadAsToken,
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
    /// It is good, but on no plan that there is, where one counts: 403 `access_denied`.
    NoPlan,
}

impl KeyVerdict {
    /// Reads the key from standard input and looks it up.
    ///
    /// # Errors
    ///
    /// The store's, and [`CliError::Usage`] where there is no key.
    pub(super) async fn of_standard_input(
        stores: &Stores,
        snapshot: &Snapshot,
        route: Option<&RoutePolicy>,
    ) -> Result<Self, CliError> {
        let secret = read_key(std::io::stdin().lock())?;
        Self::of(&secret, snapshot, route, &*stores.keys, &*stores.clock).await
    }

    async fn of(
        secret: &[u8],
        snapshot: &Snapshot,
        route: Option<&RoutePolicy>,
        keys: &dyn KeyAdmin,
        clock: &dyn Clock,
    ) -> Result<Self, CliError> {
        let hash = KeyHash::of(secret);
        let mut verdict = Self {
            verdict: Verdict::Mistyped,
            hash: hash.short().to_owned(),
            consumer: None,
            plan: None,
            cause: None,
            rules: Vec::new(),
        };
        if let Some(unread) = route.and_then(|route| unread(route, secret)) {
            verdict.verdict = unread;
            return Ok(verdict);
        }
        if screen(secret).is_err() {
            return Ok(verdict);
        }
        let decoded = keys.get(&hash).await?.map(KeyItem::decode);
        let decides = |route: &&RoutePolicy| decides_plan(route, |first| matches!(first, CredentialPolicy::ApiKey(_)));
        let no_plan = |item: &KeyItem| snapshot.plan(&route.filter(decides)?.plan, item.plan.as_deref()).err();
        verdict.verdict = match &decoded {
            None => Verdict::Unknown,
            Some(Err(_)) => Verdict::Invalid,
            Some(Ok(item)) if !item.enabled => Verdict::Disabled,
            Some(Ok(item)) if item.expired(clock.now()) => Verdict::Expired,
            Some(Ok(item)) if route.is_some_and(|route| !item.allows_route(&route.id)) => Verdict::NotForThisRoute,
            Some(Ok(item)) if no_plan(item).is_some() => Verdict::NoPlan,
            Some(Ok(_)) => Verdict::Good,
        };
        match decoded {
            Some(Ok(item)) => {
                let subject =
                    Subject { consumer: &item.consumer, scopes: &item.scopes, groups: &item.groups, claims: None };
                verdict.rules = rules(route, subject);
                if verdict.verdict == Verdict::NoPlan {
                    verdict.cause = no_plan(&item).map(|error| error.to_string());
                }
                verdict.plan = item.plan.map(Into::into);
                verdict.consumer = Some(item.consumer.into());
            }
            Some(Err(error)) => verdict.cause = Some(error.to_string()),
            None => {}
        }
        Ok(verdict)
    }
}

/// Whether the plan of such a credential counts: where all are needed, only that of the first does.
pub(super) fn decides_plan(route: &RoutePolicy, is_such: impl Fn(&CredentialPolicy) -> bool) -> bool {
    let AuthenticatePolicy { credentials, needed, .. } = &route.authenticate;
    *needed != Needed::All || credentials.first().is_some_and(is_such)
}

/// Why the route looks at no such key, if it does not.
fn unread(route: &RoutePolicy, secret: &[u8]) -> Option<Verdict> {
    let mut takes = route.authenticate.credentials.iter().filter_map(|credential| match credential {
        CredentialPolicy::ApiKey(policy) => Some(policy.takes(secret)),
        _ => None,
    });
    match takes.next() {
        None => Some(Verdict::NotTaken),
        Some(first) => (!first && !takes.any(|takes| takes)).then_some(Verdict::ReadAsToken),
    }
}

#[cfg(test)]
mod tests {
    use faregate_core::{api_key::KeyHash, diagnostic::Report, snapshot::Snapshot};
    use faregate_engine::fakes::{FakeClock, FakeKeyStore};
    use serde_json::{Value, json};

    use super::{KeyVerdict, Verdict};

    /// A snapshot with the routes `a` and `b`, one that requires a plan, one that takes no key, and one where another
    /// credential says which plan counts.
    fn snapshot() -> Snapshot {
        let route = |id: &str| json!({"id": id, "authenticate": "api_key", "respond": {}});
        let planned = json!({"id": "planned", "authenticate": "api_key", "limits": ["plan"], "respond": {}});
        let open = json!({"id": "open", "authenticate": "anonymous", "respond": {}});
        let sso = json!({"forward_auth": {"id": "sso", "url": "https://sso.example.com", "consumer_header": "x-user"}});
        let second =
            json!({"id": "second", "authenticate": {"all_of": [sso, "api_key"]}, "limits": ["plan"], "respond": {}});
        let gold = json!({"id": "gold", "limits": [{"id": "burst", "limit": 5, "per": "second"}]});
        let routes = [route("a"), route("b"), planned, open, second];
        let document = json!({"plans": [gold], "routes": routes});
        let document = serde_json::from_value(document).expect("a document");
        Snapshot::compile(&document, &mut Report::default()).expect("a snapshot")
    }

    async fn verdict(item: Option<Value>, route: Option<&str>) -> Verdict {
        let snapshot = snapshot();
        let route = route.and_then(|id| snapshot.routes.iter().find(|route| *route.id == *id));
        let (keys, clock) = (FakeKeyStore::default(), FakeClock::default());
        if let Some(Value::Object(attributes)) = item {
            keys.insert(&KeyHash::of(b"secret"), attributes);
        }
        KeyVerdict::of(b"secret", &snapshot, route, &keys, &clock).await.expect("a verdict").verdict
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
            (Some(json!({"consumer": "acme", "plan": "gold"})), Some("a"), Verdict::Good),
            (Some(json!({"consumer": "acme", "plan": "gone"})), Some("a"), Verdict::NoPlan),
            (Some(json!({"consumer": "acme", "plan": "gone"})), None, Verdict::Good),
            (Some(json!({"consumer": "acme", "plan": "gold"})), Some("planned"), Verdict::Good),
            (Some(json!({"consumer": "acme"})), Some("planned"), Verdict::NoPlan),
            (Some(json!({"consumer": "acme"})), Some("second"), Verdict::Good),
            (Some(json!({"consumer": "acme"})), Some("open"), Verdict::NotTaken),
            (None, Some("open"), Verdict::NotTaken),
        ] {
            assert_eq!(verdict(item.clone(), route).await, expected, "{item:?}");
        }
    }

    #[tokio::test]
    async fn a_key_of_a_tokens_shape_is_none_where_tokens_stand() {
        let bearer = |query: &str| json!({"api_key": {"header": "authorization", "scheme": "Bearer", "query": query}});
        let jwt = json!({"jwt": {"issuers": ["main"]}});
        for (authenticate, key, expected, gets) in [
            (json!({"any_of": [bearer(""), jwt]}), "a.b.c", Verdict::ReadAsToken, 0),
            (json!({"any_of": [bearer(""), jwt]}), "a.b", Verdict::Good, 1),
            (json!({"any_of": [bearer("key"), jwt]}), "a.b.c", Verdict::Good, 1),
            (json!({"any_of": [bearer(""), jwt, "api_key"]}), "a.b.c", Verdict::Good, 1),
            (json!({"any_of": ["api_key", jwt]}), "a.b.c", Verdict::Good, 1),
            (bearer(""), "a.b.c", Verdict::Good, 1),
        ] {
            let issuer = json!({"id": "main", "issuer": "https://a", "audiences": ["a"], "jwks": "discover"});
            let route = json!({"id": "r", "authenticate": authenticate, "respond": {}});
            let document = serde_json::from_value(json!({"issuers": [issuer], "routes": [route]}));
            let snapshot = Snapshot::compile(&document.expect("a document"), &mut Report::default());
            let snapshot = snapshot.expect("a snapshot");
            let (keys, clock) = (FakeKeyStore::default(), FakeClock::default());
            let Value::Object(item) = json!({"consumer": "acme"}) else { panic!("an item") };
            keys.insert(&KeyHash::of(key.as_bytes()), item);
            let verdict = KeyVerdict::of(key.as_bytes(), &snapshot, snapshot.routes.first(), &keys, &clock).await;
            let verdict = verdict.expect("a verdict").verdict;
            assert_eq!((verdict, keys.gets()), (expected, gets), "{authenticate} {key}");
        }
    }

    #[tokio::test]
    async fn a_mistyped_key_costs_no_read() {
        let (keys, clock) = (FakeKeyStore::default(), FakeClock::default());
        let key = format!("fg_{}", "0".repeat(38));
        let verdict = KeyVerdict::of(key.as_bytes(), &snapshot(), None, &keys, &clock).await.expect("a verdict");
        assert_eq!((verdict.verdict, keys.gets()), (Verdict::Mistyped, 0));
    }
}
