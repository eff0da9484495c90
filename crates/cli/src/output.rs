//! Where everything is printed: for people line by line, or with `--json` as one object.
//!
//! What comes from tables and files may hold anything. Nothing reaches the terminal but through
//! [`escape`], which spells control characters out (SECURITY.md 27).

mod escape;

use std::{fmt, io::Write};

use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use escape::is_unprintable;

use crate::{
    error::{CliError, Exit},
    findings,
};

/// The standard streams.
pub(crate) struct Output<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    json: bool,
}

/// What a command answers.
pub(crate) trait Answer: Serialize {
    /// Says it to people.
    fn say(&self, lines: &mut Lines);
}

/// Lines for people; each is escaped.
#[derive(Debug, Default)]
pub(crate) struct Lines(String);

impl Lines {
    /// Adds a line; a line break in it is spelled out like any control character.
    pub(crate) fn add(&mut self, line: impl fmt::Display) {
        self.0.push_str(&escape::line(&line.to_string()));
        self.0.push('\n');
    }
}

impl<'a> Output<'a> {
    /// Writes answers to `out`, and notes and errors to `err`.
    pub(crate) fn new(out: &'a mut dyn Write, err: &'a mut dyn Write, json: bool) -> Self {
        Self { out, err, json }
    }

    /// Whether the answer is one JSON object.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints the answer.
    ///
    /// # Errors
    ///
    /// [`CliError::File`] where standard output is closed.
    pub(crate) fn answer(&mut self, answer: &impl Answer) -> Result<(), CliError> {
        if self.json {
            return self.object(answer);
        }
        let mut lines = Lines::default();
        answer.say(&mut lines);
        self.lines(&lines)
    }

    /// Prints an answer that is an error all the same: JSON says so in `error`, people see it in the answer.
    ///
    /// # Errors
    ///
    /// As [`Output::answer`].
    pub(crate) fn answer_but(&mut self, answer: &impl Answer, error: &CliError) -> Result<Exit, CliError> {
        if self.json {
            let mut object = serde_json::to_value(answer).map_err(|error| CliError::Failed(error.to_string()))?;
            object["error"] = error_object(error);
            self.object(&object)?;
        } else {
            self.answer(answer)?;
        }
        Ok(error.exit())
    }

    /// Prints lines.
    pub(crate) fn lines(&mut self, lines: &Lines) -> Result<(), CliError> {
        self.text(&lines.0)
    }

    /// Prints JSON, whether or not it was asked for.
    pub(crate) fn object(&mut self, object: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(object).map_err(|error| CliError::Failed(error.to_string()))?;
        self.text(&format!("{}\n", escape::json(&text)))
    }

    /// Prints text that is escaped already.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), CliError> {
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        written.map_err(|cause| CliError::File { name: "standard output".to_owned(), cause })
    }

    /// Says something beside the answer, on standard error; with `--json` nothing.
    pub(crate) fn note(&mut self, note: impl fmt::Display) {
        if !self.json {
            self.err_line(&note.to_string());
        }
    }

    /// Asks a question on standard error.
    pub(crate) fn ask(&mut self, question: &str) {
        let asked = write!(self.err, "{} ", escape::line(question)).and_then(|()| self.err.flush());
        // Without a terminal to write to, nobody answers either, and no answer is "no".
        drop(asked);
    }

    /// Reports why a command failed.
    pub(crate) fn failure(&mut self, error: &CliError) -> Exit {
        let diagnostics = match error {
            CliError::Refused { diagnostics, .. } => diagnostics.as_slice(),
            _ => &[],
        };
        // Where standard output is closed, the exit code still tells.
        let printed = if self.json {
            let mut object = json!({ "error": error_object(error) });
            if !diagnostics.is_empty() {
                object["diagnostics"] = serde_json::to_value(diagnostics).unwrap_or(Value::Null);
            }
            self.object(&object)
        } else {
            let mut lines = Lines::default();
            findings::say(diagnostics, &mut lines);
            let printed = self.text(&lines.0);
            self.err_line(&format!("error: {error}"));
            printed
        };
        drop(printed);
        error.exit()
    }

    fn err_line(&mut self, line: &str) {
        // There is nowhere left to say that this failed.
        drop(writeln!(self.err, "{}", escape::line(line)));
    }
}

fn error_object(error: &CliError) -> Value {
    json!({ "code": error.code(), "message": error.to_string() })
}
