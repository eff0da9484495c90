//! Cross-origin access (Fetch standard §3.2): preflights and the headers of every answer of a route.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::Deserialize;

use crate::diagnostic::{Place, codes};

/// Which origins may do what from a browser.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Origins: exact, `https://*.host` for one or more labels, or `*`. Never `null`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 100)))]
    pub allow_origins: Vec<String>,
    /// Methods, or `*` for whatever the preflight asks.
    #[serde(default = "simple_methods")]
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub allow_methods: Vec<String>,
    /// Request headers, or `*` for whatever the preflight asks.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub allow_headers: Vec<String>,
    /// Response headers that scripts may read.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub expose_headers: Vec<String>,
    /// Whether cookies and `authorization` may be sent along.
    #[serde(default)]
    pub allow_credentials: bool,
    /// How long a browser may remember a preflight.
    #[serde(default = "max_age_seconds")]
    #[cfg_attr(feature = "schema", schemars(range(max = 86_400)))]
    pub max_age_seconds: u32,
}

fn simple_methods() -> Vec<String> {
    ["GET", "HEAD", "POST"].map(str::to_owned).into()
}

fn max_age_seconds() -> u32 {
    5
}

/// [`Cors`], compiled.
#[derive(Clone, Debug)]
pub struct CorsPolicy {
    origins: Box<[Origin]>,
    methods: Allowed,
    headers: Allowed,
    expose_headers: Option<HeaderValue>,
    allow_credentials: bool,
    max_age: HeaderValue,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Any,
    Exact(Box<str>),
    /// Scheme with `://`, and what follows the star, dot included.
    Subdomains {
        scheme: Box<str>,
        suffix: Box<str>,
    },
}

/// A list of names, or whatever is asked for.
#[derive(Clone, Debug)]
enum Allowed {
    Asked,
    Listed(Option<HeaderValue>),
}

impl Cors {
    /// Reads origins and names.
    pub fn compile(&self, place: &mut Place<'_>) -> CorsPolicy {
        let mut origins = Vec::with_capacity(self.allow_origins.len());
        for (index, text) in self.allow_origins.iter().enumerate() {
            match origin(text) {
                Some(origin) => origins.push(origin),
                None => place.item("allow_origins", index).error_with_hint(
                    codes::INVALID_VALUE,
                    format!("`{text}` is no origin that can be allowed"),
                    "write https://app.example.com, https://*.example.com or *",
                ),
            }
        }
        if self.allow_origins.is_empty() {
            place.at("allow_origins").error(codes::MISSING_FIELD, "an origin is needed");
        }
        if self.allow_credentials && origins.contains(&Origin::Any) {
            place
                .at("allow_origins")
                .warning(codes::RISKY, "with credentials, `*` lets every site act as its visitors");
        }
        CorsPolicy {
            origins: origins.into(),
            methods: allowed(&self.allow_methods, &mut place.at("allow_methods")),
            headers: allowed(&self.allow_headers, &mut place.at("allow_headers")),
            expose_headers: names(&self.expose_headers, &mut place.at("expose_headers")),
            allow_credentials: self.allow_credentials,
            max_age: self.max_age_seconds.into(),
        }
    }
}

fn origin(text: &str) -> Option<Origin> {
    if text == "*" {
        return Some(Origin::Any);
    }
    let (scheme, host) = text.split_once("://")?;
    let text = text.to_ascii_lowercase();
    let known = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let plain_host = host.strip_prefix("*.").unwrap_or(host);
    let plain = !plain_host.is_empty()
        && plain_host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte))
        && plain_host.parse::<http::uri::Authority>().is_ok();
    let wildcard = host.starts_with("*.");
    if !known || !plain || (wildcard && !scheme.eq_ignore_ascii_case("https")) {
        return None;
    }
    match text.split_once("://*") {
        Some((scheme, suffix)) => {
            Some(Origin::Subdomains { scheme: format!("{scheme}://").into(), suffix: suffix.into() })
        }
        None => Some(Origin::Exact(text.into())),
    }
}

fn allowed(list: &[String], place: &mut Place<'_>) -> Allowed {
    if list.iter().any(|name| name == "*") { Allowed::Asked } else { Allowed::Listed(names(list, place)) }
}

fn names(list: &[String], place: &mut Place<'_>) -> Option<HeaderValue> {
    for (index, name) in list.iter().enumerate() {
        if name != "*" && name.parse::<HeaderName>().is_err() {
            place.at(index).error(codes::INVALID_VALUE, format!("`{name}` is no name"));
        }
    }
    if list.is_empty() { None } else { HeaderValue::from_str(&list.join(", ")).ok() }
}

/// The method that a preflight asks for; `None` where the request is no preflight.
#[must_use]
pub fn preflight_method(method: &Method, headers: &HeaderMap) -> Option<Method> {
    if method != Method::OPTIONS || !headers.contains_key(header::ORIGIN) {
        return None;
    }
    headers.get(header::ACCESS_CONTROL_REQUEST_METHOD).and_then(|value| value.as_bytes().try_into().ok())
}

impl CorsPolicy {
    /// Adds the headers of a preflight's answer: nothing but `vary` for an origin that is not allowed.
    pub fn answer_preflight(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        if !self.decorate(request, answer) {
            return;
        }
        let asked = |name: HeaderName| request.get(name).filter(|value| is_visible(value)).cloned();
        let pick = |allowed: &Allowed, name| match allowed {
            Allowed::Asked => asked(name),
            Allowed::Listed(list) => list.clone(),
        };
        if let Some(methods) = pick(&self.methods, header::ACCESS_CONTROL_REQUEST_METHOD) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        if let Some(headers) = pick(&self.headers, header::ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers);
        }
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
    }

    /// Replaces the CORS headers of an answer by the route's own; `false` where the origin is not allowed.
    pub fn decorate(&self, request: &HeaderMap, answer: &mut HeaderMap) -> bool {
        let foreign: Vec<HeaderName> =
            answer.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
        for name in foreign {
            answer.remove(name);
        }
        let varies = answer.get_all(header::VARY).iter().any(mentions_origin);
        if !varies {
            answer.append(header::VARY, HeaderValue::from_static("origin"));
        }
        let Some(allowed) = self.allow_origin(request) else { return false };
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.allow_credentials {
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(expose) = &self.expose_headers {
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
        true
    }

    /// The value of `access-control-allow-origin`, if the request's one origin is allowed.
    fn allow_origin(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let mut origins = request.get_all(header::ORIGIN).iter();
        let presented = origins.next().filter(|value| is_visible(value))?;
        let text = presented.to_str().ok().filter(|text| origins.next().is_none() && *text != "null")?;
        let listed = self.origins.iter().find(|origin| origin.matches(text))?;
        // A star and credentials exclude each other in browsers, so the origin is named.
        let star = *listed == Origin::Any && !self.allow_credentials;
        Some(if star { HeaderValue::from_static("*") } else { presented.clone() })
    }
}

/// Only visible ASCII is ever echoed into a header.
fn is_visible(value: &HeaderValue) -> bool {
    value.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn mentions_origin(value: &HeaderValue) -> bool {
    value
        .to_str()
        .is_ok_and(|text| text.split(',').any(|name| name.trim() == "*" || name.trim().eq_ignore_ascii_case("origin")))
}

impl Origin {
    fn matches(&self, presented: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(origin) => origin.eq_ignore_ascii_case(presented),
            Self::Subdomains { scheme, suffix } => {
                let presented = presented.to_ascii_lowercase();
                let labels = presented.strip_prefix(&**scheme).and_then(|host| host.strip_suffix(&**suffix));
                labels.is_some_and(|labels| {
                    !labels.is_empty()
                        && labels.split('.').all(|label| {
                            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                        })
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use serde_json::{Value, json};

    use super::{Cors, CorsPolicy, preflight_method};
    use crate::diagnostic::Report;

    fn compile(value: Value) -> (CorsPolicy, usize) {
        let cors: Cors = serde_json::from_value(value).expect("cors");
        let mut report = Report::default();
        let policy = cors.compile(&mut report.entry("route", "r"));
        (policy, report.len())
    }

    fn request(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    fn allowed_origin(origins: Value, credentials: bool, presented: &'static str) -> Option<String> {
        let (policy, _) = compile(json!({"allow_origins": origins, "allow_credentials": credentials}));
        let mut answer = HeaderMap::new();
        policy.decorate(&request(&[("origin", presented)]), &mut answer);
        assert_eq!(answer["vary"], "origin");
        answer.get("access-control-allow-origin").map(|value| value.to_str().expect("text").to_owned())
    }

    #[test]
    fn origins_compare_exactly_or_by_whole_labels() {
        for (pattern, presented, allowed) in [
            ("https://app.example.com", "https://app.example.com", true),
            ("https://app.example.com", "https://app.example.com.evil", false),
            ("https://app.example.com", "http://app.example.com", false),
            ("https://app.example.com", "https://app.example.com:8443", false),
            ("https://*.example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://evil/.example.com", false),
            ("https://*.example.com", "https://.example.com", false),
            ("*", "null", false),
            ("*", "https://a.example\t", false),
        ] {
            assert_eq!(allowed_origin(json!([pattern]), false, presented).is_some(), allowed, "{pattern} {presented}");
        }
    }

    #[test]
    fn a_star_names_the_origin_only_with_credentials() {
        assert_eq!(allowed_origin(json!(["*"]), false, "https://a.example").as_deref(), Some("*"));
        assert_eq!(allowed_origin(json!(["*"]), true, "https://a.example").as_deref(), Some("https://a.example"));
        assert_eq!(allowed_origin(json!(["*"]), true, "https://a.example/\t"), None);
    }

    #[test]
    fn null_regexes_and_paths_are_no_origins() {
        for origin in [
            "null",
            "https://",
            "app.example.com",
            "ftp://a.example",
            "https://a.example/",
            "https://*",
            "https://a.*.example",
            "https://[a-z]+.example/x",
            "http://*.example.com",
        ] {
            assert_eq!(compile(json!({"allow_origins": [origin]})).1, 1, "{origin}");
        }
        assert_eq!(compile(json!({"allow_origins": ["*"], "allow_credentials": true})).1, 1, "a warning");
    }

    #[test]
    fn a_preflight_gets_lists_or_what_it_asked_for() {
        let asked = request(&[
            ("origin", "https://a.example"),
            ("access-control-request-method", "PATCH"),
            ("access-control-request-headers", "x-one, x-two"),
        ]);
        assert_eq!(preflight_method(&Method::OPTIONS, &asked), Some(Method::PATCH));
        assert_eq!(preflight_method(&Method::GET, &asked), None);
        let answer = |value| {
            let mut answer = HeaderMap::new();
            compile(value).0.answer_preflight(&asked, &mut answer);
            answer
        };
        let listed = answer(json!({"allow_origins": ["*"], "allow_headers": ["x-a"], "expose_headers": ["x-e"]}));
        assert_eq!(listed["access-control-allow-methods"], "GET, HEAD, POST");
        assert_eq!(listed["access-control-allow-headers"], "x-a");
        assert_eq!(listed["access-control-expose-headers"], "x-e");
        assert_eq!(listed["access-control-max-age"], "5");
        let echoed = answer(json!({"allow_origins": ["*"], "allow_methods": ["*"], "allow_headers": ["*"]}));
        assert_eq!(echoed["access-control-allow-methods"], "PATCH");
        assert_eq!(echoed["access-control-allow-headers"], "x-one, x-two");
    }

    #[test]
    fn the_backends_own_headers_are_replaced() {
        let (policy, _) = compile(json!({"allow_origins": ["https://a.example"]}));
        let mut answer = request(&[
            ("access-control-allow-origin", "*"),
            ("access-control-max-age", "9"),
            ("vary", "Origin, accept"),
        ]);
        assert!(!policy.decorate(&request(&[("origin", "https://b.example")]), &mut answer));
        assert_eq!(answer.len(), 1);
        assert_eq!(answer["vary"], "Origin, accept");
    }
}
