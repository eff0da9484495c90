//! Spelling out what a terminal would obey.

use std::fmt::Write as _;

/// Whether a character must not reach a terminal: controls, line separators, and marks that turn the
/// direction of text around (CVE-2021-42574).
pub(crate) fn is_unprintable(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{200b}'..='\u{200f}')
        || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{061c}')
}

/// One line, in which nothing is unprintable.
pub(super) fn line(text: &str) -> String {
    escape(text, |out, char| match char {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => drop(write!(out, "\\u{{{:x}}}", u32::from(char))),
    })
}

/// JSON text whose strings hold nothing unprintable; line breaks between them stay.
pub(super) fn json(text: &str) -> String {
    escape(text, |out, char| match char {
        '\n' => out.push('\n'),
        // All of these lie in the first plane: one unit of UTF-16.
        _ => drop(write!(out, "\\u{:04x}", u32::from(char))),
    })
}

fn escape(text: &str, spell: impl Fn(&mut String, char)) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if is_unprintable(char) { spell(&mut out, char) } else { out.push(char) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{json, line};

    #[test]
    fn no_control_character_reaches_the_terminal() {
        assert_eq!(line("a\u{1b}[2Jb\n\r\t\u{7f}\u{9b}c\u{202e}d"), "a\\u{1b}[2Jb\\n\\r\\t\\u{7f}\\u{9b}c\\u{202e}d");
        assert_eq!(line("Käse ✓ 日本"), "Käse ✓ 日本");
    }

    #[test]
    fn escaped_json_means_the_same() {
        let value = serde_json::json!({"a\u{9b}": ["\u{1b}]0;x\u{7}", "\u{202e}\n", "é"]});
        let text = json(&serde_json::to_string_pretty(&value).expect("JSON"));
        assert!(!text.chars().any(|char| super::is_unprintable(char) && char != '\n'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), value);
    }
}
