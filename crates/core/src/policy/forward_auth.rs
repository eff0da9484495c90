//! The credential *forward auth*: an HTTP endpoint says who calls.

use std::time::Duration;

use http::{HeaderMap, HeaderName, Method};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::credential::{has_other_uses, is_stripped, proven_header};
use crate::{
    diagnostic::{Place, codes},
    document::{check_id, https_url},
};

/// An endpoint that is asked about each request.
///
/// It gets the headers in `send`, and the request in `x-forwarded-method`, `-proto`, `-host`, `-uri` and `-for`.
/// 2xx lets the request pass; 401 and 403 are passed on with their `www-authenticate`; anything else is a 503.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ForwardAuth {
    /// Its name: consumers are `forward_auth:<id>:<value>`.
    pub id: String,
    /// Where it is: HTTPS.
    pub url: String,
    /// The method by which it is asked.
    #[serde(default = "method")]
    pub method: String,
    /// The client's headers that it gets. In `any_of` it is asked only of requests that have one of them.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub send: Vec<String>,
    /// Headers of its answer that the backend gets.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub copy: Vec<String>,
    /// The header of its answer that names the consumer: none that clients send for other reasons, as `cookie`.
    pub consumer_header: String,
    /// How long it may take.
    #[serde(default = "timeout_ms")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 30_000)))]
    pub timeout_ms: u32,
    /// How long a 2xx counts for requests with the same method, host, path and headers in `send`; 0: not at all.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(max = 60)))]
    pub cache_seconds: u32,
}

fn method() -> String {
    "GET".to_owned()
}

fn timeout_ms() -> u32 {
    2000
}

/// [`ForwardAuth`], compiled.
#[derive(Clone, Debug)]
pub struct ForwardAuthPolicy {
    /// Its name.
    pub id: Box<str>,
    /// Where it is.
    pub url: Url,
    /// The method by which it is asked.
    pub method: Method,
    /// The client's headers that it gets.
    pub send: Box<[HeaderName]>,
    /// Headers of its answer that the backend gets.
    pub copy: Box<[HeaderName]>,
    /// Names the consumer in its answer.
    pub consumer_header: HeaderName,
    /// How long it may take.
    pub timeout: Duration,
    /// How long a 2xx counts.
    pub cache: Duration,
    /// Whether it is asked of every request, and not only of those with a header of `send`.
    pub(super) always: bool,
    /// SHA-256 of the entry as it was compiled.
    pub(super) hash: [u8; 32],
}

impl ForwardAuth {
    /// Reads URL and names; `None` where nobody could be asked.
    pub fn compile(&self, place: &mut Place<'_>) -> Option<ForwardAuthPolicy> {
        if let Err(error) = check_id(&self.id) {
            place.at("id").error(codes::INVALID_VALUE, error);
        }
        let method = Method::from_bytes(self.method.as_bytes()).ok();
        let method = method.filter(|method| ![Method::CONNECT, Method::TRACE].contains(method));
        if method.is_none() {
            place.at("method").error(codes::INVALID_VALUE, format!("`{}` cannot be sent", self.method));
        }
        if !(1..=30_000).contains(&self.timeout_ms) {
            place.at("timeout_ms").error(codes::INVALID_VALUE, "from 1 to 30,000 milliseconds");
        }
        if self.cache_seconds > 60 {
            place.at("cache_seconds").error(codes::INVALID_VALUE, "at most 60 seconds");
        }
        if self.cache_seconds > 0 && self.send.is_empty() {
            place
                .at("cache_seconds")
                .error(codes::CONFLICT, "what nothing tells apart cannot be cached: name headers in `send`");
        }
        let sent = |text: &String, place: &mut Place<'_>| {
            let name = text.parse::<HeaderName>().ok();
            if name.is_none() {
                place.error(codes::INVALID_VALUE, format!("`{text}` is no header name"));
            }
            name
        };
        let mut send = Vec::with_capacity(self.send.len());
        for (index, text) in self.send.iter().enumerate() {
            let mut place = place.item("send", index);
            let name = sent(text, &mut place);
            if name.as_ref().is_some_and(is_stripped) {
                place.error(codes::INVALID_VALUE, format!("no client's `{text}` is ever looked at"));
            }
            send.extend(name);
        }
        let mut copy = Vec::with_capacity(self.copy.len());
        for (index, text) in self.copy.iter().enumerate() {
            copy.extend(proven_header(text, &mut place.item("copy", index)));
        }
        let consumer_header = sent(&self.consumer_header, &mut place.at("consumer_header"));
        if consumer_header.as_ref().is_some_and(has_other_uses) {
            let message = format!("no client could send `{}` any more", self.consumer_header);
            place.at("consumer_header").error(codes::INVALID_VALUE, message);
        }
        let url = https_url(&self.url, &mut place.at("url"));
        Some(ForwardAuthPolicy {
            id: self.id.as_str().into(),
            url: url?,
            method: method?,
            send: send.into(),
            copy: copy.into(),
            consumer_header: consumer_header?,
            timeout: Duration::from_millis(self.timeout_ms.into()),
            cache: Duration::from_secs(self.cache_seconds.into()),
            always: true,
            hash: Sha256::digest(format!("{self:?}")).into(),
        })
    }
}

impl ForwardAuthPolicy {
    /// Whether the endpoint is asked about a request with these headers.
    #[must_use]
    pub fn is_present(&self, headers: &HeaderMap) -> bool {
        self.always || self.send.iter().any(|name| headers.contains_key(name))
    }

    /// What an answer is cached under (SECURITY.md 9): policy, snapshot, what the endpoint is told of the request, and
    /// every value of each header in `send`, all with their lengths before them. `None` where a header is missing, or
    /// nothing is cached.
    #[must_use]
    pub fn cache_key(&self, snapshot: u64, request: &[&str], headers: &HeaderMap) -> Option<[u8; 32]> {
        if self.cache.is_zero() {
            return None;
        }
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        add(&self.hash);
        add(&snapshot.to_be_bytes());
        request.iter().for_each(|part| add(part.as_bytes()));
        for name in &self.send {
            let values: Vec<&[u8]> = headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
            if values.is_empty() {
                return None;
            }
            add(&(values.len() as u64).to_be_bytes());
            values.into_iter().for_each(&mut add);
        }
        Some(digest.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::ForwardAuth;
    use crate::diagnostic::Report;

    #[test]
    fn the_consumer_is_named_in_no_header_that_clients_need() {
        for (name, is_taken) in [
            ("x-user", true),
            ("x-forwarded-user", true),
            ("x-auth-request-email", true),
            ("remote-user", true),
            ("authorization", false),
            ("Cookie", false),
            ("host", false),
            ("origin", false),
            ("via", false),
            ("content-type", false),
            ("accept", false),
            ("accept-language", false),
            ("traceparent", false),
            ("x-request-id", false),
            ("a b", false),
        ] {
            let endpoint = json!({"id": "sso", "url": "https://sso.example.com", "consumer_header": name});
            let endpoint: ForwardAuth = serde_json::from_value(endpoint).expect("an endpoint");
            let mut report = Report::default();
            endpoint.compile(&mut report.entry("route", "r"));
            let found: Vec<_> =
                report.into_diagnostics().into_iter().map(|found| (found.pointer, found.code)).collect();
            let mistake = || ("/consumer_header".to_owned(), "invalid_value".to_owned());
            assert_eq!(found, Vec::from_iter((!is_taken).then(mistake)), "{name}");
        }
    }
}
