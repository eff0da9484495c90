//! Phase *edge*: whether the request comes through the edge, and which host and address it then has.

use faregate_core::{
    matcher::canonical_host,
    policy::edge::{EDGE_SECRET_BYTES_MIN, EdgeFacts, EdgePolicy, proves},
    problem::{Code, Problem},
    secret::{SecretRef, SecretValue},
};
use http::HeaderMap;
use serde::Serialize;

use super::request::Asked;

/// Phase *edge*.
#[derive(Debug, Serialize)]
pub(super) struct EdgeView {
    pub(super) verdict: EdgeVerdict,
    /// The header that carries the secret.
    pub(super) header: String,
    /// Whether the request has it, once.
    pub(super) present: bool,
    /// Why the request is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
}

/// What the edge's secret makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EdgeVerdict {
    /// It came through the edge, whose headers say host and address.
    Passed,
    /// It did not, or these headers are malformed: 403.
    AccessDenied,
    /// The secret lies in SSM, and is not read. Host and address are those of a request whose secret is right.
    DependsOnSecret,
}

impl EdgeView {
    /// Checks as the pipeline does, and lets the edge say host and address. A request that is refused keeps its own: what
    /// follows is what it would come to with the edge's headers.
    pub(super) fn of(edge: &EdgePolicy, asked: &mut Asked) -> Self {
        let header = edge.secret_header.to_string();
        let present = edge.presented(&asked.headers).is_ok();
        match check(edge, &asked.headers) {
            Ok((verdict, facts)) => {
                asked.host = canonical_host(&facts.host);
                asked.authority = facts.host;
                asked.address = Some(facts.address);
                Self { verdict, header, present, cause: None }
            }
            Err(problem) => Self { verdict: EdgeVerdict::AccessDenied, header, present, cause: Some(problem.cause) },
        }
    }
}

fn check(edge: &EdgePolicy, headers: &HeaderMap) -> Result<(EdgeVerdict, EdgeFacts), Problem> {
    let presented = edge.presented(headers)?;
    let (mut known, mut is_elsewhere) = (Vec::new(), false);
    for reference in &edge.values {
        match reference {
            SecretRef::Inline(value) => known.extend(SecretValue::new(value.as_str())),
            SecretRef::Ssm(_) => is_elsewhere = true,
        }
    }
    if !is_elsewhere || proves(presented, &known) {
        return Ok((EdgeVerdict::Passed, edge.check(headers, &known)?));
    }
    if presented.len() < EDGE_SECRET_BYTES_MIN {
        let problem = Problem::new(Code::AccessDenied, "this gateway is reached by another address");
        return Err(problem.caused_by(format!("a secret that counts has {EDGE_SECRET_BYTES_MIN} bytes")));
    }
    let assumed: Vec<SecretValue> = SecretValue::new(presented).into_iter().collect();
    Ok((EdgeVerdict::DependsOnSecret, edge.check(headers, &assumed)?))
}
