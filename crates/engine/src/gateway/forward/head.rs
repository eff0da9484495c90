//! Headers and query of forwarded requests and their answers.

use faregate_core::{
    forwarding::{VIA, strip_backend_headers},
    policy::authenticate::{AuthenticatePolicy, CredentialPolicy},
};
use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::gateway::{authenticate::Caller, edge::Client};

/// What is percent-encoded in an identity header: all but visible ASCII, and the percent sign itself.
const NOT_VISIBLE: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Adds who asked whom for what, as proxies say it.
pub(super) fn add_forwarding(headers: &mut HeaderMap, client: &Client, request_id: &str) {
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("x-request-id", request_id);
    if let Some(address) = client.address {
        set("x-forwarded-for", &address.to_string());
    }
    set("x-forwarded-proto", client.scheme);
    if !client.authority.is_empty() {
        set("x-forwarded-host", &client.authority);
    }
    headers.append(header::VIA, VIA);
}

/// Adds who the caller was proven to be.
pub(super) fn add_identity(headers: &mut HeaderMap, caller: &Caller) {
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(&utf8_percent_encode(value, NOT_VISIBLE).to_string()) {
            headers.insert(name, value);
        }
    };
    if let Some(consumer) = caller.consumer() {
        set("x-faregate-consumer", consumer);
    }
    if let Some(credential) = caller.credential() {
        set("x-faregate-credential", &credential);
    }
}

/// Removes the headers that carry hidden credentials.
pub(super) fn hide_keys(headers: &mut HeaderMap, policy: &AuthenticatePolicy) {
    for CredentialPolicy::ApiKey(place) in &policy.credentials {
        let Some(name) = place.header.as_ref().filter(|_| place.hide_credentials) else { continue };
        // A header with another scheme carries another credential, which is not this one's to hide.
        if headers.get_all(name).iter().any(|value| place.key_in(value.as_bytes()).is_some()) {
            headers.remove(name);
        }
    }
}

/// The query byte for byte, without the pairs that carry hidden credentials.
pub(super) fn query_without_keys(query: Option<&str>, policy: &AuthenticatePolicy) -> String {
    let query = query.unwrap_or_default();
    let hidden: Vec<&str> = policy
        .credentials
        .iter()
        .filter_map(|CredentialPolicy::ApiKey(place)| place.query.as_deref().filter(|_| place.hide_credentials))
        .collect();
    let is_hidden = |pair: &str| {
        let name = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name.into_owned());
        name.is_some_and(|name| hidden.contains(&name.as_str()))
    };
    if hidden.is_empty() {
        return query.to_owned();
    }
    query.split('&').filter(|pair| !is_hidden(pair)).collect::<Vec<_>>().join("&")
}

/// Removes what belongs to the backend's connection; what was for one caller only is marked so.
pub(super) fn clean_answer(headers: &mut HeaderMap, caller: &Caller) {
    strip_backend_headers(headers);
    if *caller != Caller::Anonymous && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}
