//! `HTTPRoute`, by the Gateway API's own field names.

use serde::Deserialize;
use serde_json::Value;

/// A route.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) name: String,
    #[serde(rename = "namespace")]
    _namespace: String,
    pub(crate) parent_refs: Vec<ListenerRef>,
    /// Empty: every host of its listeners.
    #[serde(default)]
    pub(crate) hostnames: Vec<String>,
    pub(crate) rules: Vec<Rule>,
}

/// Which listeners something belongs to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListenerRef {
    pub(crate) name: String,
    #[serde(default = "gateway")]
    pub(crate) kind: String,
    #[serde(rename = "namespace")]
    _namespace: Option<String>,
    #[serde(rename = "group")]
    _group: Option<String>,
    pub(crate) section_name: Option<String>,
    pub(crate) port: Option<u16>,
}

fn gateway() -> String {
    "Gateway".to_owned()
}

/// A rule: any of its matches, its filters, its backends.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rule {
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(default)]
    pub(crate) matches: Vec<Match>,
    #[serde(default)]
    pub(crate) filters: Vec<Filter>,
    #[serde(default)]
    pub(crate) backend_refs: Vec<BackendRef>,
    #[serde(default)]
    pub(crate) timeouts: Timeouts,
    pub(crate) retry: Option<Value>,
}

/// Conditions that all must hold.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Match {
    pub(crate) path: Option<PathMatch>,
    pub(crate) method: Option<String>,
    #[serde(default)]
    pub(crate) headers: Vec<ValueMatch>,
    #[serde(default)]
    pub(crate) query_params: Vec<ValueMatch>,
}

/// A path to match.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "value")]
pub(crate) enum PathMatch {
    Exact(String),
    PathPrefix(String),
    RegularExpression(String),
}

/// A header or query parameter to match.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValueMatch {
    pub(crate) name: String,
    pub(crate) value: String,
    #[serde(rename = "type", default)]
    pub(crate) kind: ValueMatchKind,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum ValueMatchKind {
    #[default]
    Exact,
    RegularExpression,
}

/// Where requests go.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BackendRef {
    pub(crate) name: String,
    #[serde(rename = "port")]
    _port: u16,
    #[serde(rename = "group")]
    _group: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    #[serde(rename = "namespace")]
    _namespace: Option<String>,
    #[serde(default = "one")]
    pub(crate) weight: u32,
    #[serde(default)]
    pub(crate) filters: Vec<Filter>,
}

fn one() -> u32 {
    1
}

/// What happens to a request or its answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Filter {
    #[serde(rename_all = "camelCase")]
    RequestHeaderModifier {
        request_header_modifier: HeaderModifier,
    },
    #[serde(rename_all = "camelCase")]
    ResponseHeaderModifier {
        response_header_modifier: HeaderModifier,
    },
    #[serde(rename_all = "camelCase")]
    RequestRedirect {
        request_redirect: RequestRedirect,
    },
    #[serde(rename = "URLRewrite", rename_all = "camelCase")]
    UrlRewrite {
        url_rewrite: UrlRewrite,
    },
    #[serde(rename = "CORS")]
    Cors {
        cors: Cors,
    },
    RequestMirror {},
}

/// Changes to headers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HeaderModifier {
    pub(crate) set: Vec<NameValue>,
    pub(crate) add: Vec<NameValue>,
    pub(crate) remove: Vec<String>,
}

/// A header.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameValue {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Sends the client elsewhere.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RequestRedirect {
    pub(crate) scheme: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) path: Option<PathModifier>,
    pub(crate) status_code: Option<u16>,
}

/// Changes host and path for the backend.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UrlRewrite {
    pub(crate) hostname: Option<String>,
    pub(crate) path: Option<PathModifier>,
}

/// A new path.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum PathModifier {
    #[serde(rename_all = "camelCase")]
    ReplaceFullPath { replace_full_path: String },
    #[serde(rename_all = "camelCase")]
    ReplacePrefixMatch { replace_prefix_match: String },
}

/// Cross-origin access.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Cors {
    pub(crate) allow_origins: Vec<String>,
    pub(crate) allow_methods: Option<Vec<String>>,
    pub(crate) allow_headers: Option<Vec<String>>,
    pub(crate) expose_headers: Option<Vec<String>>,
    pub(crate) allow_credentials: Option<bool>,
    pub(crate) max_age: Option<u32>,
}

/// How long things may take, as `500ms`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Timeouts {
    /// The whole request.
    pub(crate) request: Option<String>,
    /// One try at a backend.
    pub(crate) backend_request: Option<String>,
}
