//! Error answers: RFC 9457 problem details.

use serde::Serialize;

/// Every reason for which the gateway itself answers with an error. Exhaustive: there is no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The event cannot be a request.
    RequestInvalid,
    /// No credential where one is needed.
    CredentialsMissing,
    /// A credential that proves nothing.
    CredentialsInvalid,
    /// The address, the edge or the route's own list refuses the caller.
    AccessDenied,
    /// The caller is known and may not do this.
    PermissionDenied,
    /// No route matches.
    RouteNotFound,
    /// A route matches in all but the method.
    MethodNotAllowed,
    /// The body is over the route's bound.
    RequestTooLarge,
    /// Path or headers are over the gateway's bounds.
    RequestHeadersTooLarge,
    /// A rate limit is used up.
    RateLimited,
    /// A quota is used up.
    QuotaExhausted,
    /// A defect of the gateway.
    Internal,
    /// The backend gave no usable answer.
    BackendFailed,
    /// The answer does not fit into a buffered response.
    ResponseTooLarge,
    /// No target of the backend may be tried.
    BackendUnavailable,
    /// Something that the decision depends on does not answer.
    DependencyUnavailable,
    /// No snapshot could be loaded yet.
    NotReady,
    /// The backend did not answer in time.
    BackendTimeout,
    /// The request has passed here too often.
    LoopDetected,
}

impl Code {
    /// All codes, in order of status.
    pub const ALL: [Self; 19] = [
        Self::RequestInvalid,
        Self::CredentialsMissing,
        Self::CredentialsInvalid,
        Self::AccessDenied,
        Self::PermissionDenied,
        Self::RouteNotFound,
        Self::MethodNotAllowed,
        Self::RequestTooLarge,
        Self::RateLimited,
        Self::QuotaExhausted,
        Self::RequestHeadersTooLarge,
        Self::Internal,
        Self::BackendFailed,
        Self::ResponseTooLarge,
        Self::BackendUnavailable,
        Self::DependencyUnavailable,
        Self::NotReady,
        Self::BackendTimeout,
        Self::LoopDetected,
    ];

    /// The stable word, as in `type` and `code`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RequestInvalid => "request_invalid",
            Self::CredentialsMissing => "credentials_missing",
            Self::CredentialsInvalid => "credentials_invalid",
            Self::AccessDenied => "access_denied",
            Self::PermissionDenied => "permission_denied",
            Self::RouteNotFound => "route_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTooLarge => "request_too_large",
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::RequestHeadersTooLarge => "request_headers_too_large",
            Self::Internal => "internal",
            Self::BackendFailed => "backend_failed",
            Self::ResponseTooLarge => "response_too_large",
            Self::BackendUnavailable => "backend_unavailable",
            Self::DependencyUnavailable => "dependency_unavailable",
            Self::NotReady => "not_ready",
            Self::BackendTimeout => "backend_timeout",
            Self::LoopDetected => "loop_detected",
        }
    }

    /// The HTTP status (RFC 9110 §15, RFC 6585 for 429 and 431, RFC 5842 for 508).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::RequestInvalid => 400,
            Self::CredentialsMissing | Self::CredentialsInvalid => 401,
            Self::AccessDenied | Self::PermissionDenied => 403,
            Self::RouteNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTooLarge => 413,
            Self::RateLimited | Self::QuotaExhausted => 429,
            Self::RequestHeadersTooLarge => 431,
            Self::Internal => 500,
            Self::BackendFailed | Self::ResponseTooLarge => 502,
            Self::BackendUnavailable | Self::DependencyUnavailable | Self::NotReady => 503,
            Self::BackendTimeout => 504,
            Self::LoopDetected => 508,
        }
    }

    /// One line for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::RequestInvalid => "The request is not valid",
            Self::CredentialsMissing => "Credentials are required",
            Self::CredentialsInvalid => "The credentials are not valid",
            Self::AccessDenied => "Access is denied",
            Self::PermissionDenied => "Permission is denied",
            Self::RouteNotFound => "No route matches the request",
            Self::MethodNotAllowed => "The method is not allowed here",
            Self::RequestTooLarge => "The request body is too large",
            Self::RateLimited => "Too many requests",
            Self::QuotaExhausted => "The quota is used up",
            Self::RequestHeadersTooLarge => "The request's path or headers are too large",
            Self::Internal => "The gateway failed",
            Self::BackendFailed => "The backend gave no usable answer",
            Self::ResponseTooLarge => "The backend's answer is too large",
            Self::BackendUnavailable => "The backend is unavailable",
            Self::DependencyUnavailable => "A service that the gateway depends on is unavailable",
            Self::NotReady => "The gateway has no configuration yet",
            Self::BackendTimeout => "The backend did not answer in time",
            Self::LoopDetected => "The request loops",
        }
    }
}

/// An error answer before it is written: what the client may know, and the cause, which it may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which problem.
    pub code: Code,
    /// What the client can do about it.
    pub detail: String,
    /// Why, for the record only.
    pub cause: String,
    /// `allow`, for [`Code::MethodNotAllowed`].
    pub allow: Option<Box<str>>,
    /// `www-authenticate` challenges, for the 401 codes.
    pub challenges: Vec<String>,
    /// `retry-after` in seconds.
    pub retry_after_seconds: Option<u32>,
    /// The id of the limit that is used up, for the 429 codes.
    pub limit: Option<Box<str>>,
}

impl Problem {
    /// A problem whose cause needs no more words than its detail.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            code,
            cause: detail.clone(),
            detail,
            allow: None,
            challenges: Vec::new(),
            retry_after_seconds: None,
            limit: None,
        }
    }

    /// The same with a cause for the record.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<String>) -> Self {
        self.cause = cause.into();
        self
    }

    /// The body: `application/problem+json` (RFC 9457 §3).
    #[must_use]
    pub fn to_json(&self, request_id: &str) -> Vec<u8> {
        #[derive(Serialize)]
        struct Members<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            detail: &'a str,
            code: &'a str,
            request_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            limit: Option<&'a str>,
        }
        let members = Members {
            r#type: format!("urn:faregate:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status(),
            detail: &self.detail,
            code: self.code.as_str(),
            request_id,
            limit: self.limit.as_deref(),
        };
        serde_json::to_vec(&members).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Problem};

    #[test]
    fn every_code_is_written_in_the_same_word_everywhere() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).expect("a word"), code.as_str());
            assert!((400..600).contains(&code.status()));
        }
    }

    #[test]
    fn the_cause_stays_out_of_the_body() {
        let problem = Problem::new(Code::BackendFailed, "try again later").caused_by("10.0.0.7 refused");
        let body = String::from_utf8(problem.to_json("r-1")).expect("UTF-8");
        assert!(!body.contains("10.0.0.7"));
        assert!(body.contains(r#""type":"urn:faregate:problem:backend_failed""#));
        assert!(body.contains(r#""request_id":"r-1""#));
    }
}
