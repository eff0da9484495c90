//! Problems as answers.

use bytes::Bytes;
use faregate_core::problem::{Code, Problem};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, response::Parts};

use crate::{
    body::{Body, BodyError, full},
    record::Record,
};

/// The answer that a problem is.
pub(super) fn answer(problem: &Problem, request_id: &str) -> Response<Body> {
    let mut response = Response::new(full(problem.to_json(request_id)));
    *response.status_mut() = status(problem);
    write_headers(problem, response.headers_mut());
    response
}

/// Makes a problem of an answer of which nothing was sent yet; yields its body. What the answer was dressed
/// with stays.
pub(super) fn replace(parts: &mut Parts, problem: &Problem, record: Option<&mut Record>) -> Bytes {
    let stays = |name: &HeaderName| {
        let name = name.as_str();
        name.starts_with("access-control-")
            || matches!(name, "vary" | "x-request-id" | "x-faregate-config" | "ratelimit" | "ratelimit-policy")
    };
    let dropped: Vec<HeaderName> = parts.headers.keys().filter(|name| !stays(name)).cloned().collect();
    for name in dropped {
        parts.headers.remove(name);
    }
    parts.status = status(problem);
    write_headers(problem, &mut parts.headers);
    if let Some(record) = record {
        record.status = problem.code.status();
        record.code = Some(problem.code);
        record.cause = Some(problem.cause.clone());
    }
    let request_id = parts.headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    Bytes::from(problem.to_json(request_id))
}

/// Something that the verdict depends on does not answer: closed, and not the client's fault.
pub(super) fn unavailable(cause: impl Into<String>) -> Problem {
    let mut problem = Problem::new(Code::DependencyUnavailable, "try again later").caused_by(cause);
    problem.retry_after_seconds = Some(1);
    problem
}

/// What a body that broke is, while nothing was sent yet.
pub(super) fn of_broken_body(error: &BodyError) -> Problem {
    let (code, detail) = match error {
        BodyError::Reset(_) => (Code::BackendFailed, "the backend gave no usable answer"),
        BodyError::IdleTimeout | BodyError::StreamTimeout | BodyError::Deadline => {
            (Code::BackendTimeout, "the backend did not answer in time")
        }
    };
    Problem::new(code, detail).caused_by(error.to_string())
}

fn status(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn write_headers(problem: &Problem, headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(allow) = problem.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
        headers.insert(header::ALLOW, allow);
    }
    for challenge in &problem.challenges {
        headers.extend(HeaderValue::from_str(challenge).map(|value| (header::WWW_AUTHENTICATE, value)));
    }
    if let Some(seconds) = problem.retry_after_seconds {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
}
