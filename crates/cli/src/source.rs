//! A file (or standard input) with a document in it.

use std::{fs, io::Read};

use faregate_core::{
    check::{CheckOptions, Checked, check, entries_of_file, has_errors},
    diagnostic::{Diagnostic, Report, codes},
    document::{Entry, RawDocument},
};
use faregate_engine::published::DOCUMENT_BYTES_MAX;

use crate::{
    error::CliError,
    yaml::{self, Places},
};

/// The name that stands for standard input.
pub(crate) const STANDARD_INPUT: &str = "-";

/// What a file holds, not yet checked.
#[derive(Debug)]
pub(crate) struct Source {
    /// The file's name, for people.
    pub(crate) name: String,
    /// Its entries.
    pub(crate) entries: Vec<Entry>,
    /// Where each entry stands in the file.
    pointers: Vec<String>,
    places: Places,
    /// What is wrong with the file's shape.
    diagnostics: Vec<Diagnostic>,
}

impl Source {
    /// Reads a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// [`CliError::File`] where it cannot be read; what it says is never an error here.
    pub(crate) fn read(name: &str) -> Result<Self, CliError> {
        let (name, bytes) = if name == STANDARD_INPUT {
            ("standard input", read_bounded(std::io::stdin().lock()))
        } else {
            (name, fs::File::open(name).and_then(read_bounded))
        };
        let bytes = bytes.map_err(|cause| CliError::File { name: name.to_owned(), cause })?;
        Ok(Self::parse(name, &bytes))
    }

    /// Takes a file's content.
    pub(crate) fn parse(name: &str, bytes: &[u8]) -> Self {
        let loaded = yaml::load(bytes);
        let mut report = Report::default();
        let entries = loaded.value.map(|value| entries_of_file(&value, &mut report)).unwrap_or_default();
        let (pointers, entries) = entries.into_iter().unzip();
        let mut source =
            Self { name: name.to_owned(), entries, pointers, places: loaded.places, diagnostics: loaded.diagnostics };
        let mut shape = report.into_diagnostics();
        source.locate(&mut shape);
        source.diagnostics.extend(shape);
        source
    }

    /// Gives diagnostics about this file's entries their lines and columns.
    pub(crate) fn locate(&self, diagnostics: &mut [Diagnostic]) {
        for diagnostic in diagnostics {
            let pointer = self.pointer(diagnostic);
            if let Some(pointer) = pointer {
                self.places.locate(diagnostic, &pointer);
            }
        }
    }

    /// The entries, if the file is one; its mistakes of other kinds are found by whoever checks them.
    ///
    /// # Errors
    ///
    /// [`CliError::Refused`] where the file's shape is wrong.
    pub(crate) fn wanted(&self, consequence: &str) -> Result<&[Entry], CliError> {
        if has_errors(&self.diagnostics) {
            // Everything else that is wrong belongs into the same answer.
            let diagnostics = self.check(CheckOptions { allow_inline_secrets: true }).diagnostics;
            return Err(self.refused(diagnostics, consequence));
        }
        Ok(&self.entries)
    }

    /// Checks the file as a whole configuration.
    pub(crate) fn check(&self, options: CheckOptions) -> Checked {
        let mut checked = check(&self.entries, options, Report::default());
        self.locate(&mut checked.diagnostics);
        checked.diagnostics.splice(0..0, self.diagnostics.iter().cloned());
        if has_errors(&checked.diagnostics) {
            checked.document = None;
        }
        checked
    }

    /// The document, if it has no mistake.
    ///
    /// # Errors
    ///
    /// [`CliError::Refused`] with every finding.
    pub(crate) fn document(&self, options: CheckOptions, consequence: &str) -> Result<RawDocument, CliError> {
        let checked = self.check(options);
        checked.document.ok_or_else(|| self.refused(checked.diagnostics, consequence))
    }

    fn refused(&self, diagnostics: Vec<Diagnostic>, consequence: &str) -> CliError {
        CliError::Refused { message: format!("{} has errors; {consequence}", self.name), diagnostics }
    }

    /// A diagnostic's place in the whole file. Two entries may have the same id: then it is the one in which
    /// the place exists, and of a duplicate the last.
    fn pointer(&self, diagnostic: &Diagnostic) -> Option<String> {
        if diagnostic.kind == "document" {
            return Some(diagnostic.pointer.clone());
        }
        let is_meant = |entry: &Entry| entry.kind.as_str() == diagnostic.kind && entry.id == diagnostic.id;
        let named = self.entries.iter().zip(&self.pointers).filter(|(entry, _)| is_meant(entry));
        let mut candidates: Vec<String> =
            named.map(|(_, pointer)| format!("{pointer}{}", diagnostic.pointer)).collect();
        if diagnostic.code == codes::DUPLICATE && diagnostic.pointer == "/id" {
            return candidates.pop();
        }
        let exact = candidates.iter().position(|pointer| self.places.contains(pointer));
        (!candidates.is_empty()).then(|| candidates.swap_remove(exact.unwrap_or(0)))
    }
}

fn read_bounded(reader: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let bound = u64::try_from(DOCUMENT_BYTES_MAX).unwrap_or(u64::MAX);
    reader.take(bound.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(std::io::Error::other(format!("more than {DOCUMENT_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use faregate_core::check::CheckOptions;

    use super::Source;

    /// Line, column and code of each finding.
    fn findings(text: &str) -> Vec<(usize, usize, String)> {
        let checked = Source::parse("test", text.as_bytes()).check(CheckOptions::default());
        assert!(checked.document.is_none());
        let found = checked.diagnostics.into_iter();
        found.map(|found| (found.line.unwrap_or(0), found.column.unwrap_or(0), found.code)).collect()
    }

    #[test]
    fn every_mistake_has_its_place() {
        let text = "\
settings: { refresh_secs: 5 }
rutes: []
backends:
  - id: a
    targets: [{ url: 'ftp://x' }, { url: http://a.internal, weight: heavy }]
  - targets: []
routes:
  - id: one
    authenticate: anonymous
    forward: { backend: b, bakend: a }
  - id: two
    respond: {}
  - id: three
    authenticate: anonymous
    forward: { backend: aa }
  - id: three
    authenticate: anonymous
    respond: {}
";
        let mut found = findings(text);
        found.sort();
        let expected = [
            (1, 13, "unknown_field"),
            (2, 1, "unknown_field"),
            (5, 22, "invalid_value"),
            (5, 69, "wrong_type"),
            (6, 5, "missing_field"),
            (6, 14, "invalid_value"),
            (10, 25, "unknown_reference"),
            (10, 28, "unknown_field"),
            (11, 5, "missing_field"),
            (15, 25, "unknown_reference"),
            (16, 9, "duplicate"),
        ];
        assert_eq!(found, expected.map(|(line, column, code)| (line, column, code.to_owned())));
    }

    #[test]
    fn a_mistake_of_the_yaml_hides_no_mistake_of_the_document() {
        let text = "routes:\n  - id: a\n    id: b\n    respond: {}\n";
        assert_eq!(findings(text), [(3, 5, "duplicate".into()), (2, 5, "missing_field".into())]);
    }
}
