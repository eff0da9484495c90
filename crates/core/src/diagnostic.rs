//! Mistakes in documents, all of them at once.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One finding about one place of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Errors refuse the document; warnings do not.
    pub severity: Severity,
    /// A stable word to search for; see [`codes`].
    pub code: String,
    /// The entry's kind: `route`, `backend`, `settings`, or what an item claimed to be.
    pub kind: String,
    /// The entry's id.
    pub id: String,
    /// JSON Pointer (RFC 6901) within the entry; empty for the entry itself.
    pub pointer: String,
    /// What is wrong. Never contains a secret.
    pub message: String,
    /// What to do about it, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Line in the file, from 1; absent for items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in the file, from 1; absent for items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The document is refused.
    Error,
    /// The document is accepted; somebody should look.
    Warning,
}

/// Longest text of a diagnostic that is stored, in bytes of UTF-8, which are what an item's size is counted in.
const STORED_BYTES_MAX: usize = 500;

impl Diagnostic {
    /// The same with texts of a bounded length: a hundred of them fit into one item.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        let cut = |text: &mut String| text.truncate(text.floor_char_boundary(STORED_BYTES_MAX));
        for text in [&mut self.kind, &mut self.id, &mut self.pointer, &mut self.message] {
            cut(text);
        }
        self.hint.as_mut().map(cut);
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}[{}] {}/{}{}: {}", self.code, self.kind, self.id, self.pointer, self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

/// The stable codes of diagnostics.
pub mod codes {
    /// A field that does not exist here.
    pub const UNKNOWN_FIELD: &str = "unknown_field";
    /// A required field is absent.
    pub const MISSING_FIELD: &str = "missing_field";
    /// A value of another type than the field's.
    pub const WRONG_TYPE: &str = "wrong_type";
    /// A value outside of what the field takes.
    pub const INVALID_VALUE: &str = "invalid_value";
    /// An id that names nothing.
    pub const UNKNOWN_REFERENCE: &str = "unknown_reference";
    /// Two entries of one kind and id, or one name twice.
    pub const DUPLICATE: &str = "duplicate";
    /// Fields that cannot stand together.
    pub const CONFLICT: &str = "conflict";
    /// An item of a kind that does not exist.
    pub const UNKNOWN_KIND: &str = "unknown_kind";
    /// The text is no YAML, or the item no JSON.
    pub const MALFORMED: &str = "malformed";
    /// More of something than there may be.
    pub const TOO_MANY: &str = "too_many";
    /// Allowed, but probably not meant.
    pub const RISKY: &str = "risky";
}

/// Collects diagnostics while a document is checked.
#[derive(Debug, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// The place of one entry, to report on.
    pub fn entry<'a>(&'a mut self, kind: &'a str, id: &'a str) -> Place<'a> {
        Place { report: self, kind, id, way: Way::default() }
    }

    /// Whether an error was reported.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// How many findings there are so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// Whether there is no finding at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// Adds findings.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Diagnostic>) {
        self.diagnostics.extend(findings);
    }

    /// The findings, in the order in which they were found.
    #[must_use]
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }
}

/// A place within an entry. It costs nothing unless there is something to report.
#[derive(Debug)]
pub struct Place<'a> {
    report: &'a mut Report,
    kind: &'a str,
    id: &'a str,
    way: Way<'a>,
}

/// The last steps to a place, and the way to where they begin.
#[derive(Debug, Default)]
struct Way<'a> {
    before: Option<&'a Self>,
    steps: [Option<Step<'a>>; 2],
}

/// From a value to a part of it.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// To a member of an object.
    Member(&'a str),
    /// To an item of a list.
    Item(usize),
}

impl<'a> From<&'a str> for Step<'a> {
    fn from(name: &'a str) -> Self {
        Self::Member(name)
    }
}

impl<'a> From<&'a String> for Step<'a> {
    fn from(name: &'a String) -> Self {
        Self::Member(name)
    }
}

impl From<usize> for Step<'_> {
    fn from(index: usize) -> Self {
        Self::Item(index)
    }
}

impl fmt::Display for Way<'_> {
    /// As a JSON Pointer (RFC 6901 §3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = self.before {
            before.fmt(f)?;
        }
        self.steps.iter().flatten().try_for_each(|step| match step {
            Step::Member(name) => write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")),
            Step::Item(index) => write!(f, "/{index}"),
        })
    }
}

impl Place<'_> {
    /// The place of a member or an item of this one.
    pub fn at<'a>(&'a mut self, step: impl Into<Step<'a>>) -> Place<'a> {
        self.after([Some(step.into()), None])
    }

    /// The place of an item of a member of this one, or of a member of that.
    pub fn item<'a>(&'a mut self, member: impl Into<Step<'a>>, item: impl Into<Step<'a>>) -> Place<'a> {
        self.after([Some(member.into()), Some(item.into())])
    }

    fn after<'a>(&'a mut self, steps: [Option<Step<'a>>; 2]) -> Place<'a> {
        let way = Way { before: Some(&self.way), steps };
        Place { report: self.report, kind: self.kind, id: self.id, way }
    }

    /// Reports an error here.
    pub fn error(&mut self, code: &str, message: impl fmt::Display) {
        self.push(Severity::Error, code, &message, None);
    }

    /// Reports an error here, with what to do about it.
    pub fn error_with_hint(&mut self, code: &str, message: impl fmt::Display, hint: impl Into<String>) {
        self.push(Severity::Error, code, &message, Some(hint.into()));
    }

    /// Reports something that is allowed but probably not meant.
    pub fn warning(&mut self, code: &str, message: impl fmt::Display) {
        self.push(Severity::Warning, code, &message, None);
    }

    /// Reports at a JSON Pointer below this place; for findings of the schema.
    pub fn error_at_pointer(&mut self, pointer: &str, code: &str, message: impl fmt::Display, hint: Option<String>) {
        self.push_at(pointer, Severity::Error, code, &message, hint);
    }

    fn push(&mut self, severity: Severity, code: &str, message: &impl fmt::Display, hint: Option<String>) {
        self.push_at("", severity, code, message, hint);
    }

    fn push_at(
        &mut self,
        pointer: &str,
        severity: Severity,
        code: &str,
        message: &impl fmt::Display,
        hint: Option<String>,
    ) {
        self.report.diagnostics.push(Diagnostic {
            severity,
            code: code.to_owned(),
            kind: self.kind.to_owned(),
            id: self.id.to_owned(),
            pointer: format!("{}{pointer}", self.way),
            message: message.to_string(),
            hint,
            line: None,
            column: None,
        });
    }
}

/// The known word that somebody probably meant.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let close = |candidate: &&str| strsim::jaro_winkler(word, candidate) > 0.8;
    known.filter(close).max_by(|a, b| strsim::jaro_winkler(word, a).total_cmp(&strsim::jaro_winkler(word, b)))
}
