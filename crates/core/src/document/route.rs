//! Routes.

use serde::Deserialize;

use super::MatchEntry;
use crate::policy::{
    access::Access, authenticate::Authenticate, authorize::Authorize, cors::Cors, forward::Forward, limit::RouteLimit,
    redirect::Redirect, respond::Respond,
};

/// What requests to match, who may call, and what to do with them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name among the routes.
    pub id: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Whether it matches anything at all.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Hosts, each exact or `*.` and a suffix; absent: any.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 100)))]
    pub hosts: Option<Vec<String>>,
    /// Ways to match, of which one is enough; absent: any request.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 100)))]
    pub r#match: Option<Vec<MatchEntry>>,
    /// Higher wins before anything else.
    #[serde(default)]
    pub priority: i32,
    /// Which addresses and sizes are let in.
    #[serde(default)]
    pub access: Access,
    /// Who may call.
    pub authenticate: Authenticate,
    /// What a caller needs besides a credential.
    #[serde(default)]
    pub authorize: Authorize,
    /// How much a caller may do here. A caller's plan always counts, unless `{ plan: none }` stands here.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 15)))]
    pub limits: Vec<RouteLimit>,
    /// Cross-origin access for browsers; absent: none.
    pub cors: Option<Cors>,
    /// Send the request to a backend.
    pub forward: Option<Forward>,
    /// Answer right here.
    pub respond: Option<Respond>,
    /// Send the client elsewhere.
    pub redirect: Option<Redirect>,
}

fn enabled() -> bool {
    true
}
