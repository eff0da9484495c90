//! Rewriting the path, for `forward` and `redirect`.

use serde::Deserialize;

use crate::{
    diagnostic::{Place, codes},
    document::choice,
    matcher::{Captures, PathPattern},
    path::{InvalidPath, normalise_rewritten},
};

/// Variants that may be written as bare names.
#[cfg(feature = "schema")]
const BARE_NAMES: &[&str] = &["unchanged", "strip_prefix"];

/// What becomes of the path.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = choice::BareNames(BARE_NAMES)))]
#[serde(remote = "Self", rename_all = "snake_case", deny_unknown_fields)]
pub enum PathRewrite {
    /// The normalised path.
    Unchanged {},
    /// The path without the matched prefix.
    StripPrefix {},
    /// The path with another prefix instead of the matched one.
    ReplacePrefix(String),
    /// Another path altogether, in which `{name}` stands for what was captured.
    Replace(String),
}

choice::choice!(PathRewrite);

impl Default for PathRewrite {
    fn default() -> Self {
        Self::Unchanged {}
    }
}

/// [`PathRewrite`], compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PathRewritePolicy {
    /// Nothing happens.
    #[default]
    Unchanged,
    /// This, without a final slash, instead of the matched prefix.
    ReplacePrefix(Box<str>),
    /// These pieces in a row.
    Replace(Box<[Piece]>),
}

/// A piece of a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Stands as it is.
    Literal(Box<str>),
    /// What was captured under this name.
    Capture(Box<str>),
}

impl PathRewrite {
    /// Reads the replacement. Every one of `patterns`, the route's match entries, must offer what it uses.
    pub fn compile(&self, patterns: &[PathPattern], place: &mut Place<'_>) -> PathRewritePolicy {
        match self {
            Self::Unchanged {} => PathRewritePolicy::Unchanged,
            Self::StripPrefix {} => {
                needs_prefix(patterns, &mut place.at("strip_prefix"));
                PathRewritePolicy::ReplacePrefix("".into())
            }
            Self::ReplacePrefix(replacement) => {
                let mut place = place.at("replace_prefix");
                needs_prefix(patterns, &mut place);
                let prefix = literal(replacement, &mut place);
                PathRewritePolicy::ReplacePrefix(prefix.trim_end_matches('/').into())
            }
            Self::Replace(replacement) => {
                PathRewritePolicy::Replace(pieces(replacement, patterns, &mut place.at("replace")))
            }
        }
    }
}

fn needs_prefix(patterns: &[PathPattern], place: &mut Place<'_>) {
    if !patterns.iter().all(PathPattern::is_prefix) {
        place.error(codes::CONFLICT, "every match entry of the route must have a `prefix` path");
    }
}

/// The normal form of a path as it was written: every request's path is put together from it, and would be refused with it.
fn literal(text: &str, place: &mut Place<'_>) -> String {
    let normal = if text.is_empty() { Err(InvalidPath::NotAbsolute) } else { normalise_rewritten(text) };
    let foreign = text.chars().find(|char| "{}?#".contains(*char));
    match (normal, foreign) {
        (Ok(path), None) => return path,
        (Err(error), _) => place.error(codes::INVALID_VALUE, error),
        (Ok(_), Some(char)) => {
            let advice = format!("`{char}` has no meaning here; percent-encode it if the path is to have it");
            place.error(codes::INVALID_VALUE, advice);
        }
    }
    String::new()
}

/// Cuts `/v2/{id}` into literals and names, and holds the names against the patterns.
fn pieces(text: &str, patterns: &[PathPattern], place: &mut Place<'_>) -> Box<[Piece]> {
    let mut pieces = Vec::new();
    let mut rest = text;
    // The path with an innocent value for each name: no hexadecimal digit, so that no value can end an escape.
    let mut sample = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            place.error(codes::INVALID_VALUE, "a `{` without its `}`");
            return pieces.into();
        };
        if !patterns.iter().all(|pattern| pattern.names().any(|known| known == name)) {
            place.error(codes::UNKNOWN_REFERENCE, format!("not every match entry of the route captures `{name}`"));
        }
        sample.extend([before, "x"]);
        pieces.push(Piece::Literal(before.into()));
        pieces.push(Piece::Capture(name.into()));
        rest = tail;
    }
    sample.push_str(rest);
    literal(&sample, place);
    pieces.push(Piece::Literal(rest.into()));
    pieces.into()
}

impl PathRewritePolicy {
    /// The path to use instead of `path`, in normal form; `matched` is what the route's entry matched by.
    ///
    /// # Errors
    ///
    /// [`InvalidPath`] where the rewritten path is one that no backend should see.
    pub fn apply(&self, path: &str, matched: &PathPattern, captures: &Captures<'_>) -> Result<String, InvalidPath> {
        let rewritten = match self {
            Self::Unchanged => return Ok(path.to_owned()),
            Self::ReplacePrefix(replacement) => {
                let rest = path.get(matched.prefix_len()..).unwrap_or_default();
                let separator = if rest.is_empty() || rest.starts_with('/') { "" } else { "/" };
                format!("{replacement}{separator}{rest}")
            }
            Self::Replace(pieces) => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Literal(text) => text,
                    Piece::Capture(name) => captures.get(name).unwrap_or_default(),
                })
                .collect(),
        };
        normalise_rewritten(&rewritten)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::PathRewrite;
    use crate::{diagnostic::Report, document::PathMatch, matcher::PathPattern};

    fn rewrite(rewrite: Value, pattern: Value, path: &str) -> Result<String, Vec<String>> {
        let mut report = Report::default();
        let rewrite: PathRewrite = serde_json::from_value(rewrite).expect("a rewrite");
        let pattern: PathMatch = serde_json::from_value(pattern).expect("a path");
        let pattern = PathPattern::compile(Some(&pattern), &mut report.entry("route", "r")).expect("a pattern");
        let policy = rewrite.compile(std::slice::from_ref(&pattern), &mut report.entry("route", "r"));
        if report.has_errors() {
            return Err(report.into_diagnostics().into_iter().map(|found| found.code).collect());
        }
        let captures = pattern.captures(path).expect("a match");
        policy.apply(path, &pattern, &captures).map_err(|error| vec![error.to_string()])
    }

    #[test]
    fn prefixes_are_replaced_by_whole_segments() {
        for (replacement, prefix, path, expected) in [
            (json!("strip_prefix"), "/foo", "/foo/bar", "/bar"),
            (json!("strip_prefix"), "/foo", "/foo", "/"),
            (json!({"strip_prefix": {}}), "/foo/", "/foo/", "/"),
            (json!({"replace_prefix": "/xyz"}), "/foo", "/foo/bar", "/xyz/bar"),
            (json!({"replace_prefix": "/xyz"}), "/foo", "/foo", "/xyz"),
            (json!({"replace_prefix": "/xyz"}), "/foo", "/foo/", "/xyz/"),
            (json!({"replace_prefix": "/xyz/"}), "/foo/", "/foo/bar", "/xyz/bar"),
            (json!({"replace_prefix": "/"}), "/foo", "/foo", "/"),
            (json!({"replace_prefix": "/v2"}), "/", "/a/b", "/v2/a/b"),
            (json!("unchanged"), "/foo", "/foo/%2F", "/foo/%2F"),
        ] {
            assert_eq!(rewrite(replacement, json!({"prefix": prefix}), path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn captured_values_go_in_as_they_came() {
        for (replacement, pattern, path, expected) in [
            ("/v2/{id}", json!("/orders/{id}"), "/orders/a%2Fb", "/v2/a%2Fb"),
            ("/{rest}/{id}", json!("/o/{id}/{rest+}"), "/o/7/x/y", "/x/y/7"),
            ("/u/{name}", json!({"regex": "/(?<name>[a-z]+)-[0-9]+"}), "/bob-42", "/u/bob"),
        ] {
            assert_eq!(rewrite(json!({"replace": replacement}), pattern, path).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn captures_never_join_into_a_dot_segment() {
        let pattern = json!({"regex": "/files/(?<dir>[^/_]+)_(?<name>.+)"});
        let replacement = json!({"replace": "/public/{dir}/{name}"});
        assert!(rewrite(replacement.clone(), pattern.clone(), "/files/.._admin").is_err());
        assert_eq!(rewrite(replacement, pattern, "/files/a_b").as_deref(), Ok("/public/a/b"));
    }

    #[test]
    fn what_cannot_be_rewritten_is_a_mistake() {
        for (replacement, pattern, code) in [
            (json!("strip_prefix"), json!("/orders/{id}"), "conflict"),
            (json!({"replace_prefix": "v2"}), json!({"prefix": "/a"}), "invalid_value"),
            (json!({"replace": "/v2/{other}"}), json!("/orders/{id}"), "unknown_reference"),
            (json!({"replace": "/v2/{id"}), json!("/orders/{id}"), "invalid_value"),
            (json!({"replace": "v2"}), json!("/orders/{id}"), "invalid_value"),
        ] {
            assert_eq!(rewrite(replacement, pattern, "/orders/1"), Err(vec![code.to_owned()]));
        }
        let no_paths = [
            "",
            "/v2/../x",
            "/v2/%2e%2e/x",
            "/./x",
            "/a\\b",
            "/%zz",
            "/%00",
            "/a\n",
            "/..;/x",
            "/a}",
            "/a?q=1",
            "/a#b",
            "/%",
            "/%2",
        ];
        for text in no_paths {
            for replacement in [json!({"replace_prefix": text}), json!({"replace": text})] {
                let refused = rewrite(replacement.clone(), json!({"prefix": "/a"}), "/a");
                assert_eq!(refused, Err(vec!["invalid_value".to_owned()]), "{replacement}");
            }
        }
        // A value would end the escape that the text begins.
        for text in ["/%{id}", "/%2{id}", "/{id}%", "/{id}/%4", "/../{id}", "/{id}\\", "{id}", "/{id}?x={id}"] {
            let refused = rewrite(json!({"replace": text}), json!("/orders/{id}"), "/orders/1");
            assert_eq!(refused, Err(vec!["invalid_value".to_owned()]), "{text}");
        }
        let named = rewrite(json!({"replace_prefix": "/{id}"}), json!({"prefix": "/a"}), "/a");
        assert_eq!(named, Err(vec!["invalid_value".to_owned()]));
    }
}
