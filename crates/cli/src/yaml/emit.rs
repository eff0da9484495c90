//! Values as YAML that reads back as the same values.

use serde_json::{Map, Value};

use super::scalar;
use crate::output::is_unprintable;

/// Longest list that is written in one line, in characters.
const FLOW_CHARACTERS_MAX: usize = 80;
/// Longest key that is written before its colon; YAML takes 1024 characters.
const PLAIN_KEY_BYTES_MAX: usize = 512;

/// Writes a value as one document, with a line break at its end.
///
/// Text is quoted wherever some reader of YAML 1.1 or 1.2 could take it for something else, and
/// unprintable characters are spelled out.
pub(crate) fn emit(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => mapping(&mut out, members, 0),
        Value::Array(items) if is_block(items) => list(&mut out, items, 0),
        _ => {
            out.push_str(&inline(value));
            out.push('\n');
        }
    }
    out
}

/// Members at an indentation; the first one stands where the text ends.
fn mapping(out: &mut String, members: &Map<String, Value>, indent: usize) {
    for (index, (name, value)) in ordered(members).into_iter().enumerate() {
        if index > 0 {
            pad(out, indent);
        }
        let key = text(name);
        if key.len() > PLAIN_KEY_BYTES_MAX {
            out.push_str("? ");
            out.push_str(&key);
            out.push('\n');
            pad(out, indent);
        } else {
            out.push_str(&key);
        }
        out.push(':');
        match value {
            Value::Object(members) if !members.is_empty() => {
                out.push('\n');
                pad(out, indent + 2);
                mapping(out, members, indent + 2);
            }
            Value::Array(items) if is_block(items) => {
                out.push('\n');
                pad(out, indent + 2);
                list(out, items, indent + 2);
            }
            _ => {
                out.push(' ');
                out.push_str(&inline(value));
                out.push('\n');
            }
        }
    }
}

/// Items at an indentation; the first one stands where the text ends.
fn list(out: &mut String, items: &[Value], indent: usize) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            pad(out, indent);
        }
        out.push_str("- ");
        match item {
            Value::Object(members) if !members.is_empty() => mapping(out, members, indent + 2),
            Value::Array(items) if is_block(items) => list(out, items, indent + 2),
            _ => {
                out.push_str(&inline(item));
                out.push('\n');
            }
        }
    }
}

/// `id` and what says what an entry is about come first; the rest is in order of its names.
fn ordered(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    const FIRST: [&str; 9] =
        ["settings", "backends", "routes", "id", "description", "name", "path", "enabled", "hosts"];
    let mut ordered: Vec<_> = members.iter().collect();
    let place = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    ordered.sort_by_key(|(name, _)| (place(name), *name));
    ordered
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Whether a list is written item by item.
fn is_block(items: &[Value]) -> bool {
    let is_collection = |item: &Value| match item {
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => false,
    };
    items.iter().any(is_collection) || flow(items).chars().count() > FLOW_CHARACTERS_MAX
}

fn flow(items: &[Value]) -> String {
    format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
}

/// A scalar, an empty collection or a short list.
fn inline(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(value) => text(value),
        Value::Array(items) => flow(items),
        Value::Object(_) => "{}".to_owned(),
    }
}

fn text(value: &str) -> String {
    if is_plain(value) { value.to_owned() } else { quoted(value) }
}

/// Whether text is itself when it stands without quotes, whoever reads it, in a flow collection too.
fn is_plain(value: &str) -> bool {
    const YAML_1_1: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];
    let starts = value.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '_'));
    let ends = value.ends_with(|last: char| last.is_ascii_alphanumeric() || matches!(last, '/' | '_' | '*' | '.'));
    let plain = |char: char| char.is_ascii_alphanumeric() || "/_-.+*@ :".contains(char);
    starts
        && ends
        && value.chars().all(plain)
        && !value.contains(": ")
        && !YAML_1_1.contains(&value.to_ascii_lowercase().as_str())
        && scalar::resolve(value) == Ok(Value::String(value.to_owned()))
}

/// Double-quoted style (YAML 1.2 §7.3.1).
fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for char in value.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // All of these lie in the first plane.
            _ if is_unprintable(char) => out.push_str(&format!("\\u{:04X}", u32::from(char))),
            _ => out.push(char),
        }
    }
    out.push('"');
    out
}
