//! What the gateway makes of a request, up to the backend.

use std::collections::BTreeMap;

use faregate_core::{
    matcher::{Entry, Match},
    policy::cors::preflight_method,
    problem::Code,
    snapshot::Snapshot,
};
use http::{HeaderMap, Method};
use serde::Serialize;
use serde_json::Value;

use super::{
    access::AccessView,
    action::ActionView,
    authenticate::AuthenticateView,
    edge::EdgeView,
    key::KeyVerdict,
    origin::{OriginView, texts},
    others::{Other, others},
    request::Asked,
    token::TokenVerdict,
    written::Written,
};
use crate::{
    error::{CliError, Exit},
    output::Output,
};

/// The whole answer.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    /// The version that was asked; absent for a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<u64>,
    pub(super) request: RequestView,
    pub(super) outcome: Outcome,
    /// Why the request is refused before anything is matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
    /// Where there is an edge in front.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) edge: Option<EdgeView>,
    /// The methods that would have matched, for a method that does not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) allow: Vec<String>,
    /// The headers of the answer to a preflight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) preflight: Option<BTreeMap<String, String>>,
    /// The route that wins; for a method that does not match, the one whose CORS the answer carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) route: Option<RouteView>,
    /// What the gateway makes of the key on standard input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<KeyVerdict>,
    /// What each of the route's credentials that are tokens makes of the token on standard input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tokens: Vec<TokenVerdict>,
    /// Entries that did not win, the nearest first.
    pub(super) others: Vec<Other>,
    /// How many there are in all.
    pub(super) others_total: usize,
}

/// The request as it is matched.
#[derive(Debug, Serialize)]
pub(super) struct RequestView {
    pub(super) method: String,
    pub(super) host: String,
    /// Absent where it is refused.
    pub(super) path: Option<String>,
    pub(super) query: Option<String>,
}

/// How the request goes on; the refusals have the codes of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// A route takes it.
    Route,
    /// The gateway answers it, because it is a preflight.
    Preflight,
    /// 405.
    MethodNotAllowed,
    /// 404.
    RouteNotFound,
    /// 400.
    RequestInvalid,
    /// 431.
    RequestHeadersTooLarge,
}

/// The route that wins.
#[derive(Debug, Serialize)]
pub(super) struct RouteView {
    pub(super) id: String,
    /// The place of the match entry that fits.
    pub(super) entry: usize,
    /// That entry as it was written; null for a route without any.
    pub(super) matched: Value,
    /// What its path captured.
    pub(super) captures: BTreeMap<String, String>,
    pub(super) access: AccessView,
    pub(super) authenticate: AuthenticateView,
    /// The rules that a caller must meet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) authorize: Vec<String>,
    /// As it was written.
    pub(super) cors: Option<Value>,
    /// What it makes of the request's origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<OriginView>,
    /// The limits as they are written; a caller's plan counts beside them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limits: Option<Value>,
    pub(super) action: ActionView,
}

impl Explanation {
    /// Decides as the pipeline does; at most `shown` other entries.
    pub(super) fn of(asked: &Asked, snapshot: &Snapshot, written: &Written<'_>, shown: usize) -> Self {
        let mut explanation = Self::nothing(asked);
        let path = match &asked.path {
            Ok(path) => path,
            Err(problem) => {
                if problem.code == Code::RequestHeadersTooLarge {
                    explanation.outcome = Outcome::RequestHeadersTooLarge;
                }
                explanation.cause = Some(problem.cause.clone());
                return explanation;
            }
        };
        // A preflight is matched by the method that it asks for; without CORS it is an ordinary OPTIONS.
        let preflight = preflight_method(&asked.method, &asked.headers);
        if let Some(method) = &preflight
            && let Match::Found(entry) = snapshot.find_for_preflight(&asked.for_match(path, method))
            && let Some(cors) = &snapshot.route(entry).cors
        {
            let mut headers = HeaderMap::new();
            cors.answer_preflight(&asked.headers, &mut headers);
            explanation.outcome = Outcome::Preflight;
            explanation.preflight = Some(texts(&headers));
            explanation.win(entry, asked, path, snapshot, written);
            explanation.lose(Some(entry), asked, method, snapshot, written, shown);
            return explanation;
        }
        let winner = match snapshot.find(&asked.for_match(path, &asked.method)) {
            Match::Found(entry) => {
                explanation.outcome = Outcome::Route;
                Some(entry)
            }
            Match::MethodNotAllowed { entry, allow } => {
                explanation.outcome = Outcome::MethodNotAllowed;
                explanation.allow = allow.iter().map(ToString::to_string).collect();
                Some(entry)
            }
            Match::NotFound => {
                explanation.outcome = Outcome::RouteNotFound;
                None
            }
        };
        if let Some(entry) = winner {
            explanation.win(entry, asked, path, snapshot, written);
        }
        let excluded = winner.filter(|_| explanation.outcome == Outcome::Route);
        explanation.lose(excluded, asked, &asked.method, snapshot, written, shown);
        explanation
    }

    /// Prints it; that no route takes the request is an error, that one refuses it is not.
    pub(super) fn print(&self, output: &mut Output<'_>) -> Result<Exit, CliError> {
        match self.outcome {
            Outcome::Route | Outcome::Preflight => output.answer(self).map(|()| Exit::Done),
            Outcome::MethodNotAllowed
            | Outcome::RouteNotFound
            | Outcome::RequestInvalid
            | Outcome::RequestHeadersTooLarge => {
                output.answer_but(self, &CliError::NotFound("no route takes this request".to_owned()))
            }
        }
    }

    fn nothing(asked: &Asked) -> Self {
        Self {
            version: None,
            request: RequestView {
                method: asked.method.to_string(),
                host: asked.host.clone(),
                path: asked.path.clone().ok(),
                query: asked.query.clone(),
            },
            outcome: Outcome::RequestInvalid,
            cause: None,
            edge: None,
            allow: Vec::new(),
            preflight: None,
            route: None,
            key: None,
            tokens: Vec::new(),
            others: Vec::new(),
            others_total: 0,
        }
    }

    fn win(&mut self, entry: &Entry, asked: &Asked, path: &str, snapshot: &Snapshot, written: &Written<'_>) {
        let route = snapshot.route(entry);
        let captures = entry.pattern.captures(path).unwrap_or_default();
        let captured = |name: &str| Some((name.to_owned(), captures.get(name)?.to_owned()));
        self.route = Some(RouteView {
            id: route.id.to_string(),
            entry: entry.index,
            matched: written.entry(&route.id, entry.index).cloned().unwrap_or_default(),
            captures: entry.pattern.names().filter_map(captured).collect(),
            access: AccessView::of(route, asked.address, &asked.headers, written.field(&route.id, "access")),
            authenticate: AuthenticateView::of(&route.authenticate, asked, &snapshot.identity_headers),
            authorize: route.authorize.rules().iter().map(ToString::to_string).collect(),
            limits: written.field(&route.id, "limits").cloned(),
            cors: written.field(&route.id, "cors").cloned(),
            origin: route.cors.as_ref().and_then(|cors| OriginView::of(cors, &asked.headers)),
            action: ActionView::of(route, snapshot, asked, path, &entry.pattern, &captures),
        });
    }

    fn lose(
        &mut self,
        winner: Option<&Entry>,
        asked: &Asked,
        method: &Method,
        snapshot: &Snapshot,
        written: &Written<'_>,
        shown: usize,
    ) {
        let Ok(path) = &asked.path else { return };
        let request = asked.for_match(path, method);
        (self.others, self.others_total) = others(winner, &request, snapshot, written, shown);
    }
}
