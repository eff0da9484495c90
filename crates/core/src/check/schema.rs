//! Entries against the JSON Schema of their kind.

use std::{collections::BTreeSet, fmt::Display, sync::OnceLock};

use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Value, json};

use crate::{
    diagnostic::{Place, codes, nearest},
    document::{Backend, Document, Entry, Issuer, Kind, Plan, Route, Settings},
};

/// The JSON Schema (2020-12) of a whole file.
#[must_use]
pub fn document_schema() -> Schema {
    let mut schema = schema_of::<Document>();
    schema.insert("title".to_owned(), json!("Faregate document"));
    schema
}

/// The JSON Schema of one entry of a kind.
#[must_use]
pub fn entry_schema(kind: Kind) -> Schema {
    match kind {
        Kind::Settings => schema_of::<Settings>(),
        Kind::Issuer => schema_of::<Issuer>(),
        Kind::Plan => schema_of::<Plan>(),
        Kind::Backend => schema_of::<Backend>(),
        Kind::Route => schema_of::<Route>(),
    }
}

fn schema_of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_null));
    settings.into_generator().into_root_schema_for::<T>()
}

/// An optional field may be left out, and is never null.
fn without_null(schema: &mut Schema) {
    let Some(members) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            members.insert("type".to_owned(), only);
        }
    }
    if members.get("default").is_some_and(Value::is_null) {
        members.remove("default");
    }
    if let Some(Value::Array(names)) = members.get_mut("enum") {
        names.retain(|name| !name.is_null());
    }
    if let Some(Value::Array(branches)) = members.get_mut("anyOf") {
        branches.retain(|branch| branch["type"] != "null");
        if let [Value::Object(only)] = branches.as_mut_slice() {
            let only = std::mem::take(only);
            members.remove("anyOf");
            for (name, member) in only {
                members.entry(name).or_insert(member);
            }
        }
    }
}

fn validator(kind: Kind) -> Option<&'static Validator> {
    static VALIDATORS: [OnceLock<Option<Validator>>; Kind::ALL.len()] = [const { OnceLock::new() }; Kind::ALL.len()];
    let compile = || jsonschema::validator_for(entry_schema(kind).as_value()).ok();
    VALIDATORS[kind as usize].get_or_init(compile).as_ref()
}

/// JSON Pointers of what does not fit the schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mistakes {
    /// Values that are none.
    pub(super) wrong: BTreeSet<String>,
    /// Members that are needed and not there.
    pub(super) missing: BTreeSet<String>,
}

impl Mistakes {
    /// Whether everything fits.
    pub(super) fn is_empty(&self) -> bool {
        self.wrong.is_empty() && self.missing.is_empty()
    }

    /// Every pointer.
    pub(super) fn iter(&self) -> impl Iterator<Item = &String> {
        self.wrong.iter().chain(&self.missing)
    }
}

/// Reports everything in an entry that does not fit the schema, and yields where it lies.
pub(super) fn check_entry(entry: &Entry, place: &mut Place<'_>) -> Mistakes {
    let mut findings = Findings { place, mistakes: Mistakes::default() };
    let value = super::with_id(entry);
    let Some(validator) = validator(entry.kind) else {
        findings.error("", codes::MALFORMED, "the schema of this kind cannot be compiled", None);
        return findings.mistakes;
    };
    report_nulls(&value, "", &mut findings);
    for error in validator.iter_errors(&value).filter(|error| !error.instance().is_null()) {
        report(&error, &mut findings);
    }
    findings.mistakes
}

/// What is found in an entry: for its reader, and for the checks that follow.
struct Findings<'a, 'b> {
    place: &'a mut Place<'b>,
    mistakes: Mistakes,
}

impl Findings<'_, '_> {
    /// A value that is none.
    fn error(&mut self, pointer: &str, code: &str, message: impl Display, hint: Option<String>) {
        self.place.error_at_pointer(pointer, code, message, hint);
        self.mistakes.wrong.insert(pointer.to_owned());
    }

    /// A member that the mapping at `pointer` needs; it is reported there, since it has no place of its own.
    fn missing(&mut self, pointer: &str, name: &str, hint: Option<String>) {
        self.place.error_at_pointer(pointer, codes::MISSING_FIELD, format!("`{name}` is missing"), hint);
        self.mistakes.missing.insert(format!("{pointer}/{name}"));
    }
}

/// Reports every null: an empty `hosts:` must not mean any host.
fn report_nulls(value: &Value, pointer: &str, findings: &mut Findings<'_, '_>) {
    match value {
        Value::Null => {
            let hint = Some("leave the field out".to_owned());
            findings.error(pointer, codes::WRONG_TYPE, "null is no value", hint);
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                report_nulls(item, &format!("{pointer}/{index}"), findings);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                report_nulls(member, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), findings);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn report(error: &ValidationError<'_>, findings: &mut Findings<'_, '_>) {
    let pointer = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for name in unexpected {
                let at = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                let near = nearest(name, field_names().iter().map(String::as_str));
                let hint = near.filter(|near| *near != name).map(|near| format!("did you mean `{near}`?"));
                findings.error(&at, codes::UNKNOWN_FIELD, format!("there is no field `{name}` here"), hint);
            }
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let hint = (name == "authenticate")
                .then(|| "write `authenticate: anonymous` for a route that anybody may call".to_owned());
            findings.missing(pointer, name, hint);
        }
        ValidationErrorKind::Type { kind } => {
            let message = format!("expected {}, found {}", expected_type(kind), type_name(error.instance()));
            findings.error(pointer, codes::WRONG_TYPE, message, None);
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            report_choice(error, context, findings);
        }
        _ => findings.error(pointer, codes::INVALID_VALUE, error.masked_with("the value"), None),
    }
}

/// Every name that a field has anywhere in a document.
fn field_names() -> &'static BTreeSet<String> {
    static NAMES: OnceLock<BTreeSet<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names = BTreeSet::new();
        collect_field_names(document_schema().as_value(), &mut names);
        names
    })
}

fn collect_field_names(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                names.extend(properties.keys().cloned());
            }
            members.values().for_each(|member| collect_field_names(member, names));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_field_names(item, names)),
        _ => {}
    }
}

/// Says of a choice what is wrong with the branch that was meant, or that there is no such branch.
fn report_choice(
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
    findings: &mut Findings<'_, '_>,
) {
    let pointer = error.instance_path().as_str();
    let is_deeper = |error: &ValidationError<'_>| error.instance_path().as_str().len() > pointer.len();
    let is_meant = |branch: &&Vec<ValidationError<'static>>| {
        !branch.is_empty() && !branch.iter().any(|error| is_of_other_branch(error, pointer))
    };
    // A mistake within says which branch it is within.
    let within = context.iter().find(|branch| !branch.is_empty() && branch.iter().all(is_deeper));
    let meant = within.or_else(|| context.iter().find(is_meant));
    if let Some(branch) = meant {
        for error in branch {
            report(error, findings);
        }
        return;
    }
    let names = branch_names(context);
    if names.is_empty() {
        let expected = expected_types(context);
        let message = format!("expected {}, found {}", expected.join(" or "), type_name(error.instance()));
        findings.error(pointer, codes::WRONG_TYPE, message, None);
        return;
    }
    let presented = match error.instance().as_ref() {
        Value::String(name) => Some(name.as_str()),
        Value::Object(fields) if fields.len() == 1 => fields.keys().next().map(String::as_str),
        _ => None,
    };
    let listed = names.join(", ");
    let (message, hint) = match presented {
        Some(name) if names.iter().any(|known| known == name) => (format!("`{name}` needs its fields"), None),
        Some(name) => {
            let near = nearest(name, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
            (format!("there is no `{name}` here; choose one of {listed}"), near)
        }
        None => (format!("expected exactly one of {listed}, found {}", type_name(error.instance())), None),
    };
    findings.error(pointer, codes::INVALID_VALUE, message, hint);
}

/// Whether an error says no more than that another branch is meant.
fn is_of_other_branch(error: &ValidationError<'_>, pointer: &str) -> bool {
    if error.instance_path().as_str().len() > pointer.len() {
        return false;
    }
    match error.kind() {
        ValidationErrorKind::Required { .. }
        | ValidationErrorKind::Enum { .. }
        | ValidationErrorKind::Type { .. }
        | ValidationErrorKind::Constant { .. } => true,
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            context.iter().all(|branch| branch.iter().any(|error| is_of_other_branch(error, pointer)))
        }
        _ => false,
    }
}

/// The types that the branches take.
fn expected_types(context: &[Vec<ValidationError<'static>>]) -> Vec<String> {
    let mut types: Vec<String> = Vec::new();
    for error in context.iter().flatten() {
        if let ValidationErrorKind::Type { kind } = error.kind() {
            let name = expected_type(kind);
            if !types.contains(&name) {
                types.push(name);
            }
        }
    }
    types
}

fn expected_type(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(single) => single.to_string(),
        TypeKind::Multiple(several) => several.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(" or "),
    }
}

/// The names of a choice's branches: what an object must have, and what a string may be.
fn branch_names(context: &[Vec<ValidationError<'static>>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for error in context.iter().flatten() {
        match error.kind() {
            ValidationErrorKind::Required { property } => names.extend(property.as_str().map(str::to_owned)),
            ValidationErrorKind::Constant { expected_value } => {
                names.extend(expected_value.as_str().map(str::to_owned));
            }
            ValidationErrorKind::Enum { options } => {
                names.extend(
                    options.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)),
                );
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                names.extend(branch_names(context));
            }
            _ => {}
        }
    }
    names.sort();
    names.dedup();
    names
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
