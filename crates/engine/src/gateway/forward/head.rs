//! What the gateway adds to the headers of forwarded requests.

use faregate_core::forwarding::VIA;
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
