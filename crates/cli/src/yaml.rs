//! YAML in and out.
//!
//! Reading works on the parser's events rather than on a finished tree: so every mapping key has its place,
//! a key that stands twice is seen, and depth and aliases are bounded while they are read. Only what JSON
//! can say is taken: tags, keys that are no strings, and numbers that are none are mistakes.

mod builder;
mod emit;
mod places;
mod scalar;

#[cfg(test)]
mod tests;

pub(crate) use emit::emit;
pub(crate) use places::{Location, Places};

use faregate_core::diagnostic::{Diagnostic, Severity, codes};
use saphyr_parser::Parser;
use serde_json::Value;

use builder::{Builder, Stop};

/// Deepest nesting; no document needs half of it.
pub(crate) const DEPTH_MAX: usize = 64;
/// Most nodes that aliases and their anchors may stand for.
pub(crate) const ALIASED_NODES_MAX: usize = 100_000;

/// What a text says.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The value, unless the text is no YAML at all.
    pub(crate) value: Option<Value>,
    /// Where its parts stand.
    pub(crate) places: Places,
    /// What is wrong with the YAML itself.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads a text with at most one document.
pub(crate) fn load(bytes: &[u8]) -> Loaded {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            return broken(places::end_of(&before), codes::MALFORMED, "the file is not UTF-8");
        }
    };
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let at = Location::of(error.marker());
                return broken(at, codes::MALFORMED, format!("no YAML: {}", error.info()));
            }
        };
        if let Err(Stop { at, code, message }) = builder.event(event, span) {
            return broken(at, code, message);
        }
    }
    let (value, places, diagnostics) = builder.finish();
    Loaded { value: Some(value), places, diagnostics }
}

fn broken(at: Location, code: &str, message: impl Into<String>) -> Loaded {
    let diagnostics = vec![diagnostic(at, "", code, message)];
    Loaded { value: None, places: Places::default(), diagnostics }
}

/// A finding about the file rather than about one of its entries.
fn diagnostic(at: Location, pointer: &str, code: &str, message: impl Into<String>) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: code.to_owned(),
        kind: "document".to_owned(),
        id: String::new(),
        pointer: pointer.to_owned(),
        message: message.into(),
        hint: None,
        line: Some(at.line),
        column: Some(at.column),
    }
}
