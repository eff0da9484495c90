//! Routes as they were written: the compiled ones keep no text.

use std::collections::HashMap;

use faregate_core::document::RawDocument;
use serde_json::{Map, Value};

/// Routes by id.
pub(super) struct Written<'a>(HashMap<&'a str, &'a Map<String, Value>>);

impl<'a> Written<'a> {
    /// Of a document.
    pub(super) fn of(raw: &'a RawDocument) -> Self {
        let id = |route: &'a Map<String, Value>| route.get("id").and_then(Value::as_str);
        Self(raw.routes.iter().filter_map(|route| Some((id(route)?, route))).collect())
    }

    /// A route's fields.
    pub(super) fn route(&self, id: &str) -> Option<&'a Map<String, Value>> {
        self.0.get(id).copied()
    }

    /// One field of a route.
    pub(super) fn field(&self, id: &str, name: &str) -> Option<&'a Value> {
        self.route(id)?.get(name)
    }

    /// One match entry of a route; `None` for a route that has none and matches any request.
    pub(super) fn entry(&self, id: &str, index: usize) -> Option<&'a Value> {
        self.field(id, "match")?.get(index)
    }
}
