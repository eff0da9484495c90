//! Phase *authenticate*, as far as it can be told without looking a credential up.

use faregate_core::{
    forwarding::{IdentityHeaders, strip_client_headers},
    policy::{
        authenticate::{AuthenticatePolicy, CredentialPolicy, Needed},
        credential::HeaderPlace,
    },
};
use http::{HeaderMap, header};
use serde::Serialize;

use super::request::{Asked, OnInput};

/// What begins the `authorization` of a request that is signed for AWS.
const AWS_SIGNATURE: &[u8] = b"AWS4-";

/// Phase *authenticate*.
#[derive(Debug, Serialize)]
pub(super) struct AuthenticateView {
    pub(super) verdict: AuthenticateVerdict,
    /// What the route takes, in the order in which they decide who the caller is.
    pub(super) credentials: Vec<CredentialView>,
    /// Whether every one of them is needed.
    pub(super) all_needed: bool,
    /// Whether a caller without any passes.
    pub(super) anonymous: bool,
}

/// What the credentials that are there, or are not, make of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AuthenticateVerdict {
    /// There is none, and none is needed.
    Anonymous,
    /// One that is needed is not there: 401.
    CredentialsMissing,
    /// It passes if those that are there are good, of which only those on standard input are looked at.
    DependsOnCredentials,
}

/// One credential that a route takes.
#[derive(Debug, Serialize)]
pub(super) struct CredentialView {
    pub(super) kind: &'static str,
    pub(super) header: Option<String>,
    pub(super) scheme: String,
    pub(super) query: Option<String>,
    /// Whose tokens it takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) issuers: Vec<String>,
    /// The endpoint that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) endpoint: Option<String>,
    /// Whether the request has one, good or not; also where it is on standard input.
    pub(super) present: bool,
    /// Whether it is on standard input.
    #[serde(skip)]
    pub(super) on_input: bool,
}

impl AuthenticateView {
    /// Looks for credentials as the pipeline does: not in headers that no client may send.
    pub(super) fn of(policy: &AuthenticatePolicy, asked: &Asked, identity: &IdentityHeaders) -> Self {
        let mut headers = asked.headers.clone();
        strip_client_headers(&mut headers, identity);
        let credentials = policy.credentials.iter();
        let credentials: Vec<_> =
            credentials.map(|credential| CredentialView::of(credential, asked, &headers)).collect();
        let all_needed = policy.needed == Needed::All;
        let present = credentials.iter().filter(|credential| credential.present).count();
        let verdict = match present {
            0 if policy.anonymous => AuthenticateVerdict::Anonymous,
            0 => AuthenticateVerdict::CredentialsMissing,
            _ if all_needed && present < credentials.len() => AuthenticateVerdict::CredentialsMissing,
            _ => AuthenticateVerdict::DependsOnCredentials,
        };
        Self { verdict, credentials, all_needed, anonymous: policy.anonymous }
    }
}

impl CredentialView {
    fn of(credential: &CredentialPolicy, asked: &Asked, headers: &HeaderMap) -> Self {
        let in_header = |place: &HeaderPlace| {
            let mut values = headers.get_all(&place.name).iter();
            values.any(|value| place.credential_in(value.as_bytes()).is_some())
        };
        let view = |kind, place: Option<&HeaderPlace>, input: Option<OnInput>| {
            let on_input = input.is_some() && asked.on_input == input;
            Self {
                kind,
                header: place.map(|place| place.name.to_string()),
                scheme: place.map(|place| place.scheme.to_string()).unwrap_or_default(),
                query: None,
                issuers: Vec::new(),
                endpoint: None,
                present: on_input || place.is_some_and(in_header),
                on_input,
            }
        };
        match credential {
            CredentialPolicy::ApiKey(policy) => {
                let view = view("api_key", policy.place.as_ref(), Some(OnInput::Key));
                let query = asked.query.as_deref().unwrap_or_default();
                let mut parameters = url::form_urlencoded::parse(query.as_bytes());
                let in_query = parameters.any(|(name, _)| policy.query.as_deref() == Some(&*name));
                Self { query: policy.query.as_deref().map(str::to_owned), present: view.present || in_query, ..view }
            }
            CredentialPolicy::Jwt(policy) => {
                let issuers = policy.issuers.iter().map(|issuer| issuer.id.to_string()).collect();
                Self { issuers, ..view("jwt", Some(&policy.place), Some(OnInput::Token)) }
            }
            // Lambda verifies the signature, and tells nobody but the gateway who made it.
            CredentialPolicy::Iam => {
                let mut values = headers.get_all(header::AUTHORIZATION).iter();
                let present = values.any(|value| value.as_bytes().starts_with(AWS_SIGNATURE));
                Self { present, ..view("iam", None, None) }
            }
            CredentialPolicy::ForwardAuth(policy) => {
                let endpoint = Some(format!("{} at {}", policy.id, policy.url));
                Self { endpoint, present: policy.is_present(headers), ..view("forward_auth", None, None) }
            }
        }
    }
}
