//! Diagnostics for people.

use faregate_core::diagnostic::{Diagnostic, Severity};

use crate::output::Lines;

/// One line a finding, with line and column where there are.
pub(crate) fn say(diagnostics: &[Diagnostic], lines: &mut Lines) {
    say_in("", diagnostics, lines);
}

/// One line a finding, as compilers write them: `file:line:column: …`.
pub(crate) fn say_in(file: &str, diagnostics: &[Diagnostic], lines: &mut Lines) {
    for diagnostic in diagnostics {
        match (diagnostic.line, diagnostic.column) {
            (Some(line), Some(column)) if file.is_empty() => lines.add(format!("{line}:{column}: {diagnostic}")),
            (Some(line), Some(column)) => lines.add(format!("{file}:{line}:{column}: {diagnostic}")),
            _ => lines.add(diagnostic),
        }
    }
}

/// How many errors and warnings there are, in words.
pub(crate) fn count(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    format!("{}, {}", number(errors, "error"), number(warnings, "warning"))
}

/// `1 error`, `2 errors`.
pub(crate) fn number(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// `1 entry`, `2 entries`.
pub(crate) fn entries(count: usize) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}
