//! Requests and what is expected of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One request, or many alike.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// The gateway that it is sent to.
    pub(crate) gateway: String,
    pub(crate) request: Request,
    pub(crate) expect: Expect,
    /// How often to send it.
    pub(crate) repeat: Option<u32>,
    /// What must hold each time, in words.
    pub(crate) invariant: Option<String>,
    pub(crate) distribution: Option<Distribution>,
    pub(crate) websocket: Option<Value>,
    pub(crate) backend_simulation: Option<Value>,
    #[serde(rename = "source_line")]
    _source_line: Option<u32>,
    #[serde(rename = "comment")]
    _comment: Option<String>,
}

/// What to send.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Absent: any.
    pub(crate) host: Option<String>,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// Absent: HTTP/1.1.
    pub(crate) protocol: Option<String>,
    pub(crate) scheme: Option<String>,
    /// The name in the TLS handshake.
    pub(crate) sni: Option<String>,
    /// Absent: the port of the gateway's first listener.
    pub(crate) listener_port: Option<u16>,
    /// Nothing is followed here.
    #[serde(rename = "follow_redirects")]
    _follow_redirects: Option<bool>,
    /// Headers that the backend puts into its answer.
    #[serde(default)]
    pub(crate) backend_sets_response_headers: BTreeMap<String, String>,
}

/// What must come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// Any of these.
    pub(crate) status: Vec<u16>,
    #[serde(default)]
    pub(crate) status_also_accepted: Vec<u16>,
    /// The backend that must answer.
    pub(crate) backend: Option<String>,
    /// Backends have no namespaces here.
    #[serde(rename = "backend_namespace")]
    _backend_namespace: Option<String>,
    pub(crate) upstream_request: Option<UpstreamRequest>,
    #[serde(default)]
    pub(crate) response_headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) response_headers_one_of: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(crate) absent_response_headers: Vec<String>,
    /// Blanks around commas never count.
    #[serde(rename = "ignore_whitespace_in_response_headers", default)]
    _ignore_whitespace: bool,
    /// Preferred, not required.
    #[serde(rename = "answered_by_gateway_preferred", default)]
    _answered_by_gateway: bool,
    pub(crate) redirect: Option<Redirect>,
    pub(crate) mirrored_to: Option<Value>,
}

/// What the backend must get; what is absent is unchecked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpstreamRequest {
    pub(crate) method: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) query: Option<String>,
    pub(crate) host: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) absent_headers: Vec<String>,
}

/// Where the client must be sent; a missing member is as in the request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redirect {
    pub(crate) scheme: Option<String>,
    pub(crate) host: Option<String>,
    /// Missing: none, or the scheme's default.
    pub(crate) port: Option<String>,
    pub(crate) path: Option<String>,
}

/// The shares of backends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Distribution {
    pub(crate) requests: u32,
    pub(crate) weights: BTreeMap<String, f64>,
    pub(crate) tolerance: f64,
    /// How often the requests may be sent until the shares fit.
    pub(crate) tries: u32,
}
