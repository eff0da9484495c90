//! Where the parts of a file stand.

use std::collections::HashMap;

use faregate_core::diagnostic::{Diagnostic, codes};
use saphyr_parser::Marker;

/// A place in a file; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// The line.
    pub(crate) line: usize,
    /// The column.
    pub(crate) column: usize,
}

impl Location {
    /// Where the parser says that it is.
    pub(crate) fn of(marker: &Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// The place behind a text.
pub(super) fn end_of(text: &str) -> Location {
    let line_start = text.rfind('\n').map_or(0, |end| end + 1);
    let line = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    Location { line, column: text[line_start..].chars().count() + 1 }
}

/// Places by JSON Pointer.
#[derive(Debug, Default)]
pub(crate) struct Places(HashMap<String, Place>);

#[derive(Clone, Copy, Debug)]
struct Place {
    /// Where a member's key stands.
    key: Option<Location>,
    value: Location,
}

impl Places {
    /// Remembers a value; the first one of a pointer stays.
    pub(super) fn insert(&mut self, pointer: &str, key: Option<Location>, value: Location) {
        self.0.entry(pointer.to_owned()).or_insert(Place { key, value });
    }

    /// Whether there is something at a pointer.
    pub(crate) fn contains(&self, pointer: &str) -> bool {
        self.0.contains_key(pointer)
    }

    /// The place of a pointer, or of the nearest parent that exists; `by_key` asks for the key of a member
    /// rather than its value.
    pub(crate) fn nearest(&self, pointer: &str, by_key: bool) -> Option<Location> {
        let mut at = pointer;
        loop {
            if let Some(place) = self.0.get(at) {
                return Some(place.key.filter(|_| by_key).unwrap_or(place.value));
            }
            at = &at[..at.rfind('/')?];
        }
    }

    /// Gives a diagnostic line and column; `pointer` leads through the whole file.
    pub(crate) fn locate(&self, diagnostic: &mut Diagnostic, pointer: &str) {
        let by_key = diagnostic.code == codes::UNKNOWN_FIELD;
        if let Some(location) = self.nearest(pointer, by_key).filter(|_| diagnostic.line.is_none()) {
            diagnostic.line = Some(location.line);
            diagnostic.column = Some(location.column);
        }
    }
}
