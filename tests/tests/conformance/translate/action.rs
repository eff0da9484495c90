//! What rules do: forward, redirect, or answer 500.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    NotApplicable,
    filters::{self, Filters},
    object,
};
use crate::{
    backends::Backends,
    model::{BackendRef, Rule, Timeouts},
};

/// The backends that the routes of a document need: by id, the server's name and its `response_ms`.
#[derive(Debug, Default)]
pub(super) struct BackendEntries(BTreeMap<String, (String, Option<u64>)>);

impl BackendEntries {
    /// The id of a backend with this time-out.
    fn id(&mut self, name: &str, response_ms: Option<u64>) -> String {
        let id = match response_ms {
            None => name.to_owned(),
            Some(millis) => format!("{name}.{millis}ms"),
        };
        self.0.insert(id.clone(), (name.to_owned(), response_ms));
        id
    }

    /// The entries; a server that was not started becomes a mistake of the document.
    pub(super) fn written(&self, servers: &Backends) -> Vec<Value> {
        let entry = |(id, (name, response_ms)): (&String, &(String, Option<u64>))| {
            let url = servers.get(name).map(faregate_tests::Backend::url).unwrap_or_default();
            let timeouts = response_ms.map(|millis| json!({ "response_ms": millis }));
            object([("id", Some(json!(id))), ("targets", Some(json!([{ "url": url }]))), ("timeouts", timeouts)])
        };
        self.0.iter().map(entry).collect()
    }
}

/// The fields of a route for what a rule does.
pub(super) fn fields(rule: &Rule, backends: &mut BackendEntries) -> Result<Map<String, Value>, NotApplicable> {
    if rule.retry.is_some() {
        return Err(NotApplicable::because("a document cannot ask for retries yet"));
    }
    let mut own = Filters::read(&rule.filters)?;
    let of_backends: Vec<Filters<'_>> =
        rule.backend_refs.iter().map(|backend| Filters::read(&backend.filters)).collect::<Result<_, _>>()?;
    match of_backends.as_slice() {
        [only] => own = own.and_of_only_backend(*only)?,
        several if several.iter().all(Filters::only_request_headers) => {}
        _ => return Err(NotApplicable::because("filters of one of several backends, other than for request headers")),
    }
    let mut fields = Map::new();
    fields.extend(own.cors.map(|cors| ("cors".to_owned(), filters::cors(cors))));
    let (name, action) = match own.redirect {
        Some(redirect) => ("redirect", filters::redirect(redirect)),
        // Nothing to forward to.
        None if rule.backend_refs.iter().all(|backend| backend.weight == 0) => ("respond", json!({ "status": 500 })),
        None => ("forward", forward(rule, own, &of_backends, backends)?),
    };
    fields.insert(name.to_owned(), action);
    Ok(fields)
}

fn forward(
    rule: &Rule,
    own: Filters<'_>,
    of_backends: &[Filters<'_>],
    backends: &mut BackendEntries,
) -> Result<Value, NotApplicable> {
    let Timeouts { request, backend_request } = &rule.timeouts;
    let timeout_ms = request.as_deref().map(milliseconds).transpose()?;
    let response_ms = backend_request.as_deref().map(milliseconds).transpose()?;
    let weighted = |(backend, filters): (&BackendRef, &Filters<'_>)| {
        object([
            ("id", Some(backends.id(&backend.name, response_ms).into())),
            ("weight", Some(backend.weight.into())),
            ("request_headers", filters.request_headers.map(filters::header_modifier)),
        ])
    };
    let weighted: Vec<Value> = rule.backend_refs.iter().zip(of_backends).map(weighted).collect();
    let host = own.rewrite.and_then(|rewrite| rewrite.hostname.as_deref());
    let path = own.rewrite.and_then(|rewrite| rewrite.path.as_ref());
    Ok(object([
        ("backends", Some(weighted.into())),
        ("host", Some(host.map_or_else(|| json!("preserve"), |name| json!({ "name": name })))),
        ("path", path.map(filters::path)),
        ("timeout_ms", timeout_ms.map(Value::from)),
        ("request_headers", own.request_headers.map(filters::header_modifier)),
        ("response_headers", own.response_headers.map(filters::header_modifier)),
    ]))
}

/// A duration of the Gateway API in one unit, such as `500ms` or `0s`.
fn milliseconds(text: &str) -> Result<u64, NotApplicable> {
    let parsed = match text.strip_suffix("ms") {
        Some(number) => number.parse().ok(),
        None => text.strip_suffix('s').and_then(|number| number.parse::<u64>().ok()).map(|seconds| seconds * 1000),
    };
    parsed.ok_or_else(|| NotApplicable(format!("the time-out `{text}`")))
}
