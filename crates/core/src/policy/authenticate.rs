//! Phase *authenticate*: which credentials a route takes.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use http::{HeaderMap, HeaderName, header};
use serde::Deserialize;

use super::{
    api_key::{ApiKey, ApiKeyPolicy},
    credential::{HeaderPlace, Shape},
    forward_auth::{ForwardAuth, ForwardAuthPolicy},
    jwt::{Jwt, JwtPolicy},
};
use crate::{
    diagnostic::{Place, codes},
    document::choice,
    jwt::IssuerPolicy,
};

/// Variants that may be written as bare names.
#[cfg(feature = "schema")]
const BARE_NAMES: &[&str] = &["anonymous", "api_key", "iam"];

/// Who may call a route. Required: `anonymous` must be written out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = choice::BareNames(BARE_NAMES)))]
#[serde(remote = "Self", rename_all = "snake_case", deny_unknown_fields)]
pub enum Authenticate {
    /// Anybody; credentials are not looked at.
    Anonymous {},
    /// Holders of an API key.
    ApiKey(ApiKey),
    /// Holders of a token.
    Jwt(Jwt),
    /// Whoever signed the request for a function URL with `AWS_IAM`.
    Iam {},
    /// Whomever an endpoint lets pass.
    ForwardAuth(ForwardAuth),
    /// Holders of one of several credentials.
    AnyOf(Vec<Credential>),
    /// Holders of all of several credentials; the first says who calls.
    AllOf(Vec<Credential>),
}

choice::choice!(Authenticate);

/// One credential of `any_of` or `all_of`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = choice::BareNames(BARE_NAMES)))]
#[serde(remote = "Self", rename_all = "snake_case", deny_unknown_fields)]
pub enum Credential {
    /// None at all; only as the last one of `any_of`. A credential that is present must still be good.
    Anonymous {},
    /// An API key.
    ApiKey(ApiKey),
    /// A token.
    Jwt(Jwt),
    /// The signature of an `AWS_IAM` function URL.
    Iam {},
    /// The word of an endpoint.
    ForwardAuth(ForwardAuth),
}

choice::choice!(Credential);

/// [`Authenticate`], compiled.
#[derive(Clone, Debug)]
pub struct AuthenticatePolicy {
    /// The credentials, in the order in which they decide who the caller is.
    pub credentials: Box<[CredentialPolicy]>,
    /// How many of them must be there.
    pub needed: Needed,
    /// Whether a caller without any credential passes as anonymous.
    pub anonymous: bool,
    /// The query parameters that carry hidden credentials.
    hidden_parameters: Box<[Box<str>]>,
}

/// How many of a route's credentials a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// One.
    One,
    /// Every one.
    All,
}

/// One credential, compiled.
#[derive(Clone, Debug)]
pub enum CredentialPolicy {
    /// An API key.
    ApiKey(ApiKeyPolicy),
    /// A token.
    Jwt(JwtPolicy),
    /// The signature of an `AWS_IAM` function URL.
    Iam,
    /// The word of an endpoint.
    ForwardAuth(ForwardAuthPolicy),
}

/// Finds an issuer by its id, and reports where there is none; `None`, too, for one with mistakes of its own.
pub type ResolveIssuer<'a> = &'a dyn Fn(&str, &mut Place<'_>) -> Option<Arc<IssuerPolicy>>;

impl Authenticate {
    /// Compiles the credentials.
    pub fn compile(&self, place: &mut Place<'_>, resolve: ResolveIssuer<'_>) -> AuthenticatePolicy {
        let one = |credential: Option<CredentialPolicy>| {
            AuthenticatePolicy::new(credential.into_iter().collect(), Needed::One, false)
        };
        match self {
            Self::Anonymous {} => AuthenticatePolicy::new(Box::default(), Needed::One, true),
            Self::ApiKey(key) => one(Some(CredentialPolicy::ApiKey(key.compile(&mut place.at("api_key"))))),
            Self::Jwt(jwt) => one(jwt.compile(&mut place.at("jwt"), resolve).map(CredentialPolicy::Jwt)),
            Self::Iam {} => one(Some(CredentialPolicy::Iam)),
            Self::ForwardAuth(asked) => {
                one(asked.compile(&mut place.at("forward_auth")).map(CredentialPolicy::ForwardAuth))
            }
            Self::AnyOf(credentials) => several(credentials, Needed::One, &mut place.at("any_of"), resolve),
            Self::AllOf(credentials) => several(credentials, Needed::All, &mut place.at("all_of"), resolve),
        }
    }
}

fn several(
    credentials: &[Credential],
    needed: Needed,
    place: &mut Place<'_>,
    resolve: ResolveIssuer<'_>,
) -> AuthenticatePolicy {
    let mut compiled: Vec<CredentialPolicy> = Vec::with_capacity(credentials.len());
    let mut anonymous = false;
    for (index, credential) in credentials.iter().enumerate() {
        let mut place = place.at(index);
        let policy = match credential {
            Credential::ApiKey(key) => Some(CredentialPolicy::ApiKey(key.compile(&mut place.at("api_key")))),
            Credential::Jwt(jwt) => jwt.compile(&mut place.at("jwt"), resolve).map(CredentialPolicy::Jwt),
            Credential::Iam {} => Some(CredentialPolicy::Iam),
            Credential::ForwardAuth(asked) => {
                let mut place = place.at("forward_auth");
                if needed == Needed::One && asked.send.is_empty() {
                    let message = "in any_of it is asked only of requests with a header of `send`: name one";
                    place.at("send").error(codes::MISSING_FIELD, message);
                }
                let policy = asked.compile(&mut place);
                policy
                    .map(|policy| ForwardAuthPolicy { always: needed == Needed::All, ..policy })
                    .map(CredentialPolicy::ForwardAuth)
            }
            Credential::Anonymous {} if needed == Needed::One && index + 1 == credentials.len() => {
                anonymous = true;
                None
            }
            Credential::Anonymous {} => {
                place.error(codes::CONFLICT, "`anonymous` can only be the last of any_of");
                None
            }
        };
        let Some(mut policy) = policy else { continue };
        for earlier in &mut compiled {
            earlier.share_place(&mut policy, &mut place);
        }
        compiled.push(policy);
    }
    // Credentials with mistakes of their own are no missing ones.
    if credentials.iter().all(|credential| matches!(credential, Credential::Anonymous {})) {
        place.error_with_hint(
            codes::MISSING_FIELD,
            "a credential is needed",
            "write `authenticate: anonymous` for a route that anybody may call",
        );
    }
    let mut seen = HashSet::new();
    for name in compiled.iter().flat_map(CredentialPolicy::proven_headers) {
        if !seen.insert(name.clone()) {
            place.error(codes::DUPLICATE, format!("two credentials set the header `{name}`"));
        }
    }
    AuthenticatePolicy::new(compiled.into(), needed, anonymous)
}

impl CredentialPolicy {
    /// The headers by which the backend gets what this proves.
    pub fn proven_headers(&self) -> impl Iterator<Item = &HeaderName> {
        let (pairs, copied): (&[(HeaderName, Box<str>)], &[HeaderName]) = match self {
            Self::ApiKey(policy) => (&policy.forward_metadata, &[]),
            Self::Jwt(policy) => (&policy.forward_claims, &[]),
            Self::ForwardAuth(policy) => (&[], &policy.copy),
            Self::Iam => (&[], &[]),
        };
        pairs.iter().map(|(name, _)| name).chain(copied)
    }

    /// The headers that no client may send because of this credential.
    pub fn identity_headers(&self) -> impl Iterator<Item = &HeaderName> {
        let consumer = match self {
            Self::ForwardAuth(policy) => Some(&policy.consumer_header),
            Self::ApiKey(_) | Self::Jwt(_) | Self::Iam => None,
        };
        self.proven_headers().chain(consumer)
    }

    /// The client's headers that are looked at.
    pub fn presented_headers(&self) -> impl Iterator<Item = &HeaderName> {
        let sent: &[HeaderName] = match self {
            Self::ForwardAuth(policy) => &policy.send,
            Self::ApiKey(_) | Self::Jwt(_) | Self::Iam => &[],
        };
        self.place().map(|place| &place.name).into_iter().chain(sent)
    }

    /// Where it stands, if in a header of its own.
    fn place(&self) -> Option<&HeaderPlace> {
        match self {
            Self::ApiKey(policy) => policy.place.as_ref(),
            Self::Jwt(policy) => Some(&policy.place),
            Self::Iam | Self::ForwardAuth(_) => None,
        }
    }

    /// Tells this and a later credential apart where they stand in one place.
    fn share_place(&mut self, later: &mut Self, place: &mut Place<'_>) {
        let places = self.place().zip(later.place());
        let is_shared = places.is_some_and(|(one, other)| one.is_shared_with(other));
        if places.is_some_and(|(one, other)| one.overlaps(other)) {
            place.error(
                codes::CONFLICT,
                "without a scheme this is every value of the header that another credential stands in",
            );
        }
        let is_twice = matches!((&*self, &*later), (Self::Iam, Self::Iam));
        match (self, later) {
            (Self::ApiKey(key), Self::Jwt(jwt)) | (Self::Jwt(jwt), Self::ApiKey(key)) if is_shared => {
                if jwt.issuers.iter().any(|issuer| issuer.introspects()) {
                    let message = "an opaque token cannot be told from an API key in the same header";
                    place.error(codes::CONFLICT, message);
                }
                jwt.place.shape = Shape::Token;
                if let Some(place) = &mut key.place {
                    place.shape = Shape::NoToken;
                }
            }
            _ if is_shared || is_twice => place.error(codes::CONFLICT, "two credentials of one kind in one place"),
            _ => {}
        }
    }

    /// Whether the backend never sees the credential.
    fn hides(&self) -> bool {
        match self {
            Self::ApiKey(policy) => policy.hide_credentials,
            Self::Jwt(policy) => policy.hide_credentials,
            Self::Iam | Self::ForwardAuth(_) => false,
        }
    }
}

impl AuthenticatePolicy {
    fn new(credentials: Box<[CredentialPolicy]>, needed: Needed, anonymous: bool) -> Self {
        let hidden_parameters = credentials.iter().filter_map(hidden_parameter).map(Into::into).collect();
        Self { credentials, needed, anonymous, hidden_parameters }
    }

    /// Whether a request that no IAM principal signed may pass.
    #[must_use]
    pub fn passes_unsigned(&self) -> bool {
        let is_iam = |credential: &CredentialPolicy| matches!(credential, CredentialPolicy::Iam);
        match self.needed {
            Needed::One => self.anonymous || !self.credentials.iter().all(is_iam),
            Needed::All => !self.credentials.iter().any(is_iam),
        }
    }

    /// Whether `iam` is one of several ways.
    #[must_use]
    pub fn mixes_iam(&self) -> bool {
        let has_iam = self.credentials.iter().any(|credential| matches!(credential, CredentialPolicy::Iam));
        has_iam && self.needed == Needed::One && (self.credentials.len() > 1 || self.anonymous)
    }

    /// Whether a request that is signed in its headers has no room for another credential that is needed beside `iam`.
    #[must_use]
    pub fn crowds_iam(&self) -> bool {
        let has_iam = self.credentials.iter().any(|credential| matches!(credential, CredentialPolicy::Iam));
        let crowds = |credential: &CredentialPolicy| {
            let in_query = matches!(credential, CredentialPolicy::ApiKey(policy) if policy.query.is_some());
            !in_query && credential.place().is_some_and(|place| place.name == header::AUTHORIZATION)
        };
        has_iam && self.needed == Needed::All && self.credentials.iter().any(crowds)
    }

    /// Removes the headers that carry hidden credentials.
    pub fn hide_headers(&self, headers: &mut HeaderMap) {
        for place in self.credentials.iter().filter(|credential| credential.hides()).filter_map(CredentialPolicy::place)
        {
            // A header with another scheme carries another credential, which is not this one's to hide.
            if headers.get_all(&place.name).iter().any(|value| place.credential_in(value.as_bytes()).is_some()) {
                headers.remove(&place.name);
            }
        }
    }

    /// The query byte for byte, without the pairs that carry hidden credentials; empty where there is none.
    #[must_use]
    pub fn visible_query<'q>(&self, query: Option<&'q str>) -> Cow<'q, str> {
        let query = query.unwrap_or_default();
        let is_hidden = |pair: &&str| {
            let name = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name);
            name.is_some_and(|name| self.hidden_parameters.iter().any(|hidden| **hidden == *name))
        };
        if self.hidden_parameters.is_empty() || !query.split('&').any(|pair| is_hidden(&pair)) {
            return Cow::Borrowed(query);
        }
        Cow::Owned(query.split('&').filter(|pair| !is_hidden(pair)).collect::<Vec<_>>().join("&"))
    }
}

/// The query parameter that carries a hidden key.
fn hidden_parameter(credential: &CredentialPolicy) -> Option<&str> {
    match credential {
        CredentialPolicy::ApiKey(policy) if policy.hide_credentials => policy.query.as_deref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Authenticate, CredentialPolicy};
    use crate::diagnostic::Report;

    #[test]
    fn a_bare_name_and_empty_fields_mean_the_same() {
        for (bare, fields) in [
            (json!("anonymous"), json!({"anonymous": {}})),
            (json!("iam"), json!({"iam": {}})),
            (json!("api_key"), json!({"api_key": {}})),
        ] {
            let bare: Authenticate = serde_json::from_value(bare).expect("a bare name");
            let fields: Authenticate = serde_json::from_value(fields).expect("fields");
            assert_eq!(bare, fields);
        }
        for wrong in [json!("any_of"), json!("api-key"), json!({"anonymous": {"x": 1}}), json!({}), json!(7)] {
            assert!(serde_json::from_value::<Authenticate>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn anonymous_is_the_last_resort_and_never_the_only_one() {
        let compile = |value| {
            let mut report = Report::default();
            let authenticate: Authenticate = serde_json::from_value(value).expect("credentials");
            (authenticate.compile(&mut report.entry("route", "r"), &|_, _| None), report.len())
        };
        let (policy, mistakes) = compile(json!({"any_of": ["api_key", "anonymous"]}));
        assert!(policy.anonymous && mistakes == 0);
        assert!(matches!(*policy.credentials, [CredentialPolicy::ApiKey(_)]));
        assert_eq!(compile(json!({"any_of": ["anonymous", "api_key"]})).1, 1);
        assert_eq!(compile(json!({"any_of": ["anonymous"]})).1, 1);
        assert_eq!(compile(json!({"any_of": []})).1, 1);
    }

    #[test]
    fn every_credential_has_a_place_of_its_own() {
        let compile = |value| {
            let mut report = Report::default();
            let authenticate: Authenticate = serde_json::from_value(value).expect("credentials");
            (authenticate.compile(&mut report.entry("route", "r"), &|_, _| None), report.into_diagnostics())
        };
        let bearer = json!({"api_key": {"header": "authorization", "scheme": "bearer"}});
        let (policy, mistakes) = compile(json!({"any_of": [bearer, {"jwt": {"issuers": ["main"]}}]}));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let [CredentialPolicy::ApiKey(key), CredentialPolicy::Jwt(jwt)] = &*policy.credentials else { panic!("two") };
        let key = key.place.as_ref().expect("a place");
        for (value, is_token) in [("Bearer e30.e30.AAAA", true), ("Bearer fg_abc", false), ("Bearer a.b.c!", false)] {
            assert_eq!(jwt.place.credential_in(value.as_bytes()).is_some(), is_token, "{value}");
            assert_eq!(key.credential_in(value.as_bytes()).is_some(), !is_token, "{value}");
        }
        for (wrong, code) in [
            (json!({"any_of": ["api_key", "api_key"]}), "conflict"),
            (json!({"all_of": ["iam", "iam"]}), "conflict"),
            (json!({"all_of": ["api_key", "anonymous"]}), "conflict"),
            (
                json!({"all_of": [{"jwt": {"issuers": ["a"], "forward_claims": {"x-a": "b"}}},
                               {"api_key": {"forward_metadata": {"x-a": "b"}}}]}),
                "duplicate",
            ),
            (
                json!({"any_of": [{"forward_auth": {"id": "a", "url": "https://a", "consumer_header": "x-user"}}]}),
                "missing_field",
            ),
            (json!({"any_of": [{"api_key": {"header": "authorization"}}, {"jwt": {"issuers": ["a"]}}]}), "conflict"),
            (
                json!({"forward_auth": {"id": "a", "url": "https://a", "consumer_header": "x-user", "send": ["x_a"]}}),
                "invalid_value",
            ),
            (json!({"jwt": {"issuers": []}}), "missing_field"),
            (json!({"jwt": {"issuers": ["a"], "forward_claims": {"host": "sub"}}}), "invalid_value"),
            (json!({"jwt": {"issuers": ["a"], "forward_claims": {"x-faregate-consumer": "sub"}}}), "invalid_value"),
            (json!({"jwt": {"issuers": ["a"], "from": {"header": "cookie"}}}), "invalid_value"),
            (json!({"forward_auth": {"id": "a", "url": "http://a", "consumer_header": "x-user"}}), "invalid_value"),
            (json!({"forward_auth": {"id": "a:b", "url": "https://a", "consumer_header": "x-user"}}), "invalid_value"),
            (
                json!({"forward_auth": {"id": "a", "url": "https://a", "consumer_header": "x-user", "cache_seconds": 5}}),
                "conflict",
            ),
        ] {
            let found: Vec<_> = compile(wrong.clone()).1.into_iter().map(|found| found.code).collect();
            assert_eq!(found, [code], "{wrong}");
        }
    }
}
