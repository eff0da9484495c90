//! The action *forward*: which backend, under which path and host, with which headers.

use std::num::NonZeroU16;

use serde::Deserialize;

use super::{
    headers::{HeaderModifier, HeaderPolicy},
    path_rewrite::{PathRewrite, PathRewritePolicy},
    redirect::is_plain_host,
};
use crate::{
    diagnostic::{Place, codes},
    document::choice,
    matcher::PathPattern,
};

/// Sends the request to a backend.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Forward {
    /// The one backend; or see `backends`.
    pub backend: Option<String>,
    /// Several backends, of which one is drawn for each request.
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub backends: Vec<WeightedBackend>,
    /// What becomes of the path.
    pub path: PathRewrite,
    /// Which host the backend is asked for.
    pub host: HostRewrite,
    /// Until the response headers, in milliseconds; 0 is no bound.
    pub timeout_ms: u32,
    /// Changes to the request's headers.
    pub request_headers: HeaderModifier,
    /// Changes to the headers of the backend's answer.
    pub response_headers: HeaderModifier,
}

impl Default for Forward {
    fn default() -> Self {
        Self {
            backend: None,
            backends: Vec::new(),
            path: PathRewrite::default(),
            host: HostRewrite::default(),
            timeout_ms: 30_000,
            request_headers: HeaderModifier::default(),
            response_headers: HeaderModifier::default(),
        }
    }
}

/// A backend and its share.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WeightedBackend {
    /// The backend's id.
    pub id: String,
    /// Its share of the requests; 0 is none.
    #[serde(default = "one")]
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000)))]
    pub weight: u32,
    /// Changes to the request's headers for this backend only, after the route's own.
    #[serde(default)]
    pub request_headers: HeaderModifier,
}

fn one() -> u32 {
    1
}

/// Variants that may be written as bare names.
#[cfg(feature = "schema")]
const BARE_NAMES: &[&str] = &["target", "preserve"];

/// Which host the backend is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = choice::BareNames(BARE_NAMES)))]
#[serde(remote = "Self", rename_all = "snake_case", deny_unknown_fields)]
pub enum HostRewrite {
    /// The target's own.
    Target {},
    /// The client's.
    Preserve {},
    /// This one.
    Name(String),
}

choice::choice!(HostRewrite);

impl Default for HostRewrite {
    fn default() -> Self {
        Self::Target {}
    }
}

/// [`Forward`], compiled.
#[derive(Clone, Debug)]
pub struct ForwardPolicy {
    /// The backends that have a weight, never none.
    pub backends: Box<[BackendChoice]>,
    /// What becomes of the path.
    pub path: PathRewritePolicy,
    /// Which host the backend is asked for.
    pub host: HostPolicy,
    /// Until the response headers, in milliseconds; 0 is no bound.
    pub timeout_ms: u32,
    /// Changes to the request's headers.
    pub request_headers: HeaderPolicy,
    /// Changes to the headers of the backend's answer.
    pub response_headers: HeaderPolicy,
}

/// One backend that can be drawn.
#[derive(Clone, Debug)]
pub struct BackendChoice {
    /// Its place among the snapshot's backends.
    pub backend: usize,
    /// Its share; more than 0.
    pub weight: u32,
    /// Changes to the request's headers for this backend only.
    pub request_headers: HeaderPolicy,
}

/// [`HostRewrite`], compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPolicy {
    /// The target's own.
    Target,
    /// The client's.
    Preserve,
    /// This one.
    Name(http::HeaderValue),
}

impl Forward {
    /// Resolves the backends by `backend_index`, which yields a place and, where there is none, reports.
    pub fn compile(
        &self,
        patterns: &[PathPattern],
        place: &mut Place<'_>,
        backend_index: impl Fn(&str, &mut Place<'_>) -> Option<usize>,
    ) -> ForwardPolicy {
        let mut backends = Vec::new();
        if let Some(id) = &self.backend {
            let backend = backend_index(id, &mut place.at("backend"));
            backends.extend(backend.map(|backend| BackendChoice {
                backend,
                weight: 1,
                request_headers: HeaderPolicy::default(),
            }));
        }
        for (index, weighted) in self.backends.iter().enumerate() {
            let mut place = place.item("backends", index);
            let request_headers = weighted.request_headers.compile(&mut place.at("request_headers"));
            let backend = backend_index(&weighted.id, &mut place.at("id"));
            let weight = weighted.weight;
            backends.extend(backend.filter(|_| weight > 0).map(|backend| BackendChoice {
                backend,
                weight,
                request_headers,
            }));
        }
        match (&self.backend, self.backends.as_slice()) {
            (Some(_), [_, ..]) => place.error(codes::CONFLICT, "`backend` and `backends` exclude each other"),
            (None, []) => place.error(codes::MISSING_FIELD, "`backend` or `backends` is needed"),
            (None, all) if all.iter().all(|weighted| weighted.weight == 0) => {
                place.at("backends").error(codes::INVALID_VALUE, "every weight is 0");
            }
            _ => {}
        }
        ForwardPolicy {
            backends: backends.into(),
            path: self.path.compile(patterns, &mut place.at("path")),
            host: self.host.compile(&mut place.at("host")),
            timeout_ms: self.timeout_ms,
            request_headers: self.request_headers.compile(&mut place.at("request_headers")),
            response_headers: self.response_headers.compile(&mut place.at("response_headers")),
        }
    }
}

impl HostRewrite {
    fn compile(&self, place: &mut Place<'_>) -> HostPolicy {
        match self {
            Self::Target {} => HostPolicy::Target,
            Self::Preserve {} => HostPolicy::Preserve,
            Self::Name(name) => {
                let host = name.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(&**name, |(host, _)| host);
                match http::HeaderValue::from_str(name) {
                    Ok(value) if is_plain_host(host) => HostPolicy::Name(value),
                    _ => {
                        place.at("name").error(codes::INVALID_VALUE, format!("`{name}` is no host"));
                        HostPolicy::Target
                    }
                }
            }
        }
    }
}

/// Digits only: a number of Rust's may have a sign.
fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<NonZeroU16>().is_ok()
}

impl ForwardPolicy {
    /// Draws a backend by weight; `random` is uniform.
    #[must_use]
    pub fn draw(&self, random: u64) -> Option<&BackendChoice> {
        draw_by_weight(&self.backends, |choice| choice.weight, random)
    }
}

/// Draws one of `items` by weight; `random` is uniform, and its bias below 2⁻³² of a share.
pub(crate) fn draw_by_weight<T>(items: &[T], weight: impl Fn(&T) -> u32, random: u64) -> Option<&T> {
    if let [only] = items {
        return Some(only);
    }
    let total: u64 = items.iter().map(|item| u64::from(weight(item))).sum();
    let mut point = random.checked_rem(total)?;
    items.iter().find(|item| {
        let share = u64::from(weight(item));
        let here = point < share;
        point = point.saturating_sub(share);
        here
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Forward, HostPolicy, draw_by_weight};
    use crate::diagnostic::{Report, codes};

    fn mistakes(value: Value) -> Vec<(String, String)> {
        let forward: Forward = serde_json::from_value(value).expect("forward");
        let mut report = Report::default();
        forward.compile(&[], &mut report.entry("route", "r"), |id, place| {
            if id != "known" {
                place.error(codes::UNKNOWN_REFERENCE, "unknown");
            }
            (id == "known").then_some(0)
        });
        report.into_diagnostics().into_iter().map(|found| (found.pointer, found.code)).collect()
    }

    #[test]
    fn exactly_one_way_to_name_backends_and_one_with_weight() {
        assert!(mistakes(json!({"backend": "known"})).is_empty());
        assert!(mistakes(json!({"backends": [{"id": "known"}, {"id": "known", "weight": 0}]})).is_empty());
        for (value, pointer, code) in [
            (json!({}), "", "missing_field"),
            (json!({"backend": "known", "backends": [{"id": "known"}]}), "", "conflict"),
            (json!({"backends": [{"id": "known", "weight": 0}]}), "/backends", "invalid_value"),
            (json!({"backends": [{"id": "other"}]}), "/backends/0/id", "unknown_reference"),
            (json!({"backend": "known", "host": {"name": "a/b"}}), "/host/name", "invalid_value"),
        ] {
            assert_eq!(mistakes(value.clone()), [(pointer.to_owned(), code.to_owned())], "{value}");
        }
    }

    #[test]
    fn a_host_is_a_word_or_a_name() {
        for (value, expected) in [
            (json!("target"), HostPolicy::Target),
            (json!("preserve"), HostPolicy::Preserve),
            (
                json!({"name": "orders.internal:8080"}),
                HostPolicy::Name("orders.internal:8080".parse().expect("a value")),
            ),
        ] {
            let host: super::HostRewrite = serde_json::from_value(value).expect("a host");
            assert_eq!(host.compile(&mut Report::default().entry("route", "r")), expected);
        }
    }

    #[test]
    fn a_port_is_digits_above_zero() {
        for (name, valid) in [
            ("orders.internal", true),
            ("orders.internal:1", true),
            ("orders.internal:65535", true),
            ("[::1]:80", true),
            ("orders.internal:+80", false),
            ("orders.internal:-80", false),
            ("orders.internal: 80", false),
            ("orders.internal:0", false),
            ("orders.internal:65536", false),
            ("orders.internal:", false),
            ("[::1]:+80", false),
        ] {
            let found = mistakes(json!({"backend": "known", "host": {"name": name}}));
            assert_eq!(found.is_empty(), valid, "{name}: {found:?}");
        }
    }

    #[test]
    fn shares_are_kept_and_no_weight_is_never_drawn() {
        let weights = [70, 0, 30];
        let drawn = |random| draw_by_weight(&weights, |weight| *weight, random).copied();
        assert_eq!((0..100).filter(|random| drawn(*random) == Some(70)).count(), 70);
        assert_eq!((0..100).filter(|random| drawn(*random) == Some(30)).count(), 30);
        assert_eq!(draw_by_weight(&[0, 0], |weight| *weight, 7), None);
        assert_eq!(draw_by_weight(&[] as &[u32], |weight| *weight, 7), None);
    }
}
