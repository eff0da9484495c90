//! What credentials have in common: where they stand in a request, and the headers that pass on what they prove.

use std::collections::BTreeMap;

use http::{HeaderName, header};

use crate::{
    diagnostic::{Place, codes},
    forwarding,
    jwt::looks_like_token,
};

/// The header that carries a credential, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderPlace {
    /// The header.
    pub name: HeaderName,
    /// The scheme before the credential, or nothing.
    pub scheme: Box<str>,
    pub(super) shape: Shape,
}

/// What a value must look like, where two credentials share a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// Anything: the place is not shared.
    #[default]
    Any,
    /// Three parts of base64url: a JWT.
    Token,
    /// Anything else: an API key.
    NoToken,
}

impl HeaderPlace {
    /// Reads header and scheme; reports at `header` and `scheme` below `place`.
    pub(super) fn compile(name: &str, scheme: &str, place: &mut Place<'_>) -> Option<Self> {
        let compiled = credential_header(name, &mut place.at("header"));
        if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte)) {
            place.at("scheme").error(codes::INVALID_VALUE, "a scheme is one word of RFC 9110 §11.1");
        }
        Some(Self { name: compiled?, scheme: scheme.into(), shape: Shape::Any })
    }

    /// The credential in a header's value: all of it, or what follows the scheme (RFC 9110 §11.4, in any case).
    ///
    /// `None` where the value has another scheme or belongs to the other credential of this place: then this one
    /// is not present.
    #[must_use]
    pub fn credential_in<'a>(&self, value: &'a [u8]) -> Option<&'a [u8]> {
        let credential = if self.scheme.is_empty() {
            value.trim_ascii()
        } else {
            let (scheme, rest) = value.trim_ascii().split_at_checked(self.scheme.len())?;
            let separated = rest.first() == Some(&b' ') || rest.is_empty();
            (separated && scheme.eq_ignore_ascii_case(self.scheme.as_bytes())).then(|| rest.trim_ascii())?
        };
        self.takes(credential).then_some(credential)
    }

    /// Whether a credential that stands here is this one, and not the other of this place.
    #[must_use]
    pub fn takes(&self, credential: &[u8]) -> bool {
        match self.shape {
            Shape::Any => true,
            Shape::Token => looks_like_token(credential),
            Shape::NoToken => !looks_like_token(credential),
        }
    }

    /// Whether one of two places without a scheme takes what the other looks at.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.name == other.name && self.scheme.is_empty() != other.scheme.is_empty()
    }

    /// Whether another place may hold the same value.
    pub(super) fn is_shared_with(&self, other: &Self) -> bool {
        self.name == other.name && self.scheme.eq_ignore_ascii_case(&other.scheme)
    }
}

/// A header that can carry a credential.
fn credential_header(text: &str, place: &mut Place<'_>) -> Option<HeaderName> {
    let Ok(name) = text.parse::<HeaderName>() else {
        place.error(codes::INVALID_VALUE, format!("`{text}` is no header name"));
        return None;
    };
    let means_else = [header::HOST, header::COOKIE, header::CONTENT_LENGTH].contains(&name);
    if means_else || is_stripped(&name) {
        place.error(codes::INVALID_VALUE, format!("`{text}` cannot carry a credential"));
        return None;
    }
    Some(name)
}

/// Whether no client's header of this name is ever looked at.
pub(super) fn is_stripped(name: &HeaderName) -> bool {
    name.as_str().contains('_') || forwarding::is_hop_by_hop(name) || forwarding::is_reserved(name)
}

/// Headers that pass on what a credential proves, each with the name of what it carries.
pub type ProvenHeaders = Box<[(HeaderName, Box<str>)]>;

/// Reads `{ header: name }`. The headers are identity headers: no client may send them anywhere.
pub(super) fn proven_headers(pairs: &BTreeMap<String, String>, place: &mut Place<'_>) -> ProvenHeaders {
    let mut compiled = Vec::with_capacity(pairs.len());
    for (header, name) in pairs {
        let mut place = place.at(header);
        compiled.extend(proven_header(header, &mut place).map(|header| (header, name.as_str().into())));
        if name.is_empty() {
            place.error(codes::MISSING_FIELD, "what the header carries is needed");
        }
    }
    compiled.into()
}

/// Whether clients send a header of this name for other reasons: as an identity header it would be taken from them all.
pub(super) fn has_other_uses(name: &HeaderName) -> bool {
    let is_tracing = matches!(name.as_str(), "traceparent" | "tracestate" | "x-request-id");
    let is_content = name.as_str().starts_with("content-") || name.as_str().starts_with("accept");
    let others = [header::HOST, header::COOKIE, header::AUTHORIZATION, header::VIA, header::ORIGIN];
    is_tracing || is_content || others.contains(name)
}

/// A name that a backend reads as nothing but this, and that survives the way there.
pub(super) fn proven_header(text: &str, place: &mut Place<'_>) -> Option<HeaderName> {
    let name = text.parse::<HeaderName>().ok().filter(|name| !has_other_uses(name) && !is_stripped(name));
    if name.is_none() {
        place.error(codes::INVALID_VALUE, format!("`{text}` cannot carry what a credential proves"));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::HeaderPlace;
    use crate::diagnostic::Report;

    #[test]
    fn a_scheme_is_compared_in_any_case_and_another_one_is_no_credential() {
        let mut report = Report::default();
        let place = HeaderPlace::compile("authorization", "Bearer", &mut report.entry("route", "r")).expect("a place");
        for (value, credential) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Bearer", Some("")),
            ("Bearerabc", None),
            ("Basic abc", None),
            ("Be", None),
        ] {
            assert_eq!(place.credential_in(value.as_bytes()), credential.map(str::as_bytes), "{value}");
        }
    }
}
