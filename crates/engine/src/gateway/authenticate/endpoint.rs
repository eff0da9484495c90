//! The credential *forward auth*: an endpoint is asked.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use faregate_core::{
    CONSUMER_BYTES_MAX,
    policy::{authenticate::AuthenticatePolicy, forward_auth::ForwardAuthPolicy},
    problem::{Code, Problem},
    time::Timestamp,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::{CONTROLS, utf8_percent_encode};

use super::{Presented, proven::sendable, refusal::unavailable};
use crate::{
    gateway::{
        Ports,
        bounded::{Bounded, is_within},
        caller::{Evidence, Proof},
        fetch::{Fetch, fetch},
    },
    ports::{Clock, Outbound},
};

/// How many answers are remembered, and in how many bytes.
const ANSWERS_MAX: usize = 1000;
const ANSWERS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest body of an answer; nothing of it is used.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Most challenges of a refusal that are passed on.
const CHALLENGES_MAX: usize = 8;

/// Asks endpoints.
pub(super) struct Endpoints {
    outbound: Arc<dyn Outbound>,
    clock: Arc<dyn Clock>,
    passed: Bounded<[u8; 32], (Timestamp, Arc<Passed>)>,
}

/// What an endpoint said of a request that may pass.
struct Passed {
    consumer: Box<str>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Endpoints {
    pub(super) fn new(ports: &Ports) -> Self {
        Self {
            outbound: Arc::clone(&ports.outbound),
            clock: Arc::clone(&ports.clock),
            passed: Bounded::new(ANSWERS_MAX, ANSWERS_BYTES_MAX),
        }
    }

    /// What the endpoint says; `None` where it is not asked. It is told of no credential that the route hides in the
    /// query.
    pub(super) async fn verify(
        &self,
        policy: &ForwardAuthPolicy,
        route: &AuthenticatePolicy,
        presented: Presented<'_>,
    ) -> Result<Option<Proof>, Problem> {
        if !policy.is_present(presented.headers) {
            return Ok(None);
        }
        let uri = &presented.parts.uri;
        let query = route.visible_query(uri.query());
        let separator = if query.is_empty() { "" } else { "?" };
        let target = format!("{}{separator}{query}", uri.path());
        let told = told(presented, &target);
        let key = policy.cache_key(presented.version, &told.each_ref().map(|(_, value)| &**value), presented.headers);
        let now = self.clock.now();
        let known = key.as_ref().and_then(|key| self.passed.get(key));
        if let Some((_, passed)) = known.filter(|(since, _)| is_within(*since, now, policy.cache)) {
            return Ok(Some(passed.proof(policy)));
        }
        let passed = Arc::new(self.ask(policy, presented, &told).await?);
        if let Some(key) = key {
            let bytes = 200 + passed.headers.iter().map(|(_, value)| value.len() + 100).sum::<usize>();
            self.passed.put(key, (now, Arc::clone(&passed)), bytes);
        }
        Ok(Some(passed.proof(policy)))
    }

    async fn ask(
        &self,
        policy: &ForwardAuthPolicy,
        presented: Presented<'_>,
        told: &Told<'_>,
    ) -> Result<Passed, Problem> {
        let of_endpoint = |cause: String| unavailable(format!("forward_auth {}: {cause}", policy.id));
        let asked = Fetch {
            method: policy.method.clone(),
            url: &policy.url,
            headers: question(policy, presented, told).map_err(of_endpoint)?,
            body: Bytes::new(),
            limit: policy.timeout,
            bytes_max: BODY_BYTES_MAX,
        };
        let answer = fetch(&*self.outbound, asked).await.map_err(of_endpoint)?;
        match answer.status {
            status if status.is_success() => passed(policy, &answer.headers).map_err(of_endpoint),
            StatusCode::UNAUTHORIZED => {
                let problem = Problem::new(Code::CredentialsInvalid, "the credentials are not valid");
                Err(refusal(problem, policy, &answer.headers))
            }
            StatusCode::FORBIDDEN => {
                let problem = Problem::new(Code::PermissionDenied, "the caller may not do this");
                Err(refusal(problem, policy, &answer.headers))
            }
            status => Err(of_endpoint(format!("it answered {}", status.as_u16()))),
        }
    }
}

impl Passed {
    fn proof(&self, policy: &ForwardAuthPolicy) -> Proof {
        let evidence = Evidence::Endpoint { id: policy.id.clone(), consumer: self.consumer.clone() };
        Proof { evidence, headers: self.headers.clone() }
    }
}

/// What the endpoint is told of the request, as headers.
type Told<'a> = [(&'static str, Cow<'a, str>); 5];

/// Method, scheme, host, path with query, and address; what no header can carry is percent-encoded.
fn told<'a>(presented: Presented<'a>, uri: &'a str) -> Told<'a> {
    let client = presented.client;
    let encoded = |text: &'a str| Cow::from(utf8_percent_encode(text, CONTROLS));
    let address = client.address.map(|address| address.to_string()).unwrap_or_default();
    [
        ("x-forwarded-method", encoded(presented.parts.method.as_str())),
        ("x-forwarded-proto", encoded(client.scheme)),
        ("x-forwarded-host", encoded(&client.authority)),
        ("x-forwarded-uri", encoded(uri)),
        ("x-forwarded-for", Cow::from(address)),
    ]
}

/// The headers that the endpoint gets: those in `send`, and what the request is. None of them is left out.
fn question(policy: &ForwardAuthPolicy, presented: Presented<'_>, told: &Told<'_>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for name in policy.send.iter().filter(|name| **name != header::HOST) {
        headers.extend(presented.headers.get_all(name).iter().map(|value| (name.clone(), value.clone())));
    }
    for (name, value) in told {
        let value = HeaderValue::from_str(value).map_err(|_| format!("{name} cannot be told"))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

/// Reads an answer that lets the request pass; one without a consumer lets nobody pass.
fn passed(policy: &ForwardAuthPolicy, headers: &HeaderMap) -> Result<Passed, String> {
    let mut values = headers.get_all(&policy.consumer_header).iter();
    let value = values.next().filter(|_| values.next().is_none()).ok_or("it named no consumer")?;
    let value = str::from_utf8(value.as_bytes()).map_err(|_| "it named a consumer that is no UTF-8")?;
    let value =
        Some(value.trim_matches([' ', '\t'])).filter(|value| !value.is_empty()).ok_or("it named no consumer")?;
    let consumer = format!("forward_auth:{}:{value}", policy.id);
    if consumer.len() > CONSUMER_BYTES_MAX {
        return Err("it named a consumer of impossible length".to_owned());
    }
    let copied = policy.copy.iter().flat_map(|name| {
        let values = headers.get_all(name).iter().filter_map(sendable);
        values.map(move |value| (name.clone(), value))
    });
    Ok(Passed { consumer: consumer.into(), headers: copied.collect() })
}

/// A refusal with the endpoint's own challenges.
fn refusal(mut problem: Problem, policy: &ForwardAuthPolicy, headers: &HeaderMap) -> Problem {
    let challenges = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    problem.challenges = challenges.take(CHALLENGES_MAX).map(str::to_owned).collect();
    problem.caused_by(format!("forward_auth {} refused", policy.id))
}
