//! What verified claims prove, and when (RFC 7519 §4.1, RFC 7662 §2.2).

use serde_json::{Map, Value};

use super::IssuerPolicy;
use crate::{CONSUMER_BYTES_MAX, time::Timestamp};

/// Who a token proves.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// `<issuer id>:<consumer claim>`.
    pub consumer: Box<str>,
    /// The claim `sub`, if it is a text.
    pub subject: Option<Box<str>>,
    /// What the token is good for.
    pub scopes: Box<[Box<str>]>,
    /// The groups of its subject.
    pub groups: Box<[Box<str>]>,
    /// The plan of its subject.
    pub plan: Option<Box<str>>,
    /// All claims.
    pub claims: Map<String, Value>,
    expires_at: Timestamp,
    not_before: Timestamp,
}

/// Why verified claims prove nobody, for the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClaims {
    /// `iss` is missing, no text or another issuer's.
    #[error("another issuer, or none")]
    Issuer,
    /// `aud` is missing, of another type, or names nobody here.
    #[error("an audience that is somebody else, or none")]
    Audience,
    /// `exp` is missing, or a time is no number.
    #[error("a time that is missing or no number")]
    Time,
    /// The token's time is over. The client may know: its signature was good.
    #[error("an expired token")]
    Expired,
    /// The token's time has not begun.
    #[error("a token of the future")]
    NotYet,
    /// The consumer's claim is missing, no text, empty, or too long.
    #[error("no usable claim for the consumer")]
    Consumer,
    /// The scopes are no scopes of RFC 6749 §3.3.
    #[error("malformed scopes")]
    Scopes,
    /// The groups are no text and no list of texts, or the plan is no text.
    #[error("malformed groups or plan")]
    Groups,
    /// The provider says that the token is not active, or does not say that it is.
    #[error("a token that is not active")]
    Inactive,
}

impl Identity {
    /// Whether the token still holds at `now`.
    ///
    /// # Errors
    ///
    /// [`InvalidClaims::Expired`] and [`InvalidClaims::NotYet`].
    pub fn check_time(&self, now: Timestamp) -> Result<(), InvalidClaims> {
        if now >= self.expires_at {
            Err(InvalidClaims::Expired)
        } else if now < self.not_before {
            Err(InvalidClaims::NotYet)
        } else {
            Ok(())
        }
    }
}

impl IssuerPolicy {
    /// Checks the claims of a token whose signature is verified.
    ///
    /// # Errors
    ///
    /// [`InvalidClaims`].
    pub fn identify(&self, claims: Map<String, Value>, now: Timestamp) -> Result<Identity, InvalidClaims> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(InvalidClaims::Issuer);
        }
        if !self.is_audience(claims.get("aud")) {
            return Err(InvalidClaims::Audience);
        }
        if !claims.contains_key("exp") {
            return Err(InvalidClaims::Time);
        }
        self.identity(claims, now)
    }

    /// Checks a provider's answer about a token (RFC 7662 §2.2): `active` must be true; `iss`, `exp`, `nbf` and `iat`
    /// count where they are there; `aud` must name one of the issuer's audiences, if it has any.
    ///
    /// # Errors
    ///
    /// [`InvalidClaims`].
    pub fn identify_introspected(&self, answer: Map<String, Value>, now: Timestamp) -> Result<Identity, InvalidClaims> {
        if answer.get("active") != Some(&Value::Bool(true)) {
            return Err(InvalidClaims::Inactive);
        }
        if answer.get("iss").is_some_and(|iss| iss.as_str() != Some(&self.issuer)) {
            return Err(InvalidClaims::Issuer);
        }
        if !self.audiences.is_empty() && !self.is_audience(answer.get("aud")) {
            return Err(InvalidClaims::Audience);
        }
        self.identity(answer, now)
    }

    /// What the claims say, and whether now is their time.
    fn identity(&self, claims: Map<String, Value>, now: Timestamp) -> Result<Identity, InvalidClaims> {
        let expires_at = time(&claims, "exp")?.map_or(Timestamp::from_millis(u64::MAX), |at| at.plus(self.leeway));
        let not_before = time(&claims, "nbf")?.max(time(&claims, "iat")?).unwrap_or_default();
        let scopes = self.scopes(&claims)?;
        let groups = match &self.groups_claim {
            Some(name) => texts(claims.get(&**name)).ok_or(InvalidClaims::Groups)?,
            None => Vec::new(),
        };
        let groups = groups.into_iter().map(Into::into).collect();
        let plan = match self.plan_claim.as_ref().and_then(|name| claims.get(&**name)) {
            None => None,
            Some(plan) => Some(plan.as_str().ok_or(InvalidClaims::Groups)?.into()),
        };
        let value = claims.get(&*self.consumer_claim).and_then(Value::as_str).unwrap_or_default();
        let consumer = format!("{}:{value}", self.id);
        if value.is_empty() || consumer.len() > CONSUMER_BYTES_MAX {
            return Err(InvalidClaims::Consumer);
        }
        let subject = claims.get("sub").and_then(Value::as_str);
        if subject.is_some_and(|subject| subject.len() > CONSUMER_BYTES_MAX) {
            return Err(InvalidClaims::Consumer);
        }
        let identity = Identity {
            consumer: consumer.into(),
            subject: subject.map(Into::into),
            scopes,
            groups,
            plan,
            expires_at,
            not_before: Timestamp::from_millis(
                not_before.as_millis().saturating_sub(u64::try_from(self.leeway.as_millis()).unwrap_or(u64::MAX)),
            ),
            claims,
        };
        identity.check_time(now)?;
        Ok(identity)
    }

    /// A text, or a list of texts only (RFC 7519 §4.1.3).
    fn is_audience(&self, aud: Option<&Value>) -> bool {
        let is_ours = |aud: &str| self.audiences.iter().any(|ours| **ours == *aud);
        match aud {
            Some(Value::String(aud)) => is_ours(aud),
            Some(Value::Array(list)) => {
                list.iter().all(Value::is_string) && list.iter().filter_map(Value::as_str).any(is_ours)
            }
            _ => false,
        }
    }

    /// `scope`, else `scp`, or the claim that the issuer names: a text with blanks between, or a list.
    fn scopes(&self, claims: &Map<String, Value>) -> Result<Box<[Box<str>]>, InvalidClaims> {
        let value = match &self.scopes_claim {
            Some(name) => claims.get(&**name),
            None => claims.get("scope").or_else(|| claims.get("scp")),
        };
        let scopes = match value {
            Some(Value::String(scopes)) => scopes.split(' ').filter(|scope| !scope.is_empty()).collect(),
            value => texts(value).ok_or(InvalidClaims::Scopes)?,
        };
        if scopes.iter().all(|scope| is_scope(scope)) {
            Ok(scopes.into_iter().map(Into::into).collect())
        } else {
            Err(InvalidClaims::Scopes)
        }
    }
}

/// The texts of a list, or one text; `None` for anything else.
fn texts(value: Option<&Value>) -> Option<Vec<&str>> {
    match value {
        None => Some(Vec::new()),
        Some(Value::String(text)) => Some(vec![text]),
        Some(Value::Array(list)) => list.iter().map(Value::as_str).collect(),
        Some(_) => None,
    }
}

/// Whether a text is a scope (RFC 6749 §3.3).
#[must_use]
pub fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// A NumericDate (RFC 7519 §2), which may have a fraction; one before 1970 is 1970.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, InvalidClaims> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| seconds.is_finite()).ok_or(InvalidClaims::Time)?;
    // A cast from a float saturates.
    Ok(Some(Timestamp::from_millis((seconds * 1000.0) as u64)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::{InvalidClaims, IssuerPolicy};
    use crate::{
        jwt::{Algorithm, KeySet, Verification},
        time::Timestamp,
    };

    const NOW: u64 = 1_800_000_000;

    fn issuer(leeway: u64) -> IssuerPolicy {
        IssuerPolicy {
            id: "main".into(),
            verification: Verification::Inline(KeySet::default()),
            algorithms: Box::new([Algorithm::ES256]),
            hash: [0; 32],
            keys_hash: [0; 32],
            issuer: "main".into(),
            audiences: Box::new(["orders".into()]),
            leeway: Duration::from_secs(leeway),
            consumer_claim: "sub".into(),
            plan_claim: None,
            scopes_claim: None,
            groups_claim: None,
        }
    }

    /// What becomes of good claims with this one changed.
    fn refusal(leeway: u64, name: &str, value: Value) -> Option<InvalidClaims> {
        let mut claims = json!({"iss": "main", "aud": "orders", "sub": "alice", "exp": NOW + 1000});
        claims[name] = value;
        let claims = claims.as_object().cloned().expect("claims");
        issuer(leeway).identify(claims, Timestamp::from_seconds(NOW)).err()
    }

    #[test]
    fn the_leeway_is_on_both_sides_and_no_longer_than_it_says() {
        for leeway in [0, 60, 300] {
            for (name, value, expected) in [
                ("exp", json!(NOW - leeway), Some(InvalidClaims::Expired)),
                ("exp", json!(NOW - leeway + 1), None),
                ("exp", json!((NOW - leeway) as f64 + 0.5), None),
                ("nbf", json!(NOW + leeway), None),
                ("nbf", json!(NOW + leeway + 1), Some(InvalidClaims::NotYet)),
                ("nbf", json!((NOW + leeway) as f64 + 0.5), Some(InvalidClaims::NotYet)),
                ("iat", json!(NOW + leeway), None),
                ("iat", json!(NOW + leeway + 1), Some(InvalidClaims::NotYet)),
                ("nbf", json!(-1), None),
            ] {
                assert_eq!(refusal(leeway, name, value.clone()), expected, "{leeway} s of leeway, {name} {value}");
            }
        }
    }

    #[test]
    fn times_are_numbers() {
        for name in ["exp", "nbf", "iat"] {
            for value in [json!("1900000000"), json!(null), json!([1_900_000_000]), json!(true)] {
                assert_eq!(refusal(60, name, value.clone()), Some(InvalidClaims::Time), "{name} {value}");
            }
        }
    }
}
