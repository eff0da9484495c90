//! What the gateway adds to the headers of forwarded requests.

use faregate_core::forwarding::VIA;
use http::{HeaderMap, HeaderValue, header};

use crate::gateway::{
    authenticate::{is_sent, visible},
    caller::Caller,
    edge::Client,
};

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

/// Adds who the caller was proven to be, the plan that counts for it, and what else of that the route passes on. Of
/// somebody who proved nothing nothing is said, though a default plan may count.
pub(super) fn add_identity(headers: &mut HeaderMap, caller: &Caller, plan: Option<&str>) {
    let mut set = |name: &'static str, value: Option<HeaderValue>| {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    };
    set("x-faregate-consumer", caller.consumer().and_then(visible));
    set("x-faregate-credential", caller.credential().as_deref().and_then(visible));
    set("x-faregate-plan", plan.or(caller.plan()).filter(|_| !caller.is_anonymous()).and_then(visible));
    if !caller.scopes().is_empty() {
        // Scopes are visible ASCII (RFC 6749 §3.3), with a blank between.
        set("x-faregate-scopes", HeaderValue::from_str(&caller.scopes().join(" ")).ok().filter(is_sent));
    }
    for (name, value) in caller.proofs().iter().flat_map(|proof| &proof.headers) {
        headers.append(name, value.clone());
    }
}
