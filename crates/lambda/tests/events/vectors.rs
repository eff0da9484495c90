//! Events collected from public repositories, where the folder with them is at hand.
//!
//! `FAREGATE_VECTORS` names the folder; without it, `../shared/vectors` beside the workspace is looked for.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use faregate_core::problem::Code;
use faregate_lambda::event::{EventSource, decode};
use http::Request;
use serde_json::Value;

use crate::files;

/// The folder, if there is one; says so where there is none.
#[allow(clippy::disallowed_methods, reason = "tests are told by the environment where the vectors are")]
#[allow(clippy::print_stderr, reason = "that nothing was covered is part of the result")]
fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let named = std::env::var_os("FAREGATE_VECTORS").filter(|folder| !folder.is_empty());
    let folder = named.map_or_else(beside, PathBuf::from).join("aws-events");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("aws-events is absent (FAREGATE_VECTORS names its folder): nothing was run");
    None
}

#[test]
#[allow(clippy::print_stderr, reason = "how much was covered is part of the result")]
fn every_collected_event_is_decoded_or_refused() {
    let Some(folder) = folder() else { return };
    let index = files::json(&folder.join("INDEX.json"));
    let events = index.as_array().expect("a list");
    assert!(!events.is_empty());
    let (mut decoded_count, mut refused) = (0, Vec::new());
    for event in events {
        let file = event["file"].as_str().expect("a file name");
        let decoded = decode(&files::bytes(&folder.join(file)));
        let kind = file.split('/').next().unwrap_or_default();
        match decoded.request {
            Ok(_) => {
                let is_right = match decoded.source {
                    EventSource::FunctionUrl => kind == "function-url",
                    EventSource::HttpApi => kind == "http-api-v2",
                    EventSource::Rest => kind == "rest-v1",
                    EventSource::Alb { .. } => kind == "alb",
                    EventSource::Unknown => false,
                };
                assert!(is_right, "{file} is taken for {:?}", decoded.source);
                decoded_count += 1;
            }
            Err(problem) => {
                assert_eq!(problem.code, Code::RequestInvalid, "{file}");
                refused.push(format!("{file}: {}", problem.cause));
            }
        }
    }
    eprintln!("{} events: {decoded_count} decoded, {} refused", events.len(), refused.len());
    for line in refused {
        eprintln!("  {line}");
    }
    assert!(decoded_count > 0);
}

#[test]
#[allow(clippy::print_stderr, reason = "how much was covered is part of the result")]
fn collected_expectations_hold() {
    let Some(folder) = folder() else { return };
    let expected = files::json(&folder.join("EXPECTED-HTTP.json"));
    let rows = expected["rows"].as_array().expect("rows");
    assert!(!rows.is_empty());
    for row in rows {
        let file = row["event"].as_str().expect("a file name");
        let event = files::json(&folder.join(file));
        let request = decode(&files::bytes(&folder.join(file))).request;
        let request = request.unwrap_or_else(|problem| panic!("{file}: {}", problem.cause));
        check(row, event["requestContext"]["stage"].as_str(), &request, file);
    }
    eprintln!("{} expectations hold", rows.len());
}

/// Holds a request against every member that a row has.
fn check(row: &Value, stage: Option<&str>, request: &Request<Bytes>, file: &str) {
    // A named stage is no part of the path here.
    let without_stage =
        |text: &str| stage.map_or(text.to_owned(), |stage| text.replacen(&format!("/{stage}/"), "/", 1));
    let query = request.uri().query().unwrap_or_default();
    for (member, expected) in row.as_object().expect("an object") {
        let text = expected.as_str().unwrap_or_default();
        match member.as_str() {
            "event" => {}
            "method" => assert_eq!(request.method(), text, "{file}"),
            "url" => assert_eq!(request.uri().to_string(), without_stage(text), "{file}"),
            "path" => assert_eq!(request.uri().path(), without_stage(text), "{file}"),
            // RFC 6265 wants a space behind the semicolon.
            "cookie" => assert_eq!(request.headers()["cookie"], text.replace(';', "; "), "{file}"),
            "query_contains" => {
                for part in expected.as_array().expect("a list") {
                    assert!(query.contains(part.as_str().expect("text")), "{file}: {query}");
                }
            }
            "decoded_query" => assert_eq!(serde_json::json!(decoded(query)), *expected, "{file}"),
            _ => panic!("{file}: unknown expectation {member}"),
        }
    }
}

/// Names and their values, percent-decoded.
fn decoded(query: &str) -> BTreeMap<String, Vec<String>> {
    let mut values = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()).into_owned() {
        values.entry(name).or_default().push(value);
    }
    values
}
