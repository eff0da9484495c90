//! Holding a `location` against what a case expects.

use faregate_tests::Answer;
use http::Uri;

use crate::{
    model::{Redirect, Request},
    run::ANY_HOST,
};

/// What differs. A missing member of `expected` is as in the request, which came by `scheme`.
pub(super) fn differences(expected: &Redirect, request: &Request, scheme: &str, answer: &Answer) -> Vec<String> {
    let Some(location) = answer.header("location") else {
        return vec!["there is no location".to_owned()];
    };
    let Ok(uri) = location.parse::<Uri>() else {
        return vec![format!("the location {location} is no URI")];
    };
    let got_scheme = uri.scheme_str().unwrap_or_default();
    let default_port = if got_scheme == "http" { "80" } else { "443" };
    let got_port = uri.port().map_or_else(|| default_port.to_owned(), |port| port.to_string());
    let asked_host = request.host.as_deref().unwrap_or(ANY_HOST);
    let asked_host = asked_host.split_once(':').map_or(asked_host, |(host, _)| host);
    let parts = [
        ("scheme", got_scheme, expected.scheme.as_deref().unwrap_or(scheme)),
        ("host", uri.host().unwrap_or_default(), expected.host.as_deref().unwrap_or(asked_host)),
        ("port", &*got_port, expected.port.as_deref().unwrap_or(default_port)),
        ("path", uri.path(), expected.path.as_deref().unwrap_or(&request.path)),
        ("query", uri.query().unwrap_or_default(), request.query.as_deref().unwrap_or_default()),
    ];
    let different = parts.into_iter().filter(|(_, got, expected)| got != expected);
    different.map(|(part, got, expected)| format!("{part} of {location} is {got:?}, expected {expected:?}")).collect()
}
