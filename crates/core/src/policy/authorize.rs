//! Phase *authorise*: what a caller must have been proven to be and to have.

use std::fmt;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    diagnostic::{Place, codes},
    matcher::compile_regex,
};

/// What a caller needs besides a credential. Every rule must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Authorize {
    /// Scopes of the credential.
    pub scopes: ScopeRules,
    /// Claims of the token; each must hold.
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub claims: Vec<ClaimRule>,
    /// Consumers, by their full names.
    pub consumers: NameRules,
    /// Groups of the credential.
    pub groups: NameRules,
}

/// Scopes of one credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ScopeRules {
    /// It must have all of these.
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub all: Vec<String>,
    /// It must have one of these; empty: any.
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub any: Vec<String>,
}

/// Names that may pass, and names that may not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NameRules {
    /// One of these is needed; empty: any.
    #[cfg_attr(feature = "schema", schemars(length(max = 1000)))]
    pub allow: Vec<String>,
    /// None of these may be there; wins over `allow`.
    #[cfg_attr(feature = "schema", schemars(length(max = 1000)))]
    pub deny: Vec<String>,
}

/// One claim and what it must be. Exactly one of `name` and `path`, and one of the tests.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ClaimRule {
    /// The claim's name, taken literally.
    pub name: Option<String>,
    /// The names on the way to a nested claim.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 16)))]
    pub path: Option<Vec<String>>,
    /// It is this text, number or boolean.
    pub equals: Option<Scalar>,
    /// It is one of these.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1000)))]
    pub one_of: Option<Vec<Scalar>>,
    /// It is a list, and this is in it.
    pub contains: Option<Scalar>,
    /// It is there, or with `false` it is not.
    pub present: Option<bool>,
    /// It is a text that matches this as a whole.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024)))]
    pub regex: Option<String>,
}

/// A text, a number or a boolean.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Scalar {
    /// A boolean.
    Boolean(bool),
    /// A number; 1 and 1.0 are the same.
    Number(serde_json::Number),
    /// A text.
    Text(String),
}

impl Scalar {
    fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Boolean(wanted), Value::Bool(value)) => wanted == value,
            // Whole numbers are compared as such: a float cannot tell large ones from their neighbours.
            (Self::Number(wanted), Value::Number(value)) if wanted.is_f64() || value.is_f64() => {
                wanted.as_f64() == value.as_f64()
            }
            (Self::Number(wanted), Value::Number(value)) => wanted == value,
            (Self::Text(wanted), Value::String(value)) => wanted == value,
            _ => false,
        }
    }
}

/// [`Authorize`], compiled.
#[derive(Clone, Debug, Default)]
pub struct AuthorizePolicy {
    rules: Box<[Rule]>,
}

/// What one credential of a caller brought.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The consumer that it proves.
    pub consumer: &'a str,
    /// Its scopes.
    pub scopes: &'a [Box<str>],
    /// Its groups.
    pub groups: &'a [Box<str>],
    /// Its claims, if it is a token.
    pub claims: Option<&'a Map<String, Value>>,
}

/// One rule. It holds if one credential alone meets it: scopes and groups belong to the credential that brought
/// them (SECURITY.md 6).
#[derive(Clone, Debug)]
pub enum Rule {
    /// None of these consumers.
    ConsumersDenied(Box<[Box<str>]>),
    /// One of these consumers.
    ConsumersAllowed(Box<[Box<str>]>),
    /// None of these groups.
    GroupsDenied(Box<[Box<str>]>),
    /// One of these groups.
    GroupsAllowed(Box<[Box<str>]>),
    /// All of `all` and, unless it is empty, one of `any`.
    Scopes {
        /// Each is needed.
        all: Box<[Box<str>]>,
        /// One is needed.
        any: Box<[Box<str>]>,
    },
    /// A claim.
    Claim {
        /// The names on the way to it.
        path: Box<[Box<str>]>,
        /// What it must be.
        test: ClaimTest,
    },
}

/// What a claim must be.
#[derive(Clone, Debug)]
pub enum ClaimTest {
    /// One of these scalars.
    OneOf(Box<[Scalar]>),
    /// A list with this in it.
    Contains(Scalar),
    /// There, or not there.
    Present(bool),
    /// A text of this form.
    Regex(Regex),
}

impl Authorize {
    /// Whether any rule is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The sources of the regexes.
    pub fn regexes(&self) -> impl Iterator<Item = &str> {
        self.claims.iter().filter_map(|claim| claim.regex.as_deref())
    }

    /// Reads the rules, those that deny first.
    pub fn compile(&self, place: &mut Place<'_>) -> AuthorizePolicy {
        let mut rules = Vec::new();
        let names = |list: &[String]| -> Box<[Box<str>]> { list.iter().map(|name| name.as_str().into()).collect() };
        let Self { scopes, claims, consumers, groups } = self;
        for (list, rule) in [
            (&consumers.deny, Rule::ConsumersDenied as fn(_) -> _),
            (&groups.deny, Rule::GroupsDenied),
            (&consumers.allow, Rule::ConsumersAllowed),
            (&groups.allow, Rule::GroupsAllowed),
        ] {
            if !list.is_empty() {
                rules.push(rule(names(list)));
            }
        }
        for (member, list) in [("all", &scopes.all), ("any", &scopes.any)] {
            for (index, _) in list.iter().enumerate().filter(|(_, scope)| !crate::jwt::is_scope(scope)) {
                let mut scopes = place.at("scopes");
                scopes.item(member, index).error(codes::INVALID_VALUE, "no scope of RFC 6749 §3.3");
            }
        }
        if !scopes.all.is_empty() || !scopes.any.is_empty() {
            rules.push(Rule::Scopes { all: names(&scopes.all), any: names(&scopes.any) });
        }
        for (index, claim) in claims.iter().enumerate() {
            rules.extend(claim.compile(&mut place.item("claims", index)));
        }
        AuthorizePolicy { rules: rules.into() }
    }
}

impl ClaimRule {
    fn compile(&self, place: &mut Place<'_>) -> Option<Rule> {
        let path: Option<Box<[Box<str>]>> = match (&self.name, &self.path) {
            (Some(name), None) if !name.is_empty() => Some(Box::new([name.as_str().into()])),
            (None, Some(path)) if !path.is_empty() => Some(path.iter().map(|name| name.as_str().into()).collect()),
            (Some(_), Some(_)) => {
                place.error(codes::CONFLICT, "name and path exclude each other");
                None
            }
            _ => {
                place.error(codes::MISSING_FIELD, "the claim's name or path is needed");
                None
            }
        };
        let regex = self.regex.as_deref().map(|source| match compile_regex(source) {
            Ok(regex) => Some(ClaimTest::Regex(regex)),
            Err(error) => {
                place.at("regex").error(codes::INVALID_VALUE, error);
                None
            }
        });
        let mut tests = [
            self.equals.clone().map(|value| Some(ClaimTest::OneOf(Box::new([value])))),
            self.one_of.clone().map(|values| Some(ClaimTest::OneOf(values.into()))),
            self.contains.clone().map(|value| Some(ClaimTest::Contains(value))),
            self.present.map(|present| Some(ClaimTest::Present(present))),
            regex,
        ]
        .into_iter()
        .flatten();
        let test = match (tests.next(), tests.next()) {
            (Some(test), None) => test,
            (None, _) => {
                place.error(codes::MISSING_FIELD, "one of equals, one_of, contains, present and regex is needed");
                None
            }
            (Some(_), Some(_)) => {
                place.error(codes::CONFLICT, "equals, one_of, contains, present and regex exclude each other");
                None
            }
        };
        Some(Rule::Claim { path: path?, test: test? })
    }
}

impl AuthorizePolicy {
    /// The rules in the order in which they are asked.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule that does not hold: the first one, but scopes before all others that do not deny. What is wanted must be
    /// met by one of `callers`, and all claims by the same one; what is denied may not be true of any of `proven`.
    #[must_use]
    pub fn broken(&self, callers: &[Subject<'_>], proven: &[Subject<'_>]) -> Option<&Rule> {
        let mut broken = self.rules.iter().filter(|rule| !rule.holds(callers, proven));
        if let Some(first) = broken.next() {
            // Scopes are the one thing that a client is told of, and can ask for.
            let denies = matches!(first, Rule::ConsumersDenied(_) | Rule::GroupsDenied(_));
            let scopes = broken.find(|rule| !denies && matches!(rule, Rule::Scopes { .. }));
            return Some(scopes.unwrap_or(first));
        }
        let mut claims = self.rules.iter().filter(|rule| matches!(rule, Rule::Claim { .. }));
        let by_one = callers.iter().any(|caller| claims.clone().all(|rule| rule.holds(&[*caller], proven)));
        if by_one { None } else { claims.next() }
    }
}

impl Rule {
    /// Whether the rule holds: for one of `callers` alone, and, where it denies, for all of `proven`.
    #[must_use]
    pub fn holds(&self, callers: &[Subject<'_>], proven: &[Subject<'_>]) -> bool {
        let has = |list: &[Box<str>], name: &str| list.iter().any(|listed| **listed == *name);
        let shares = |wanted: &[Box<str>], names: &[Box<str>]| names.iter().any(|name| has(wanted, name));
        match self {
            Self::ConsumersDenied(denied) => !proven.iter().any(|subject| has(denied, subject.consumer)),
            // The first credential says who calls.
            Self::ConsumersAllowed(allowed) => callers.first().is_some_and(|subject| has(allowed, subject.consumer)),
            Self::GroupsDenied(denied) => !proven.iter().any(|subject| shares(denied, subject.groups)),
            Self::GroupsAllowed(allowed) => callers.iter().any(|subject| shares(allowed, subject.groups)),
            Self::Scopes { all, any } => callers.iter().any(|subject| {
                all.iter().all(|scope| has(subject.scopes, scope)) && (any.is_empty() || shares(any, subject.scopes))
            }),
            Self::Claim { path, test: ClaimTest::Present(false) } => {
                let has_claim =
                    |subject: &Subject<'_>| subject.claims.is_some_and(|claims| find(claims, path).is_some());
                !proven.iter().any(has_claim)
            }
            Self::Claim { path, test } => {
                callers.iter().filter_map(|subject| subject.claims).any(|claims| test.holds(find(claims, path)))
            }
        }
    }
}

/// The claim at the end of a path of names.
fn find<'a>(claims: &'a Map<String, Value>, path: &[Box<str>]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(claims.get(&**first)?, |value, name| value.get(&**name))
}

impl ClaimTest {
    fn holds(&self, claim: Option<&Value>) -> bool {
        match (self, claim) {
            (Self::Present(wanted), claim) => *wanted == claim.is_some(),
            (_, None) => false,
            (Self::OneOf(values), Some(claim)) => values.iter().any(|value| value.is(claim)),
            (Self::Contains(value), Some(Value::Array(items))) => items.iter().any(|item| value.is(item)),
            (Self::Regex(regex), Some(Value::String(text))) => regex.is_match(text),
            (Self::Contains(_) | Self::Regex(_), Some(_)) => false,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConsumersDenied(names) => write!(f, "consumer none of {}", names.join(", ")),
            Self::ConsumersAllowed(names) => write!(f, "consumer one of {}", names.join(", ")),
            Self::GroupsDenied(names) => write!(f, "groups none of {}", names.join(", ")),
            Self::GroupsAllowed(names) => write!(f, "groups one of {}", names.join(", ")),
            Self::Scopes { all, any } if any.is_empty() => write!(f, "scopes all of {}", all.join(" ")),
            Self::Scopes { all, any } if all.is_empty() => write!(f, "scopes one of {}", any.join(" ")),
            Self::Scopes { all, any } => write!(f, "scopes all of {} and one of {}", all.join(" "), any.join(" ")),
            Self::Claim { path, test } => {
                let verb = match test {
                    ClaimTest::OneOf(values) if values.len() == 1 => "equals",
                    ClaimTest::OneOf(_) => "one_of",
                    ClaimTest::Contains(_) => "contains",
                    ClaimTest::Present(true) => "present",
                    ClaimTest::Present(false) => "absent",
                    ClaimTest::Regex(_) => "regex",
                };
                write!(f, "claim {} {verb}", path.join("."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{Authorize, Subject};
    use crate::diagnostic::Report;

    fn allows(rules: Value, scopes: &[&str], groups: &[&str], claims: Value) -> bool {
        let rules: Authorize = serde_json::from_value(rules).expect("rules");
        let mut report = Report::default();
        let policy = rules.compile(&mut report.entry("route", "r"));
        assert!(report.is_empty(), "{report:?}");
        let boxed = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect::<Vec<Box<str>>>();
        let claims: Map<String, Value> = claims.as_object().cloned().unwrap_or_default();
        let (scopes, groups) = (boxed(scopes), boxed(groups));
        let subject = Subject { consumer: "main:alice", scopes: &scopes, groups: &groups, claims: Some(&claims) };
        policy.broken(&[subject], &[subject]).is_none()
    }

    #[test]
    fn scopes_groups_and_consumers() {
        for (rules, expected) in [
            (json!({}), true),
            (json!({"scopes": {"all": ["a", "b"]}}), true),
            (json!({"scopes": {"all": ["a", "c"]}}), false),
            (json!({"scopes": {"any": ["c", "b"]}}), true),
            (json!({"scopes": {"any": ["c"]}}), false),
            (json!({"scopes": {"all": ["a"], "any": ["c"]}}), false),
            (json!({"consumers": {"allow": ["main:alice"]}}), true),
            (json!({"consumers": {"allow": ["alice"]}}), false),
            (json!({"consumers": {"allow": ["main:alice"], "deny": ["main:alice"]}}), false),
            (json!({"groups": {"allow": ["staff", "x"]}}), true),
            (json!({"groups": {"allow": ["x"]}}), false),
            (json!({"groups": {"allow": ["staff"], "deny": ["ops"]}}), false),
        ] {
            assert_eq!(allows(rules.clone(), &["a", "b"], &["staff", "ops"], json!({})), expected, "{rules}");
        }
    }

    #[test]
    fn claims_by_name_and_by_path() {
        let claims = json!({
            "tenant": "acme", "level": 3, "account": 1_234_567_890_123_456_789_u64, "admin": true, "a.b": "literal", "a": {"b": "nested", "list": ["x", 7]},
            "realm_access": {"roles": ["reader", "writer"]}, "nothing": null,
        });
        for (rule, expected) in [
            (json!({"name": "tenant", "equals": "acme"}), true),
            (json!({"name": "tenant", "equals": "ACME"}), false),
            (json!({"name": "tenant", "one_of": ["other", "acme"]}), true),
            (json!({"name": "level", "equals": 3}), true),
            (json!({"name": "level", "equals": 3.0}), true),
            (json!({"name": "level", "equals": "3"}), false),
            (json!({"name": "account", "equals": 1_234_567_890_123_456_788_u64}), false),
            (json!({"name": "account", "equals": 1_234_567_890_123_456_789_u64}), true),
            (json!({"name": "admin", "equals": true}), true),
            (json!({"name": "admin", "equals": "true"}), false),
            (json!({"name": "a.b", "equals": "literal"}), true),
            (json!({"path": ["a", "b"], "equals": "nested"}), true),
            (json!({"path": ["a", "list"], "contains": 7}), true),
            (json!({"path": ["realm_access", "roles"], "contains": "writer"}), true),
            (json!({"path": ["realm_access", "roles"], "contains": "admin"}), false),
            (json!({"name": "tenant", "contains": "acme"}), false),
            (json!({"name": "missing", "present": true}), false),
            (json!({"name": "missing", "present": false}), true),
            (json!({"name": "nothing", "present": true}), true),
            (json!({"name": "tenant", "present": false}), false),
            (json!({"name": "tenant", "regex": "ac.e"}), true),
            (json!({"name": "tenant", "regex": "ac"}), false),
            (json!({"name": "level", "regex": "3"}), false),
            (json!({"path": ["tenant", "x"], "present": false}), true),
        ] {
            assert_eq!(allows(json!({"claims": [rule]}), &[], &[], claims.clone()), expected, "{rule}");
        }
    }

    #[test]
    fn scopes_that_are_short_are_named_before_all_that_does_not_deny() {
        let wanted = json!({"scopes": {"all": ["write"]}, "claims": [{"name": "tenant", "equals": "acme"}]});
        let allowed = json!({"groups": {"allow": ["staff"]}, "consumers": {"allow": ["other"]}});
        for (more, expected) in [
            (json!({}), "scopes all of write"),
            (allowed.clone(), "scopes all of write"),
            (json!({"groups": {"allow": ["staff"], "deny": ["guests"]}}), "groups none of guests"),
            (json!({"consumers": {"deny": ["main:alice"]}}), "consumer none of main:alice"),
            (json!({"scopes": {"all": ["read"]}, "consumers": allowed["consumers"]}), "consumer one of other"),
        ] {
            let mut rules = wanted.clone();
            rules.as_object_mut().expect("rules").extend(more.as_object().expect("rules").clone());
            let rules: Authorize = serde_json::from_value(rules).expect("rules");
            let policy = rules.compile(&mut Report::default().entry("route", "r"));
            let (scopes, groups): ([Box<str>; 1], [Box<str>; 1]) = (["read".into()], ["guests".into()]);
            let subject = Subject { consumer: "main:alice", scopes: &scopes, groups: &groups, claims: None };
            let broken = policy.broken(&[subject], &[subject]).map(ToString::to_string);
            assert_eq!(broken.as_deref(), Some(expected), "{more}");
        }
    }

    #[test]
    fn a_rule_is_met_by_one_credential_alone() {
        let rules: Authorize = serde_json::from_value(json!({"scopes": {"all": ["a", "b"]}})).expect("rules");
        let policy = rules.compile(&mut Report::default().entry("route", "r"));
        let (a, b): ([Box<str>; 1], [Box<str>; 1]) = (["a".into()], ["b".into()]);
        let of = |scopes| Subject { consumer: "c", scopes, groups: &[], claims: None };
        assert!(policy.broken(&[of(&a), of(&b)], &[of(&a), of(&b)]).is_some());
        assert!(policy.broken(&[], &[]).is_some());
    }

    #[test]
    fn all_claims_are_one_tokens_and_none_of_any_may_be_denied() {
        let rules = json!({"claims": [{"name": "tenant", "equals": "acme"}, {"name": "role", "equals": "admin"}]});
        let absent = json!({"claims": [{"name": "suspended", "present": false}], "consumers": {"deny": ["two"]}});
        let compile = |rules: Value| {
            let rules: Authorize = serde_json::from_value(rules).expect("rules");
            rules.compile(&mut Report::default().entry("route", "r"))
        };
        let claims = |value: Value| value.as_object().cloned().expect("claims");
        let (one, two) = (claims(json!({"tenant": "acme"})), claims(json!({"role": "admin", "suspended": true})));
        let of = |consumer, claims| Subject { consumer, scopes: &[], groups: &[], claims: Some(claims) };
        let both = [of("one", &one), of("two", &two)];
        assert!(compile(rules).broken(&both, &both).is_some());
        assert!(compile(absent.clone()).broken(&both[..1], &both).is_some());
        assert!(compile(absent).broken(&both[..1], &both[..1]).is_none());
    }

    #[test]
    fn a_rule_without_a_test_or_with_two_is_a_mistake() {
        for rule in [
            json!({"name": "a"}),
            json!({"equals": "a"}),
            json!({"name": "a", "path": ["a"], "equals": "a"}),
            json!({"name": "a", "equals": "a", "present": true}),
            json!({"name": "a", "regex": "("}),
        ] {
            let rules: Authorize = serde_json::from_value(json!({"claims": [rule]})).expect("rules");
            let mut report = Report::default();
            rules.compile(&mut report.entry("route", "r"));
            assert_eq!(report.len(), 1, "{rule}");
        }
        let rules: Authorize = serde_json::from_value(json!({"scopes": {"any": ["a b"]}})).expect("rules");
        let mut report = Report::default();
        rules.compile(&mut report.entry("route", "r"));
        assert_eq!(report.len(), 1);
    }
}
