//! Holding an answer against what a case expects.

mod redirect;

use std::collections::BTreeMap;

use faregate_tests::{Answer, Seen};
use http::StatusCode;

use crate::model::{Case, Expect, UpstreamRequest};

/// What differs, in words; empty where nothing does. `scheme` is the one that the request was sent by.
pub(crate) fn differences(case: &Case, scheme: &str, answer: &Answer) -> Vec<String> {
    let expect = &case.expect;
    if let Some(difference) = status(expect, answer) {
        return vec![difference];
    }
    let mut differences = response_headers(expect, answer);
    if let Some(expected) = &expect.redirect {
        differences.extend(redirect::differences(expected, &case.request, scheme, answer));
    }
    // An answer of the gateway's own has no backend, whichever the request was meant for.
    let forwarded = expect.upstream_request.is_some() || (expect.backend.is_some() && answer.status.is_success());
    match answer.seen() {
        Some(seen) if forwarded => differences.extend(upstream(expect, &seen)),
        None if forwarded => differences.push("no backend answered".to_owned()),
        Some(_) | None => {}
    }
    differences
}

/// Whether the answer is a 405, with the methods that would do, where the Gateway API leaves it at 404.
pub(crate) fn names_the_methods(expect: &Expect, answer: &Answer) -> bool {
    answer.status == StatusCode::METHOD_NOT_ALLOWED
        && answer.header("allow").is_some()
        && accepted(expect).any(|status| status == 404)
        && accepted(expect).all(|status| status != 405)
}

fn accepted(expect: &Expect) -> impl Iterator<Item = u16> {
    expect.status.iter().chain(&expect.status_also_accepted).copied()
}

fn status(expect: &Expect, answer: &Answer) -> Option<String> {
    let got = answer.status.as_u16();
    let right = names_the_methods(expect, answer) || accepted(expect).any(|status| status == got);
    let expected: Vec<u16> = accepted(expect).collect();
    (!right).then(|| format!("status {got}, expected one of {expected:?}; the body is {}", answer.text()))
}

fn response_headers(expect: &Expect, answer: &Answer) -> Vec<String> {
    let got = |name: &str| answer.header(name).map(|value| without_blanks(&value));
    let exact = expect.response_headers.iter().map(|(name, value)| (name, std::slice::from_ref(value)));
    let one_of = expect.response_headers_one_of.iter().map(|(name, values)| (name, values.as_slice()));
    let wrong = exact.chain(one_of).filter_map(|(name, values)| {
        let got = got(name);
        let fits = got.as_ref().is_some_and(|got| values.iter().any(|value| without_blanks(value) == *got));
        (!fits).then(|| format!("response header {name} is {got:?}, expected one of {values:?}"))
    });
    let present = expect
        .absent_response_headers
        .iter()
        .filter_map(|name| got(name).map(|value| format!("response header {name} is {value:?}, expected none")));
    wrong.chain(present).collect()
}

fn upstream(expect: &Expect, seen: &Seen) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, got: Option<&str>, expected: &str| {
        if got != Some(expected) {
            differences.push(format!("upstream {what} is {got:?}, expected {expected:?}"));
        }
    };
    if let Some(backend) = &expect.backend {
        compare("backend", Some(&seen.backend), backend);
    }
    let Some(UpstreamRequest { method, path, query, host, headers, absent_headers }) = &expect.upstream_request else {
        return differences;
    };
    let parts = [
        ("method", Some(&*seen.method), method),
        ("path", Some(&*seen.path), path),
        ("query", seen.query.as_deref(), query),
        ("host", seen.values("host").first().copied(), host),
    ];
    for (what, got, expected) in parts {
        if let Some(expected) = expected {
            compare(what, got, expected);
        }
    }
    differences.extend(upstream_headers(headers, absent_headers, seen));
    differences
}

fn upstream_headers(headers: &BTreeMap<String, String>, absent: &[String], seen: &Seen) -> Vec<String> {
    let got = |name: &str| seen.header(name).map(|value| without_blanks(&value));
    let wrong = headers.iter().filter_map(|(name, value)| {
        let (got, expected) = (got(name), without_blanks(value));
        (got.as_ref() != Some(&expected)).then(|| format!("upstream header {name} is {got:?}, expected {expected:?}"))
    });
    let present = absent
        .iter()
        .filter_map(|name| got(name).map(|value| format!("upstream header {name} is {value:?}, expected none")));
    wrong.chain(present).collect()
}

/// A value without the blanks around its commas.
fn without_blanks(value: &str) -> String {
    value.split(',').map(str::trim).collect::<Vec<_>>().join(",")
}
