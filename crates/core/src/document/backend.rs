//! Backends.

use serde::Deserialize;

/// A named service that requests are forwarded to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// Its name among the backends.
    pub id: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Where it runs; at least one.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 100)))]
    pub targets: Vec<Target>,
    /// How long the parts of an exchange may take.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// One place where a backend runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `http` or `https`, host, port and base path; no user, query or fragment.
    pub url: String,
    /// Its share of the requests; 0 is none.
    #[serde(default = "one")]
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000)))]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

/// How long the parts of an exchange with a backend may take, in milliseconds; 0 is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To connect, TLS included.
    pub connect_ms: u32,
    /// Until the response headers are here, with the time that connecting takes.
    pub response_ms: u32,
    /// Between two pieces of the response body.
    pub idle_ms: u32,
    /// For the whole response body.
    pub stream_ms: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_ms: 1000, response_ms: 10_000, idle_ms: 60_000, stream_ms: 0 }
    }
}
