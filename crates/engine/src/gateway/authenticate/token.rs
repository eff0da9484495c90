//! The credential *JWT*, verified; opaque tokens, too, where an issuer is asked about them.

use faregate_core::{
    policy::jwt::JwtPolicy,
    problem::{Code, Problem},
};

use super::{One, Presented, one, proven, refusal::unavailable};
use crate::gateway::{
    SideWork,
    caller::{Evidence, Proof},
    tokens::{Refused, TokenVerifier},
};

/// All refusals look alike to the client, but that of a token whose time is over.
pub(super) async fn verify(
    policy: &JwtPolicy,
    presented: Presented<'_>,
    tokens: &TokenVerifier,
    side_work: &mut SideWork,
) -> Result<Option<Proof>, Problem> {
    let invalid = |cause: String| Problem::new(Code::CredentialsInvalid, "the token is not valid").caused_by(cause);
    let values = presented.headers.get_all(&policy.place.name).iter();
    let token = match one(values.filter_map(|value| policy.place.credential_in(value.as_bytes()))) {
        None => return Ok(None),
        Some(One::Several) => return Err(invalid("several tokens at one place".to_owned())),
        Some(One::Value(token)) => token,
    };
    match tokens.verify(policy, token, presented.version, side_work).await {
        Ok((issuer, identity)) => {
            let headers = proven::headers(&policy.forward_claims, |name| identity.claims.get(name));
            Ok(Some(Proof { evidence: Evidence::Token { issuer, identity }, headers }))
        }
        Err(Refused::Invalid(cause)) => Err(invalid(cause)),
        Err(Refused::Expired) => {
            Err(Problem::new(Code::CredentialsInvalid, "the token has expired").caused_by("an expired token"))
        }
        Err(Refused::Unavailable(cause)) => Err(unavailable(cause)),
    }
}
