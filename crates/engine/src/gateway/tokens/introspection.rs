//! Asking an issuer what a token is worth (RFC 7662).

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use faregate_core::{
    jwt::{Identity, IntrospectionPolicy, InvalidClaims, IssuerPolicy, parse_strict},
    secret::SecretValue,
    time::Timestamp,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use url::form_urlencoded;

use super::{Refused, TokenKey, TokenPorts};
use crate::{
    gateway::{
        bounded::{Bounded, is_within},
        fetch::{Fetch, Fetched, fetch},
    },
    ports::Metric,
};

/// How long a refusal is remembered, and how many.
const REFUSAL_AGE_MAX: Duration = Duration::from_secs(10);
const REFUSALS_MAX: usize = 10_000;
const REFUSALS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a failure is remembered, and how many.
const FAILURE_AGE_MAX: Duration = Duration::from_secs(1);
const FAILURES_MAX: usize = 1000;
const FAILURES_BYTES_MAX: usize = 1024 * 1024;
/// How often a line tells of an issuer's failures, at most.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take, and how long it may be.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Asks issuers about tokens.
pub(super) struct Introspections {
    ports: TokenPorts,
    refused: Bounded<TokenKey, (Timestamp, InvalidClaims)>,
    /// When an issuer last gave no answer: nobody else waits for it a moment later.
    down: Bounded<[u8; 32], (Timestamp, Arc<str>)>,
    /// When an issuer last did not take the question about a token, which concerns nobody else's.
    unanswered: Bounded<TokenKey, (Timestamp, Arc<str>)>,
    /// When a line last told of an issuer's failure, and of how many none did since: a flood of made-up tokens is no flood of
    /// lines (SECURITY.md 21).
    told: Bounded<[u8; 32], (Timestamp, u64)>,
}

/// Why an issuer gave no verdict on a token.
enum Failure {
    /// It would give none on any other either.
    Down(String),
    /// It does not take this question.
    Unanswered(String),
}

impl Failure {
    fn down(cause: impl ToString) -> Self {
        Self::Down(cause.to_string())
    }
}

impl Introspections {
    pub(super) fn new(ports: &TokenPorts) -> Self {
        Self {
            ports: ports.clone(),
            refused: Bounded::new(REFUSALS_MAX, REFUSALS_BYTES_MAX),
            down: Bounded::new(FAILURES_MAX, FAILURES_BYTES_MAX),
            unanswered: Bounded::new(FAILURES_MAX, FAILURES_BYTES_MAX),
            told: Bounded::new(FAILURES_MAX, FAILURES_BYTES_MAX),
        }
    }

    /// Tells of a failure, once a second for each issuer, and of how many there were beside it.
    fn tell(&self, issuer: &IssuerPolicy, cause: &str) {
        let now = self.ports.clock.now();
        let (at, muted) = self.told.get(&issuer.hash).unwrap_or_default();
        if is_within(at, now, TOLD_EVERY) {
            self.told.put(issuer.hash, (at, muted + 1), 100);
            return;
        }
        self.told.put(issuer.hash, (now, 0), 100);
        let detail = if muted > 0 { format!("{cause} ({muted} more since the last line)") } else { cause.to_owned() };
        self.ports.telemetry.metric(Metric::IssuerErrors, &detail);
    }

    /// Who the token proves.
    pub(super) async fn ask(
        &self,
        issuer: &IssuerPolicy,
        asked: &IntrospectionPolicy,
        token: &[u8],
        hash: [u8; 32],
    ) -> Result<Identity, Refused> {
        let key = (hash, issuer.hash);
        let now = self.ports.clock.now();
        if let Some((_, error)) = self.refused.get(&key).filter(|(at, _)| is_within(*at, now, REFUSAL_AGE_MAX)) {
            return Err(error.into());
        }
        let failed = self.down.get(&issuer.hash).into_iter().chain(self.unanswered.get(&key));
        if let Some((_, cause)) = failed.into_iter().find(|(at, _)| is_within(*at, now, FAILURE_AGE_MAX)) {
            return Err(Refused::Unavailable(cause.to_string()));
        }
        let answer = self.answer(asked, token).await.map_err(|failure| {
            let (Failure::Down(cause) | Failure::Unanswered(cause)) = &failure;
            let cause = format!("issuer {}: {cause}", issuer.id);
            self.tell(issuer, &cause);
            let noted = (self.ports.clock.now(), cause.as_str().into());
            match failure {
                Failure::Down(_) => self.down.put(issuer.hash, noted, 300),
                Failure::Unanswered(_) => self.unanswered.put(key, noted, 300),
            }
            Refused::Unavailable(cause)
        })?;
        let now = self.ports.clock.now();
        let identified = issuer.identify_introspected(answer, now);
        identified.map_err(|error| {
            self.refused.put(key, (now, error), 200);
            error.into()
        })
    }

    /// The issuer's answer. A refusal of our own credentials is worth a newer secret.
    async fn answer(
        &self,
        asked: &IntrospectionPolicy,
        token: &[u8],
    ) -> Result<serde_json::Map<String, Value>, Failure> {
        let secret = self.ports.secrets.read(&asked.client_secret).await.map_err(Failure::down)?;
        let mut answer = self.post(asked, &secret, token).await.map_err(Failure::Down)?;
        if may_refuse_the_client(&answer) {
            let newer = self.ports.secrets.refresh(&asked.client_secret).await.map_err(Failure::down)?;
            if !newer.matches(secret.expose()) {
                answer = self.post(asked, &newer, token).await.map_err(Failure::Down)?;
            }
        }
        let cause = format!("introspection was answered {}", answer.status.as_u16());
        match answer.status {
            StatusCode::OK => match parse_strict(&answer.body) {
                // The one member that RFC 7662 §2.2 requires: without it nothing was said of the token.
                Ok(Value::Object(members)) if members.get("active").is_some_and(Value::is_boolean) => Ok(members),
                Ok(Value::Object(_)) => {
                    Err(Failure::Unanswered("the answer to introspection has no boolean `active`".to_owned()))
                }
                _ => Err(Failure::Unanswered("the answer to introspection is no JSON object".to_owned())),
            },
            // A firewall before the provider may dislike what a client calls its token.
            StatusCode::FORBIDDEN | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Err(Failure::Unanswered(cause))
            }
            StatusCode::BAD_REQUEST if !may_refuse_the_client(&answer) => Err(Failure::Unanswered(cause)),
            _ => Err(Failure::Down(cause)),
        }
    }

    async fn post(&self, asked: &IntrospectionPolicy, secret: &SecretValue, token: &[u8]) -> Result<Fetched, String> {
        let token = std::str::from_utf8(token).map_err(|_| "a token that is no text".to_owned())?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("token_type_hint", "access_token")
            .finish();
        let mut basic = HeaderValue::from_str(&basic(&asked.client_id, secret)).map_err(|error| error.to_string())?;
        basic.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (header::AUTHORIZATION, basic),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
        ]);
        let question = Fetch {
            method: Method::POST,
            url: &asked.url,
            headers,
            body: Bytes::from(form),
            limit: ANSWER_LIMIT,
            bytes_max: ANSWER_BYTES_MAX,
        };
        fetch(&*self.ports.outbound, question).await
    }
}

/// Whether an answer may mean that the gateway's own credentials are not good any more: 401, the `invalid_client` that
/// RFC 6749 §5.2 lets come as a 400, and the 403 that some providers send.
fn may_refuse_the_client(answer: &Fetched) -> bool {
    let is_invalid_client = || {
        let error = parse_strict(&answer.body).ok().and_then(|body| Some(body.get("error")? == "invalid_client"));
        error == Some(true)
    };
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => true,
        StatusCode::BAD_REQUEST => is_invalid_client(),
        _ => false,
    }
}

/// HTTP Basic with both parts form-encoded (RFC 6749 §2.3.1).
fn basic(id: &str, secret: &SecretValue) -> String {
    let encode = |bytes: &[u8]| form_urlencoded::byte_serialize(bytes).collect::<String>();
    let pair = format!("{}:{}", encode(id.as_bytes()), encode(secret.expose()));
    format!("Basic {}", STANDARD.encode(pair))
}
