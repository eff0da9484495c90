//! What holds for the gateway as a whole.

use serde::Deserialize;

use crate::{
    cost::Prices,
    policy::{
        edge::Edge,
        telemetry::{AccessLog, Metrics},
    },
};

/// The entry `settings` / `gateway`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// For people.
    pub description: String,
    /// How often an environment looks for a new snapshot, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 3600)))]
    pub refresh_seconds: u32,
    /// How many proxies on the right of `x-forwarded-for` are believed; ALB and REST events only.
    #[cfg_attr(feature = "schema", schemars(range(max = 16)))]
    pub trusted_hops: u8,
    /// The edge in front of the function URL; absent: none.
    pub edge: Option<Edge>,
    /// Whether answers carry the configuration's version in `x-faregate-config`.
    pub expose_version: bool,
    /// The plan of callers without one, on routes that require a plan; absent: they are refused there.
    pub default_plan: Option<String>,
    /// Which requests leave a line in the log.
    pub access_log: AccessLog,
    /// Where metrics go.
    pub metrics: Metrics,
    /// What things cost, in nano-dollars, where it is not what `faregate prices` prints.
    pub prices: Prices,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            description: String::new(),
            refresh_seconds: 10,
            trusted_hops: 0,
            edge: None,
            expose_version: false,
            default_plan: None,
            access_log: AccessLog::default(),
            metrics: Metrics::default(),
            prices: Prices::default(),
        }
    }
}
