//! What the winning route would do.

use faregate_core::{
    matcher::{Captures, PathPattern},
    policy::{
        forward::{ForwardPolicy, HostPolicy},
        redirect::{InvalidLocation, RedirectPolicy},
    },
    snapshot::{Action, RoutePolicy, Snapshot},
};
use serde::Serialize;

use super::request::Asked;

/// What the winning route would do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ActionView {
    /// Send the request to one of these.
    Forward {
        /// The path after rewriting.
        path: String,
        /// The backends, of which one is drawn by weight.
        backends: Vec<BackendView>,
    },
    /// Answer right here.
    Respond {
        /// The status.
        status: u16,
    },
    /// Send the client elsewhere.
    Redirect {
        /// The status.
        status: u16,
        /// Where to.
        location: String,
    },
    /// 400: the rewritten path is none that anybody should see.
    RequestInvalid {
        /// Why.
        cause: String,
    },
}

/// A backend that may be drawn.
#[derive(Debug, Serialize)]
pub(super) struct BackendView {
    pub(super) id: String,
    pub(super) weight: u32,
    /// What would be asked of each of its targets.
    pub(super) targets: Vec<TargetView>,
}

/// What a target would be asked.
#[derive(Debug, Serialize)]
pub(super) struct TargetView {
    pub(super) url: String,
    /// The `host` header.
    pub(super) host: String,
}

impl ActionView {
    /// Rewrites as the pipeline does.
    pub(super) fn of(
        route: &RoutePolicy,
        snapshot: &Snapshot,
        asked: &Asked,
        path: &str,
        pattern: &PathPattern,
        captures: &Captures<'_>,
    ) -> Self {
        let query = route.authenticate.visible_query(asked.query.as_deref());
        let done = match &route.action {
            Action::Forward(forward) => forward
                .path
                .apply(path, pattern, captures)
                .map(|path| Self::Forward { backends: backends(forward, snapshot, asked, &path, &query), path })
                .map_err(InvalidLocation::from),
            Action::Respond(respond) => Ok(Self::Respond { status: respond.status.as_u16() }),
            Action::Redirect(redirect) => location(redirect, asked, &query, pattern, captures)
                .map(|location| Self::Redirect { status: redirect.status.as_u16(), location }),
        };
        done.unwrap_or_else(|error| Self::RequestInvalid { cause: error.to_string() })
    }
}

fn location(
    redirect: &RedirectPolicy,
    asked: &Asked,
    query: &str,
    pattern: &PathPattern,
    captures: &Captures<'_>,
) -> Result<String, InvalidLocation> {
    let uri = asked.uri().unwrap_or_default();
    redirect.location(&uri, query, &asked.host, pattern, captures)
}

fn backends(forward: &ForwardPolicy, snapshot: &Snapshot, asked: &Asked, path: &str, query: &str) -> Vec<BackendView> {
    let separator = if query.is_empty() { "" } else { "?" };
    let view = |choice: &faregate_core::policy::forward::BackendChoice| {
        let backend = snapshot.backends.get(choice.backend)?;
        let targets = backend.targets.iter().map(|target| TargetView {
            url: format!("{}{}{path}{separator}{query}", target.origin, target.base_path),
            host: match &forward.host {
                HostPolicy::Target => String::from_utf8_lossy(target.authority.as_bytes()).into_owned(),
                HostPolicy::Preserve => asked.authority.clone(),
                HostPolicy::Name(name) => String::from_utf8_lossy(name.as_bytes()).into_owned(),
            },
        });
        Some(BackendView { id: backend.id.to_string(), weight: choice.weight, targets: targets.collect() })
    };
    forward.backends.iter().filter_map(view).collect()
}
