//! Plans.

use serde::Deserialize;

use crate::policy::limit::Limit;

/// A named set of limits that consumers are put on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name among the plans.
    pub id: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// The limits; every one holds.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 15)))]
    pub limits: Vec<Limit>,
}
