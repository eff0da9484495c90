//! Checking what users wrote, every mistake at once (feature `compile`; the publisher and the CLI).
//!
//! Each entry is held against the JSON Schema of its kind, which is made from the document's types, so that
//! a mistake in one field hides none in another. What fits is deserialised and compiled, which resolves the
//! references and checks what no schema can say.

mod remainder;
mod schema;

pub use schema::{document_schema, entry_schema};

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use self::{remainder::Remainder, schema::Mistakes};

use crate::{
    diagnostic::{Diagnostic, Place, Report, Severity, codes, nearest},
    document::{
        Backend, Document, Entry, Issuer, Jwks, Kind, MatchEntry, PathMatch, Plan, RawDocument, Route, SETTINGS_ID,
        Settings, check_id,
    },
    policy::edge::EDGE_SECRET_BYTES_MIN,
    secret::SecretRef,
    snapshot::Snapshot,
};

/// Most bytes that all regexes of a document may compile to together (SECURITY.md 2).
pub const REGEX_BYTES_TOTAL_MAX: usize = 8 * 1024 * 1024;

/// What a check depends on besides the entries.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions {
    /// Whether secrets may stand in the document; for development only.
    pub allow_inline_secrets: bool,
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The document, if there is no error.
    pub document: Option<RawDocument>,
}

/// Checks entries together. `report` may hold findings from before, as of items that are no entries.
#[must_use]
pub fn check(entries: &[Entry], options: CheckOptions, mut report: Report) -> Checked {
    let mut document = Document::default();
    let mut remainders: BTreeMap<(Kind, String), Remainder> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for entry in entries {
        let mut place = report.entry(entry.kind.as_str(), &entry.id);
        if !seen.insert((entry.kind, entry.id.as_str())) && entry.kind == Kind::Settings {
            place.error(codes::DUPLICATE, "there are two settings entries");
        }
        let mistakes = schema::check_entry(entry, &mut place);
        if mistakes.is_empty() {
            if let Err(error) = deserialise(entry, &mut document) {
                report.entry(entry.kind.as_str(), &entry.id).error(codes::INVALID_VALUE, error);
            }
        } else if let Some(remainder) = deserialise_remainder(entry, mistakes, &mut document) {
            remainders.insert((entry.kind, entry.id.clone()), remainder);
        }
    }
    let mut further = Report::default();
    check_secrets(&document, options, &mut further);
    check_regexes(&document, &mut further);
    keep_known_references(entries, &mut document);
    let compiled = Snapshot::compile(&document, &mut further).is_some();
    for found in further.into_diagnostics() {
        match Kind::parse(&found.kind).and_then(|kind| remainders.get(&(kind, found.id.clone()))) {
            Some(remainder) => report.extend(remainder.as_of_entry(found)),
            None => report.extend([found]),
        }
    }
    let document = (compiled && !report.has_errors()).then(|| RawDocument::from_entries(entries));
    Checked { diagnostics: report.into_diagnostics(), document }
}

/// Adds an entry to the document.
fn deserialise(entry: &Entry, document: &mut Document) -> Result<(), serde_json::Error> {
    let fields = with_id(entry);
    match entry.kind {
        Kind::Settings => document.settings = serde_json::from_value::<Settings>(fields)?,
        Kind::Issuer => document.issuers.push(serde_json::from_value::<Issuer>(fields)?),
        Kind::Plan => document.plans.push(serde_json::from_value::<Plan>(fields)?),
        Kind::Backend => document.backends.push(serde_json::from_value::<Backend>(fields)?),
        Kind::Route => document.routes.push(serde_json::from_value::<Route>(fields)?),
    }
    Ok(())
}

/// Adds what is left of an entry without its mistaken parts, which are reported already; `None` where nothing
/// that makes sense is left.
fn deserialise_remainder(entry: &Entry, mistakes: Mistakes, document: &mut Document) -> Option<Remainder> {
    let mut remainder = Remainder::of(entry, mistakes);
    loop {
        // What is left may lack a part that it cannot be without: then it goes, too.
        let mut unsaid = Report::default();
        let mistakes = schema::check_entry(&remainder.entry, &mut unsaid.entry("", ""));
        if mistakes.is_empty() {
            break;
        }
        remainder = remainder.narrowed(entry, &mistakes)?;
    }
    deserialise(&remainder.entry, document).ok()?;
    Some(remainder)
}

fn with_id(entry: &Entry) -> Value {
    let mut fields = entry.fields.clone();
    if entry.kind != Kind::Settings {
        fields.insert("id".to_owned(), Value::String(entry.id.clone()));
    }
    Value::Object(fields)
}

/// A backend with a mistake of its own is there all the same: no route's reference to it is a second mistake.
fn keep_known_references(entries: &[Entry], document: &mut Document) {
    for entry in entries.iter().filter(|entry| entry.kind == Kind::Issuer) {
        if !document.issuers.iter().any(|issuer| issuer.id == entry.id) && check_id(&entry.id).is_ok() {
            document.issuers.push(stand_in_issuer(&entry.id));
        }
    }
    for entry in entries.iter().filter(|entry| entry.kind == Kind::Plan) {
        if !document.plans.iter().any(|plan| plan.id == entry.id) && check_id(&entry.id).is_ok() {
            document.plans.push(Plan { id: entry.id.clone(), description: String::new(), limits: Vec::new() });
        }
    }
    for entry in entries.iter().filter(|entry| entry.kind == Kind::Backend) {
        if !document.backends.iter().any(|backend| backend.id == entry.id) && check_id(&entry.id).is_ok() {
            let target = crate::document::Target { url: "http://unknown.invalid".to_owned(), weight: 1 };
            let (id, description) = (entry.id.clone(), String::new());
            document.backends.push(Backend { id, description, targets: vec![target], timeouts: Default::default() });
        }
    }
}

/// An issuer without mistakes, of which nobody has a token.
fn stand_in_issuer(id: &str) -> Issuer {
    Issuer {
        id: id.to_owned(),
        description: String::new(),
        issuer: format!("https://unknown.invalid/{id}"),
        audiences: vec!["unknown".to_owned()],
        algorithms: Vec::new(),
        jwks: Some(Jwks::Url("https://unknown.invalid".to_owned())),
        secret: None,
        introspection: None,
        leeway_seconds: 0,
        consumer_claim: "sub".to_owned(),
        plan_claim: String::new(),
        scopes_claim: String::new(),
        groups_claim: String::new(),
    }
}

fn check_secrets(document: &Document, options: CheckOptions, report: &mut Report) {
    for (index, value) in document.settings.edge.iter().flat_map(|edge| &edge.secret.values).enumerate() {
        let mut place = report.entry(Kind::Settings.as_str(), SETTINGS_ID);
        let mut place = place.at("edge");
        check_secret(value, EDGE_SECRET_BYTES_MIN, options, &mut place.at("secret").item("values", index));
    }
    for issuer in &document.issuers {
        let mut place = report.entry(Kind::Issuer.as_str(), &issuer.id);
        if let Some(secret) = &issuer.secret {
            check_secret(secret, issuer.secret_bytes_min(), options, &mut place.at("secret"));
        }
        if let Some(introspection) = &issuer.introspection {
            let mut place = place.at("introspection");
            check_secret(&introspection.client.secret, 1, options, &mut place.item("client", "secret"));
        }
    }
}

fn check_secret(secret: &SecretRef, bytes_min: usize, options: CheckOptions, place: &mut Place<'_>) {
    match secret {
        SecretRef::Inline(_) if !options.allow_inline_secrets => place.error_with_hint(
            codes::INVALID_VALUE,
            "a secret cannot stand in the document",
            "put it into SSM and write { ssm: NAME }",
        ),
        SecretRef::Ssm(name) if name.is_empty() => place.error(codes::INVALID_VALUE, "a parameter has a name"),
        SecretRef::Inline(value) if value.len() < bytes_min => {
            place.error(codes::INVALID_VALUE, format!("this secret has at least {bytes_min} bytes"));
        }
        SecretRef::Inline(_) | SecretRef::Ssm(_) => {}
    }
}

fn check_regexes(document: &Document, report: &mut Report) {
    let entries = document.routes.iter().flat_map(|route| route.r#match.iter().flatten());
    let of_claims = document.routes.iter().flat_map(|route| route.authorize.regexes());
    let total: usize = entries.flat_map(regexes).chain(of_claims).map(compiled_size).sum();
    if total > REGEX_BYTES_TOTAL_MAX {
        let message = format!("all regexes together compile to {total} bytes; {REGEX_BYTES_TOTAL_MAX} are allowed");
        report.entry(Kind::Settings.as_str(), SETTINGS_ID).error(codes::TOO_MANY, message);
    }
}

fn regexes(entry: &MatchEntry) -> impl Iterator<Item = &str> {
    let path = match &entry.path {
        Some(PathMatch::Regex(source)) => Some(source.as_str()),
        _ => None,
    };
    let headers = entry.headers.iter().filter_map(|header| header.regex.as_deref());
    path.into_iter().chain(headers).chain(entry.query.iter().filter_map(|parameter| parameter.regex.as_deref()))
}

/// The smallest power of two, from 1 KB on, into which a regex compiles; 0 for one that does not compile.
fn compiled_size(source: &str) -> usize {
    let compiles = |limit| regex::RegexBuilder::new(source).size_limit(limit).build().is_ok();
    (10..=18).map(|power| 1 << power).find(|limit| compiles(*limit)).unwrap_or_default()
}

/// Turns a stored item's `kind` into a known one, or says which one was probably meant.
pub fn known_kind(kind: &str, id: &str, report: &mut Report) -> Option<Kind> {
    let known = Kind::parse(kind);
    if known.is_none() {
        let names = Kind::ALL.map(Kind::as_str);
        let hint = match nearest(kind, names.into_iter()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the kinds are {}", names.join(", ")),
        };
        report.entry(kind, id).error_with_hint(codes::UNKNOWN_KIND, format!("there is no kind `{kind}`"), hint);
    }
    known
}

/// Splits the value of a whole file into entries; reports what is no section, list or entry.
///
/// Each entry comes with the JSON Pointer of its place in the file. One without an id, which is reported, has a
/// made-up one, so that its other mistakes come to light, too.
pub fn entries_of_file(file: &Value, report: &mut Report) -> Vec<(String, Entry)> {
    let mut entries = Vec::new();
    let sections = match file {
        Value::Object(sections) => sections,
        Value::Null => return entries,
        _ => {
            report
                .entry("document", "")
                .error(codes::WRONG_TYPE, "a document is a mapping of settings, issuers, plans, backends and routes");
            return entries;
        }
    };
    for (name, section) in sections {
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.section() == name) else {
            let hint =
                nearest(name, Kind::ALL.map(Kind::section).into_iter()).map(|near| format!("did you mean `{near}`?"));
            report.entry("document", "").error_at_pointer(
                &format!("/{name}"),
                codes::UNKNOWN_FIELD,
                format!("there is no section `{name}`"),
                hint,
            );
            continue;
        };
        match section {
            Value::Null => {}
            Value::Object(fields) if kind == Kind::Settings => {
                let entry = Entry { kind, id: SETTINGS_ID.to_owned(), fields: fields.clone() };
                entries.push((format!("/{name}"), entry));
            }
            Value::Array(items) if kind != Kind::Settings => {
                let ids: BTreeSet<&str> =
                    items.iter().filter_map(|item| item.get("id").and_then(Value::as_str)).collect();
                for (index, item) in items.iter().enumerate() {
                    let pointer = format!("/{name}/{index}");
                    let unnamed = || unnamed(index, &ids);
                    let entry = entry_of_item(kind, item, &pointer, unnamed, report);
                    entries.extend(entry.map(|entry| (pointer, entry)));
                }
            }
            _ => {
                let expected = if kind == Kind::Settings { "a mapping" } else { "a list" };
                report.entry("document", "").error_at_pointer(
                    &format!("/{name}"),
                    codes::WRONG_TYPE,
                    format!("`{name}` is {expected}"),
                    None,
                );
            }
        }
    }
    entries
}

/// An id for an item without one, which no other item of its section has.
fn unnamed(index: usize, ids: &BTreeSet<&str>) -> String {
    let mut id = format!("unnamed-{index}");
    while ids.contains(&*id) {
        id.push('-');
    }
    id
}

fn entry_of_item(
    kind: Kind,
    item: &Value,
    pointer: &str,
    unnamed: impl FnOnce() -> String,
    report: &mut Report,
) -> Option<Entry> {
    let mut place = report.entry("document", "");
    let Value::Object(fields) = item else {
        place.error_at_pointer(pointer, codes::WRONG_TYPE, format!("a {} is a mapping", kind.as_str()), None);
        return None;
    };
    let mut fields = fields.clone();
    match fields.remove("id") {
        Some(Value::String(id)) => return Some(Entry { kind, id, fields }),
        Some(_) => place.error_at_pointer(&format!("{pointer}/id"), codes::WRONG_TYPE, "an id is a string", None),
        None => {
            place.error_at_pointer(pointer, codes::MISSING_FIELD, format!("the {} has no `id`", kind.as_str()), None);
        }
    }
    Some(Entry { kind, id: unnamed(), fields })
}

/// Whether there is an error among diagnostics.
#[must_use]
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

#[cfg(test)]
mod tests;
