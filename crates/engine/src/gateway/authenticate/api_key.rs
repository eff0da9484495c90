//! The credential *API key*, verified.

use faregate_core::{
    api_key::{KEY_BYTES_MAX, KeyHash, KeyItem, screen},
    policy::api_key::ApiKeyPolicy,
    problem::{Code, Problem},
};
use http::{HeaderName, HeaderValue};

use super::{One, Presented, one, proven, refusal::unavailable};
use crate::gateway::{
    caller::{Evidence, Proof},
    key_cache::{KeyCache, KeyError},
};

/// All refusals look alike to the client; the cause is for the record.
pub(super) async fn verify(
    policy: &ApiKeyPolicy,
    presented: Presented<'_>,
    keys: &KeyCache,
) -> Result<Option<Proof>, Problem> {
    let invalid = |cause: &str| Problem::new(Code::CredentialsInvalid, "the API key is not valid").caused_by(cause);
    let key = match present(policy, presented) {
        None => return Ok(None),
        Some(One::Several) => return Err(invalid("several API keys at one place")),
        Some(One::Value(key)) => key,
    };
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(invalid("an API key of impossible length"));
    }
    screen(&key).map_err(|error| invalid(&error.to_string()))?;
    let hash = KeyHash::of(&key);
    match keys.get(&hash, presented.client.address).await {
        Ok(item) => {
            let headers = forwarded(policy, &item);
            Ok(Some(Proof { evidence: Evidence::Key { item, hash }, headers }))
        }
        Err(KeyError::Refused(cause)) => Err(invalid(&format!("key {}: {cause}", hash.short()))),
        Err(KeyError::Store(error)) => Err(unavailable(error.to_string())),
        Err(KeyError::Budget) => Err(unavailable("too many unknown API keys were looked up")),
    }
}

/// The key at its places; a header with another scheme is no key.
fn present(policy: &ApiKeyPolicy, presented: Presented<'_>) -> Option<One<Vec<u8>>> {
    let place = policy.place.iter();
    let values = place.flat_map(|place| presented.headers.get_all(&place.name).iter().map(move |value| (place, value)));
    let in_headers = values.filter_map(|(place, value)| place.credential_in(value.as_bytes())).map(<[u8]>::to_vec);
    let query = policy.query.as_deref().and_then(|name| Some((name, presented.parts.uri.query()?)));
    let in_query = query.into_iter().flat_map(|(name, query)| {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.filter(move |(known, _)| **known == *name).map(|(_, value)| value.into_owned().into_bytes())
    });
    one(in_headers.chain(in_query))
}

/// What the route asks for of the item: its lists, or members of its metadata.
fn forwarded(policy: &ApiKeyPolicy, item: &KeyItem) -> Vec<(HeaderName, HeaderValue)> {
    let list = |header: &HeaderName, list: &[Box<str>]| {
        let texts: Vec<String> =
            list.iter().filter_map(|text| Some(proven::visible(text)?.to_str().ok()?.to_owned())).collect();
        let value =
            HeaderValue::from_str(&texts.join(" ")).ok().filter(|value| !value.is_empty() && proven::is_sent(value));
        Some((header.clone(), value?))
    };
    let mut headers = proven::headers(&policy.forward_metadata, |name| match name {
        "scopes" | "groups" => None,
        name => item.metadata.get(name),
    });
    for (header, name) in &policy.forward_metadata {
        match &**name {
            "scopes" => headers.extend(list(header, &item.scopes)),
            "groups" => headers.extend(list(header, &item.groups)),
            _ => {}
        }
    }
    headers
}
