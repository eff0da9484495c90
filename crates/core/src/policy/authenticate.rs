//! Phase *authenticate*: which credentials a route takes.

use http::HeaderMap;
use serde::Deserialize;

use super::api_key::{ApiKey, ApiKeyPolicy};
use crate::{
    diagnostic::{Place, codes},
    document::choice,
};

/// Variants that may be written as bare names.
#[cfg(feature = "schema")]
const BARE_NAMES: &[&str] = &["anonymous", "api_key"];

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
    /// Holders of one of several credentials.
    AnyOf(Vec<Credential>),
}

choice::choice!(Authenticate);

/// One credential of `any_of`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = choice::BareNames(BARE_NAMES)))]
#[serde(remote = "Self", rename_all = "snake_case", deny_unknown_fields)]
pub enum Credential {
    /// None at all; only as the last one. A credential that is present must still be good.
    Anonymous {},
    /// An API key.
    ApiKey(ApiKey),
}

choice::choice!(Credential);

/// [`Authenticate`], compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticatePolicy {
    /// The credentials, in the order in which they decide who the caller is.
    pub credentials: Box<[CredentialPolicy]>,
    /// Whether a caller without any credential passes as anonymous.
    pub anonymous: bool,
}

/// One credential, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialPolicy {
    /// An API key.
    ApiKey(ApiKeyPolicy),
}

impl Authenticate {
    /// Compiles the credentials.
    pub fn compile(&self, place: &mut Place<'_>) -> AuthenticatePolicy {
        match self {
            Self::Anonymous {} => AuthenticatePolicy { credentials: Box::default(), anonymous: true },
            Self::ApiKey(key) => AuthenticatePolicy {
                credentials: Box::new([CredentialPolicy::ApiKey(key.compile(&mut place.at("api_key")))]),
                anonymous: false,
            },
            Self::AnyOf(credentials) => any_of(credentials, &mut place.at("any_of")),
        }
    }
}

fn any_of(credentials: &[Credential], place: &mut Place<'_>) -> AuthenticatePolicy {
    let mut compiled = Vec::with_capacity(credentials.len());
    let mut anonymous = false;
    for (index, credential) in credentials.iter().enumerate() {
        let mut place = place.at(index);
        match credential {
            Credential::ApiKey(key) => compiled.push(CredentialPolicy::ApiKey(key.compile(&mut place.at("api_key")))),
            Credential::Anonymous {} if index + 1 == credentials.len() => anonymous = true,
            Credential::Anonymous {} => place.error(codes::CONFLICT, "`anonymous` can only be the last of any_of"),
        }
    }
    if compiled.is_empty() {
        place.error_with_hint(
            codes::MISSING_FIELD,
            "any_of needs a credential",
            "write `authenticate: anonymous` for a route that anybody may call",
        );
    }
    AuthenticatePolicy { credentials: compiled.into(), anonymous }
}

impl AuthenticatePolicy {
    /// Removes the headers that carry hidden credentials.
    pub fn hide_headers(&self, headers: &mut HeaderMap) {
        for CredentialPolicy::ApiKey(place) in &self.credentials {
            let Some(name) = place.header.as_ref().filter(|_| place.hide_credentials) else { continue };
            // A header with another scheme carries another credential, which is not this one's to hide.
            if headers.get_all(name).iter().any(|value| place.key_in(value.as_bytes()).is_some()) {
                headers.remove(name);
            }
        }
    }

    /// The query byte for byte, without the pairs that carry hidden credentials.
    #[must_use]
    pub fn visible_query(&self, query: Option<&str>) -> String {
        let query = query.unwrap_or_default();
        let places = self.credentials.iter().map(|CredentialPolicy::ApiKey(place)| place);
        let hidden: Vec<&str> =
            places.filter(|place| place.hide_credentials).filter_map(|place| place.query.as_deref()).collect();
        if hidden.is_empty() {
            return query.to_owned();
        }
        let is_hidden = |pair: &&str| {
            let name = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name.into_owned());
            name.is_some_and(|name| hidden.contains(&name.as_str()))
        };
        query.split('&').filter(|pair| !is_hidden(pair)).collect::<Vec<_>>().join("&")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Authenticate, CredentialPolicy};
    use crate::diagnostic::Report;

    #[test]
    fn a_bare_name_and_empty_fields_mean_the_same() {
        for (bare, fields) in
            [(json!("anonymous"), json!({"anonymous": {}})), (json!("api_key"), json!({"api_key": {}}))]
        {
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
            (authenticate.compile(&mut report.entry("route", "r")), report.len())
        };
        let (policy, mistakes) = compile(json!({"any_of": ["api_key", "anonymous"]}));
        assert!(policy.anonymous && mistakes == 0);
        assert!(matches!(*policy.credentials, [CredentialPolicy::ApiKey(_)]));
        assert_eq!(compile(json!({"any_of": ["anonymous", "api_key"]})).1, 1);
        assert_eq!(compile(json!({"any_of": ["anonymous"]})).1, 1);
        assert_eq!(compile(json!({"any_of": []})).1, 1);
    }
}
