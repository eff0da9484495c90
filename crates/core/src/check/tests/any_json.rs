//! JSON of any shape.

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Value, json};

use super::super::{CheckOptions, check, entries_of_file, has_errors};
use crate::{diagnostic::Report, document::Document, snapshot::Snapshot};

/// JSON of any shape, often with the document's own words in it.
fn json_value() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "id",
        "match",
        "path",
        "prefix",
        "exact",
        "template",
        "regex",
        "methods",
        "headers",
        "query",
        "name",
        "present",
        "authenticate",
        "api_key",
        "any_of",
        "anonymous",
        "cors",
        "allow_origins",
        "forward",
        "backend",
        "backends",
        "respond",
        "redirect",
        "status",
        "targets",
        "url",
        "weight",
        "timeouts",
        "edge",
        "secret",
        "values",
        "inline",
        "ssm",
        "hosts",
        "access",
        "allow",
        "limits",
        "limit",
        "per",
        "minute",
        "by",
        "plan",
        "issuer",
        "issuers",
        "audiences",
        "jwks",
        "discover",
        "introspection",
        "client",
        "jwt",
        "all_of",
        "forward_auth",
        "iam",
        "authorize",
        "scopes",
        "all",
        "x",
        "/a",
        "/{x+}",
        "*",
        "",
        "replace",
        "strip_prefix",
        "http://h",
        "(",
        "{",
        "%zz",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(words.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())),
        ]
    })
}

/// A file of any shape; most have the sections of a document with up to three entries, some of the same kind and id.
fn any_file() -> impl Strategy<Value = Value> {
    let sections = prop::sample::select(vec!["settings", "issuers", "plans", "backends", "routes"]);
    let entry = (sections, prop::sample::select(vec!["x", "y", "Z z"]), json_value());
    let document = prop::collection::vec(entry, 0..4).prop_map(|entries| {
        let mut file = json!({});
        for (section, id, mut value) in entries {
            if section == "settings" {
                file[section] = value;
                continue;
            }
            if let Some(fields) = value.as_object_mut() {
                fields.insert("id".to_owned(), json!(id));
            }
            match &mut file[section] {
                Value::Array(entries) => entries.push(value),
                absent => *absent = json!([value]),
            }
        }
        file
    });
    prop_oneof![9 => document, 1 => json_value()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    #[test]
    fn any_json_at_all_gives_diagnostics_or_a_document_that_loads_and_never_a_panic(file in any_file()) {
        let mut report = Report::default();
        let entries: Vec<_> = entries_of_file(&file, &mut report).into_iter().map(|(_, entry)| entry).collect();
        let checked = check(&entries, CheckOptions::default(), report);
        assert_eq!(checked.document.is_none(), has_errors(&checked.diagnostics));
        if let Some(raw) = checked.document {
            // As an environment reads it.
            let bytes = serde_json::to_vec(&raw).expect("JSON");
            let document: Document = serde_json::from_slice(&bytes).expect("a document");
            assert!(Snapshot::compile(&document, &mut Report::default()).is_some());
        }
    }
}
