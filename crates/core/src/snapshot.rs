//! The snapshot: a document resolved and compiled, ready to decide.

mod compile;
mod identity;
mod limit_set;
mod limits;

use std::{collections::BTreeMap, sync::Arc};

use http::HeaderValue;

pub use self::limit_set::{LimitSet, Owner};
use crate::{
    cost::Prices,
    document::Timeouts,
    forwarding::IdentityHeaders,
    jwt::IssuerPolicy,
    matcher::{Entry, Match, MatchRequest, Matcher},
    origin::Origin,
    policy::{
        access::AccessPolicy,
        authenticate::AuthenticatePolicy,
        authorize::AuthorizePolicy,
        cors::CorsPolicy,
        edge::EdgePolicy,
        forward::{ForwardPolicy, draw_by_weight},
        redirect::RedirectPolicy,
        respond::RespondPolicy,
        telemetry::{AccessLogPolicy, Metrics},
    },
};

/// Everything that the pipeline asks, immutable and shared.
#[derive(Debug)]
pub struct Snapshot {
    /// What holds for the gateway as a whole.
    pub settings: SettingsPolicy,
    /// Who vouches for tokens.
    pub issuers: Box<[Arc<IssuerPolicy>]>,
    /// The plans, by id.
    pub plans: BTreeMap<Box<str>, PlanPolicy>,
    /// The backends.
    pub backends: Box<[BackendPolicy]>,
    /// The routes that are enabled.
    pub routes: Box<[RoutePolicy]>,
    /// Further identity headers that no client may send.
    pub identity_headers: IdentityHeaders,
    matcher: Matcher,
}

/// The compiled settings.
#[derive(Debug)]
pub struct SettingsPolicy {
    /// How often to look for a new snapshot, in seconds.
    pub refresh_seconds: u32,
    /// How many proxies of an ALB or REST event are believed.
    pub trusted_hops: u8,
    /// The edge in front.
    pub edge: Option<EdgePolicy>,
    /// Whether answers carry the version.
    pub expose_version: bool,
    /// The plan of callers without one, where a plan is required.
    pub default_plan: Option<Box<str>>,
    /// Which requests leave a line.
    pub access_log: AccessLogPolicy,
    /// Where metrics go.
    pub metrics: Metrics,
    /// What things cost.
    pub prices: Prices,
}

/// A compiled plan.
#[derive(Debug)]
pub struct PlanPolicy {
    /// Its id.
    pub id: Arc<str>,
    /// Its limits.
    pub limits: LimitSet,
}

/// Which plan counts on a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanNeed {
    /// The caller's, if there is one.
    Optional,
    /// The caller's, or this one, or the gateway's default; without any the caller is refused.
    Required(Option<Box<str>>),
    /// None.
    Exempt,
}

/// Why a caller is on no plan where one counts: refused, never unlimited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// Neither the caller nor anyone else names one.
    #[error("a plan is required here, and there is no default")]
    Missing,
    /// The caller's is not in the document.
    #[error("there is no plan {0}")]
    Unknown(Box<str>),
}

/// A compiled backend.
#[derive(Debug)]
pub struct BackendPolicy {
    /// Its id.
    pub id: Arc<str>,
    /// The targets that have a weight, never none.
    pub targets: Box<[TargetPolicy]>,
    /// How long the parts of an exchange may take.
    pub timeouts: Timeouts,
}

/// A compiled target.
#[derive(Debug)]
pub struct TargetPolicy {
    /// Where it is.
    pub origin: Origin,
    /// `host[:port]` as the backend is asked for.
    pub authority: HeaderValue,
    /// The path that every request's path is put behind; no final slash.
    pub base_path: Box<str>,
    /// The whole URL, for people.
    pub url: Arc<str>,
    weight: u32,
}

impl BackendPolicy {
    /// Draws a target by weight; `random` is uniform.
    #[must_use]
    pub fn draw(&self, random: u64) -> Option<&TargetPolicy> {
        draw_by_weight(&self.targets, |target| target.weight, random)
    }
}

/// A compiled route.
#[derive(Debug)]
pub struct RoutePolicy {
    /// Its id.
    pub id: Arc<str>,
    /// Addresses and sizes.
    pub access: AccessPolicy,
    /// Who may call.
    pub authenticate: AuthenticatePolicy,
    /// What a caller needs besides a credential.
    pub authorize: AuthorizePolicy,
    /// Which plan counts here.
    pub plan: PlanNeed,
    /// The route's own limits.
    pub limits: LimitSet,
    /// Cross-origin access; answers hold on to it.
    pub cors: Option<Arc<CorsPolicy>>,
    /// What to do.
    pub action: Action,
}

/// What to do with a request that may pass.
#[derive(Debug)]
pub enum Action {
    /// Send it to a backend.
    Forward(ForwardPolicy),
    /// Answer right here.
    Respond(RespondPolicy),
    /// Send the client elsewhere.
    Redirect(RedirectPolicy),
}

impl Snapshot {
    /// The matcher, for explanations.
    #[must_use]
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// What a request is matched to.
    #[must_use]
    pub fn find(&self, request: &MatchRequest<'_>) -> Match<'_> {
        self.matcher.find(request)
    }

    /// What a preflight is matched to: `request.method` is the one that it asks for.
    #[must_use]
    pub fn find_for_preflight(&self, request: &MatchRequest<'_>) -> Match<'_> {
        self.matcher.find_for_preflight(request)
    }

    /// The plan that counts for a caller on a route, whose own plan this is; where one is required, the default.
    ///
    /// # Errors
    ///
    /// [`NoPlan`].
    pub fn plan(&self, need: &PlanNeed, own: Option<&str>) -> Result<Option<&PlanPolicy>, NoPlan> {
        let id = match (need, own) {
            (PlanNeed::Exempt, _) | (PlanNeed::Optional, None) => return Ok(None),
            (_, Some(own)) => own,
            (PlanNeed::Required(default), None) => {
                default.as_deref().or(self.settings.default_plan.as_deref()).ok_or(NoPlan::Missing)?
            }
        };
        self.plans.get(id).map(Some).ok_or_else(|| NoPlan::Unknown(id.into()))
    }

    /// The route of an entry.
    #[must_use]
    pub fn route(&self, entry: &Entry) -> &RoutePolicy {
        &self.routes[entry.route]
    }
}
