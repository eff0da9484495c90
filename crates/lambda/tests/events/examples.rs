//! The hand-made events, each against what stands beside it.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use faregate_lambda::event::{Decoded, decode};
use serde_json::{Value, json};

use crate::files;

#[test]
fn every_event_decodes_to_what_stands_beside_it() {
    let paths = files::examples();
    assert!(paths.len() >= 30, "only {} events", paths.len());
    for path in &paths {
        let expected = files::json(&path.with_extension("expected.json"));
        assert_eq!(restated(decode(&files::bytes(path)), path), sorted(expected), "{}", path.display());
    }
}

#[test]
fn every_kind_of_event_has_examples() {
    let paths = files::examples();
    for kind in ["function-url", "http-api", "rest", "alb", "invalid"] {
        let folder = files::examples_folder().join(kind);
        assert!(paths.iter().any(|path| path.starts_with(&folder)), "{kind}");
    }
}

/// What was decoded, in the words of an expectation.
fn restated(decoded: Decoded, path: &Path) -> Value {
    let request = match decoded.request {
        Ok(request) => request,
        Err(problem) => return json!({ "problem": problem.code.as_str() }),
    };
    let text = |value: &http::HeaderValue| String::from_utf8(value.as_bytes().to_vec());
    let headers = request.headers().iter().map(|(name, value)| json!([name.as_str(), text(value).expect("UTF-8")]));
    let body = (!request.body().is_empty()).then(|| STANDARD.encode(request.body()));
    assert!(request.uri().path().starts_with('/'), "{}", path.display());
    sorted(json!({
        "method": request.method().as_str(),
        "uri": request.uri().to_string(),
        "headers": headers.collect::<Vec<_>>(),
        "body_base64": body,
        "source_ip": decoded.peer.address.map(|address| address.to_string()),
        "iam_arn": decoded.peer.iam_arn,
    }))
}

/// The order of headers of different names means nothing; sorting is stable.
fn sorted(mut expectation: Value) -> Value {
    if let Some(headers) = expectation.get_mut("headers").and_then(Value::as_array_mut) {
        headers.sort_by_key(|pair| pair[0].as_str().map(str::to_owned));
    }
    expectation
}
