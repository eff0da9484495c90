//! Everything but host and path that an entry asks of a request.

use http::{HeaderMap, HeaderName, Method};
use regex::Regex;

use super::{MatchRequest, pattern::compile_regex};
use crate::{
    diagnostic::{Place, codes},
    document::MatchEntry,
};

/// Methods, headers and query of one entry, compiled.
#[derive(Debug, Default)]
pub struct Conditions {
    methods: Option<Box<[Method]>>,
    headers: Box<[(HeaderName, ValueTest)]>,
    query: Box<[(Box<str>, ValueTest)]>,
}

/// What a value must be.
#[derive(Debug)]
enum ValueTest {
    Exact(Box<str>),
    Regex(Regex),
    Present,
}

/// Some of the methods of RFC 9110 and RFC 5789.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MethodSet(u8);

impl MethodSet {
    const ALL: [Method; 7] =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH];

    /// Those of a list that a set can have.
    fn of(methods: &[Method]) -> Self {
        methods.iter().fold(Self::default(), |set, method| Self(set.0 | Self::bit(method)))
    }

    pub(super) fn contains(self, method: &Method) -> bool {
        self.0 & Self::bit(method) != 0
    }

    fn bit(method: &Method) -> u8 {
        Self::ALL.iter().position(|known| known == method).map_or(0, |place| 1 << place)
    }
}

impl Conditions {
    /// Reads the conditions of an entry.
    pub fn compile(entry: &MatchEntry, place: &mut Place<'_>) -> Self {
        let methods = entry.methods.as_ref().map(|methods| compile_methods(methods, &mut place.at("methods")));
        let mut headers = Vec::with_capacity(entry.headers.len());
        for (index, header) in entry.headers.iter().enumerate() {
            let mut place = place.item("headers", index);
            let test = value_test(header.exact.as_deref(), header.regex.as_deref(), header.present, &mut place);
            match header.name.parse::<HeaderName>() {
                Ok(name) if headers.iter().any(|(known, _)| *known == name) => {
                    place.at("name").error(codes::DUPLICATE, format!("`{name}` is matched twice"));
                }
                Ok(name) => headers.extend(test.map(|test| (name, test))),
                Err(_) => place.at("name").error(codes::INVALID_VALUE, format!("`{}` is no header name", header.name)),
            }
        }
        let mut query: Vec<(Box<str>, ValueTest)> = Vec::with_capacity(entry.query.len());
        for (index, parameter) in entry.query.iter().enumerate() {
            let mut place = place.item("query", index);
            let test =
                value_test(parameter.exact.as_deref(), parameter.regex.as_deref(), parameter.present, &mut place);
            if query.iter().any(|(known, _)| **known == *parameter.name) {
                place.at("name").error(codes::DUPLICATE, format!("`{}` is matched twice", parameter.name));
            } else {
                query.extend(test.map(|test| (parameter.name.as_str().into(), test)));
            }
        }
        Self { methods, headers: headers.into(), query: query.into() }
    }

    /// Whether headers and query fit.
    #[must_use]
    pub fn matches(&self, request: &MatchRequest<'_>) -> bool {
        self.missed_header(request).is_none() && self.missed_query(request).is_none()
    }

    /// Whether the query fits, whatever the headers.
    #[must_use]
    pub fn matches_but_headers(&self, request: &MatchRequest<'_>) -> bool {
        self.missed_query(request).is_none()
    }

    /// The methods that the entry asks for, if this one is not among them.
    #[must_use]
    pub fn refused_method(&self, method: &Method) -> Option<&[Method]> {
        self.methods.as_deref().filter(|methods| !methods.contains(method))
    }

    /// Methods of which each fits whatever else the request has; not necessarily all of them.
    pub(super) fn sufficient_methods(&self) -> MethodSet {
        if !self.headers.is_empty() || !self.query.is_empty() {
            return MethodSet::default();
        }
        MethodSet::of(self.methods.as_deref().unwrap_or(&MethodSet::ALL))
    }

    /// The first header that does not fit.
    pub(super) fn missed_header(&self, request: &MatchRequest<'_>) -> Option<&HeaderName> {
        self.headers.iter().find(|(name, test)| !header_fits(request.headers, name, test)).map(|(name, _)| name)
    }

    /// The first query parameter that does not fit.
    pub(super) fn missed_query(&self, request: &MatchRequest<'_>) -> Option<&str> {
        let fits = |(name, test): &&(Box<str>, ValueTest)| {
            let pairs = url::form_urlencoded::parse(request.query.unwrap_or_default().as_bytes());
            let mut values = pairs.filter(|(known, _)| **known == **name).map(|(_, value)| value);
            values.any(|value| test.fits(&value))
        };
        self.query.iter().find(|condition| !fits(condition)).map(|(name, _)| &**name)
    }

    pub(super) fn has_methods(&self) -> bool {
        self.methods.is_some()
    }

    pub(super) fn header_count(&self) -> usize {
        self.headers.len()
    }

    pub(super) fn query_count(&self) -> usize {
        self.query.len()
    }

    /// How many regexes stand in the conditions.
    pub(super) fn regex_count(&self) -> usize {
        let tests = self.headers.iter().map(|(_, test)| test).chain(self.query.iter().map(|(_, test)| test));
        tests.filter(|test| matches!(test, ValueTest::Regex(_))).count()
    }
}

fn compile_methods(methods: &[String], place: &mut Place<'_>) -> Box<[Method]> {
    if methods.is_empty() {
        place.error(codes::INVALID_VALUE, "an empty list matches nothing; leave `methods` out for any method");
    }
    let mut compiled = Vec::with_capacity(methods.len());
    for (index, text) in methods.iter().enumerate() {
        match Method::from_bytes(text.as_bytes()) {
            Ok(method) if method == Method::CONNECT || method == Method::TRACE => {
                place.at(index).error(codes::INVALID_VALUE, format!("`{method}` never reaches a route"));
            }
            Ok(method) if compiled.contains(&method) => {
                place.at(index).error(codes::DUPLICATE, format!("`{method}` stands twice"));
            }
            Ok(method) => {
                if method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) {
                    place.at(index).warning(codes::RISKY, format!("methods are case-sensitive: is `{method}` meant?"));
                }
                compiled.push(method);
            }
            Err(_) => place.at(index).error(codes::INVALID_VALUE, format!("`{text}` is no method")),
        }
    }
    compiled.into()
}

fn value_test(
    exact: Option<&str>,
    regex: Option<&str>,
    present: Option<bool>,
    place: &mut Place<'_>,
) -> Option<ValueTest> {
    match (exact, regex, present) {
        (Some(value), None, None) => Some(ValueTest::Exact(value.into())),
        (None, Some(source), None) => match compile_regex(source) {
            Ok(regex) => Some(ValueTest::Regex(regex)),
            Err(error) => {
                place.at("regex").error(codes::INVALID_VALUE, error);
                None
            }
        },
        (None, None, Some(true)) => Some(ValueTest::Present),
        (None, None, Some(false)) => {
            place.at("present").error(codes::INVALID_VALUE, "`present` can only be true");
            None
        }
        (None, None, None) => {
            place.error(codes::MISSING_FIELD, "one of exact, regex and present is needed");
            None
        }
        _ => {
            place.error(codes::CONFLICT, "exact, regex and present exclude each other");
            None
        }
    }
}

fn header_fits(headers: &HeaderMap, name: &HeaderName, test: &ValueTest) -> bool {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return false };
    // Latin-1, as in HTTP/1.1: every byte is a character.
    let text = |value: &http::HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect::<String>();
    let joined = values.fold(text(first), |joined, value| joined + "," + &text(value));
    test.fits(&joined)
}

impl ValueTest {
    fn fits(&self, value: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *value,
            Self::Regex(regex) => regex.is_match(value),
            Self::Present => true,
        }
    }
}
