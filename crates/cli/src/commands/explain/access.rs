//! Phase *access*: addresses and loops.

use std::net::IpAddr;

use faregate_core::{
    forwarding::{VIA_MAX, passes},
    snapshot::{Action, RoutePolicy},
};
use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;

/// Phase *access*.
#[derive(Debug, Serialize)]
pub(super) struct AccessView {
    /// As it was written.
    pub(super) rules: Option<Value>,
    pub(super) verdict: AccessVerdict,
    /// Why the request is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
}

/// What access lists say to the client's address, and the loop guard to the way that the request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AccessVerdict {
    /// It may call.
    Allowed,
    /// It may not: 403.
    AccessDenied,
    /// There are lists, and no address was given.
    DependsOnAddress,
    /// The request has passed here too often: 508.
    LoopDetected,
}

impl AccessView {
    /// Decides as the pipeline does; what the body has of bytes is not known.
    pub(super) fn of(route: &RoutePolicy, address: Option<IpAddr>, headers: &HeaderMap, rules: Option<&Value>) -> Self {
        let passed = passes(headers);
        let loops = passed >= VIA_MAX && matches!(route.action, Action::Forward(_));
        let (verdict, cause) = match (route.access.check(address, 0), address) {
            (Err(problem), Some(_)) => (AccessVerdict::AccessDenied, Some(problem.cause)),
            _ if loops => (AccessVerdict::LoopDetected, Some(format!("{passed} times in via"))),
            (Err(_), None) => (AccessVerdict::DependsOnAddress, None),
            (Ok(()), _) => (AccessVerdict::Allowed, None),
        };
        Self { rules: rules.cloned(), verdict, cause }
    }
}
