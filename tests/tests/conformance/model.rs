//! The suites as the file holds them. Unknown members are errors, so that nothing goes unchecked unnoticed.

mod case;
mod route;

use serde::Deserialize;
use serde_json::Value;

pub(crate) use case::{Case, Distribution, Expect, Redirect, Request, UpstreamRequest};
pub(crate) use route::{
    BackendRef, Cors, Filter, HeaderModifier, ListenerRef, Match, NameValue, PathMatch, PathModifier, RequestRedirect,
    Route, Rule, Timeouts, UrlRewrite, ValueMatch, ValueMatchKind,
};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// Where it comes from.
    #[serde(rename = "origin")]
    _origin: Value,
    pub(crate) suites: Vec<Suite>,
}

/// Gateways and routes, and requests to hold against them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) scope: String,
    #[serde(rename = "description")]
    _description: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "manifests")]
    _manifests: Vec<String>,
    #[serde(rename = "features")]
    _features: Vec<String>,
    #[serde(rename = "provisional", default)]
    _provisional: bool,
    pub(crate) gateways: Vec<Gateway>,
    #[serde(default)]
    pub(crate) other_objects: Vec<OtherObject>,
    /// In order of creation.
    pub(crate) routes: Vec<Route>,
    pub(crate) cases: Vec<Case>,
}

/// A `Gateway`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gateway {
    pub(crate) name: String,
    #[serde(rename = "namespace")]
    _namespace: String,
    pub(crate) listeners: Vec<Listener>,
}

/// A listener of a `Gateway` or a `ListenerSet`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) protocol: String,
    /// Absent: every host.
    pub(crate) hostname: Option<String>,
    #[serde(rename = "allowedRoutes", default)]
    _allowed_routes: Value,
}

/// Anything else in the manifests.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
pub(crate) enum OtherObject {
    /// More listeners of a gateway, kept apart from it.
    ListenerSet { metadata: Metadata, spec: ListenerSetSpec },
    /// A permission that no document knows.
    ReferenceGrant {},
}

/// The name of an object.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) name: String,
}

/// What a `ListenerSet` says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListenerSetSpec {
    pub(crate) parent_ref: ListenerRef,
    pub(crate) listeners: Vec<Listener>,
}
