//! What the gateway makes of a token.

use std::sync::{Arc, Mutex, PoisonError};

use faregate_core::{
    jwt::TOKEN_BYTES_MAX,
    policy::{authenticate::CredentialPolicy, authorize::Subject, jwt::JwtPolicy},
    snapshot::{RoutePolicy, Snapshot},
};
use faregate_engine::{
    gateway::{Refused, SideWork, TokenVerifier},
    ports::{Metric, Telemetry},
    record::Record,
};
use serde::Serialize;

use super::{
    key::decides_plan,
    rules::{RuleVerdict, rules},
};
use crate::{commands::key::read_secret, error::CliError, stores::Stores};

/// The verdict of one credential on a token.
#[derive(Debug, Serialize)]
pub(super) struct TokenVerdict {
    pub(super) verdict: TokenOutcome,
    /// The issuer that vouches for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) consumer: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<String>,
    /// Why it proves nothing, or no plan counts; no client is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
    /// What the route's rules make of it alone.
    pub(super) rules: Vec<RuleVerdict>,
}

/// How a token fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TokenOutcome {
    /// It proves its consumer.
    Good,
    /// It is good, but on no plan that there is, where one counts: 403 `access_denied`.
    NoPlan,
    /// 401 `credentials_invalid`.
    Invalid,
    /// 503 `dependency_unavailable`.
    Unavailable,
}

/// Keeps what issuers did not answer.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Telemetry for Notes {
    /// There is no request that leaves a record.
    fn record(&self, _: &Record) -> u64 {
        0
    }

    fn metric(&self, _: Metric, detail: &str) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(detail.to_owned());
        0
    }
}

impl TokenVerdict {
    /// Reads the token from standard input and verifies it for every credential of the route that is a token.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] where there is no token, or the route takes none.
    pub(super) async fn of_standard_input(
        stores: &Stores,
        snapshot: &Snapshot,
        route: &RoutePolicy,
    ) -> Result<Vec<Self>, CliError> {
        // A longer one is the gateway's to refuse.
        let token = read_secret(std::io::stdin().lock(), TOKEN_BYTES_MAX)?;
        if token.is_empty() {
            return Err(CliError::Usage("there is no token on standard input".to_owned()));
        }
        let notes = Arc::new(Notes::default());
        let verifier = TokenVerifier::new(&stores.token_ports(Arc::<Notes>::clone(&notes))?);
        let mut verdicts = Vec::new();
        for credential in &route.authenticate.credentials {
            if let CredentialPolicy::Jwt(policy) = credential {
                let mut verdict = Self::of(&token, route, policy, &verifier, &notes).await;
                verdict.count_plan(snapshot, route);
                verdicts.push(verdict);
            }
        }
        if verdicts.is_empty() {
            return Err(CliError::Usage(format!("route {} takes no token", route.id)));
        }
        Ok(verdicts)
    }

    /// Says so where the gateway would refuse a good token because of its plan.
    fn count_plan(&mut self, snapshot: &Snapshot, route: &RoutePolicy) {
        if self.verdict == TokenOutcome::Good
            && decides_plan(route, |first| matches!(first, CredentialPolicy::Jwt(_)))
            && let Err(error) = snapshot.plan(&route.plan, self.plan.as_deref())
        {
            self.verdict = TokenOutcome::NoPlan;
            self.cause = Some(error.to_string());
        }
    }

    async fn of(
        token: &[u8],
        route: &RoutePolicy,
        policy: &JwtPolicy,
        verifier: &TokenVerifier,
        notes: &Notes,
    ) -> Self {
        let nothing = |verdict, cause: String| Self {
            verdict,
            issuer: None,
            consumer: None,
            scopes: Vec::new(),
            groups: Vec::new(),
            plan: None,
            cause: Some(cause),
            rules: Vec::new(),
        };
        let texts = |list: &[Box<str>]| list.iter().map(|text| text.to_string()).collect();
        let mut side_work = SideWork::default();
        let verified = verifier.verify(policy, token, 0, &mut side_work).await;
        side_work.join(SideWork::LIMIT).await;
        match verified {
            Ok((issuer, identity)) => Self {
                verdict: TokenOutcome::Good,
                issuer: Some(issuer.to_string()),
                consumer: Some(identity.consumer.to_string()),
                scopes: texts(&identity.scopes),
                groups: texts(&identity.groups),
                plan: identity.plan.as_deref().map(str::to_owned),
                cause: None,
                rules: rules(
                    Some(route),
                    Subject {
                        consumer: &identity.consumer,
                        scopes: &identity.scopes,
                        groups: &identity.groups,
                        claims: Some(&identity.claims),
                    },
                ),
            },
            Err(Refused::Unavailable(cause)) => {
                let notes = notes.0.lock().unwrap_or_else(PoisonError::into_inner);
                let told = notes.iter().find(|note| **note != cause).map(|note| format!(" ({note})"));
                nothing(TokenOutcome::Unavailable, cause + &told.unwrap_or_default())
            }
            Err(refused @ (Refused::Invalid(_) | Refused::Expired)) => {
                nothing(TokenOutcome::Invalid, refused.to_string())
            }
        }
    }
}
