//! How refused credentials are answered.

use faregate_core::{
    policy::authenticate::{AuthenticatePolicy, CredentialPolicy},
    problem::Problem,
};

pub(super) use crate::gateway::problems::unavailable;

/// A 401 says how to do better (RFC 9110 §15.5.2, RFC 6750 §3); what an endpoint said for itself stays.
pub(super) fn challenged(
    mut problem: Problem,
    policy: &AuthenticatePolicy,
    refused: Option<&CredentialPolicy>,
) -> Problem {
    if problem.code.status() != 401 || !problem.challenges.is_empty() {
        return problem;
    }
    for credential in &policy.credentials {
        let is_refused = refused.is_some_and(|refused| std::ptr::eq(refused, credential));
        let challenge = match credential {
            CredentialPolicy::ApiKey(policy) => policy.challenge(),
            CredentialPolicy::Jwt(policy) if is_refused => {
                format!("{}, error=\"invalid_token\", error_description=\"{}\"", policy.challenge(), problem.detail)
            }
            CredentialPolicy::Jwt(policy) => policy.challenge(),
            CredentialPolicy::Iam => "AWS4-HMAC-SHA256 realm=\"faregate\"".to_owned(),
            CredentialPolicy::ForwardAuth(policy) => format!("ForwardAuth realm=\"{}\"", policy.id),
        };
        // One for each scheme and realm, and of those the one that says most.
        if !problem.challenges.iter().any(|known| known.starts_with(&challenge)) {
            problem.challenges.retain(|known| !challenge.starts_with(known.as_str()));
            problem.challenges.push(challenge);
        }
    }
    problem
}
