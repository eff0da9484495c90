//! Paths to match, and what they capture.

use regex::Regex;

use crate::{
    diagnostic::{Place, codes},
    document::PathMatch,
    path::{InvalidPath, normalise},
};

/// Longest source of a regex in bytes.
pub(super) const REGEX_SOURCE_BYTES_MAX: usize = 1024;
/// Largest compiled regex in bytes.
pub(super) const REGEX_COMPILED_BYTES_MAX: usize = 256 * 1024;

/// Largest cache that matching a regex may fill, in bytes.
const REGEX_CACHE_BYTES_MAX: usize = 64 * 1024;

/// A path to match, compiled.
#[derive(Debug)]
pub enum PathPattern {
    /// This path to the letter.
    Exact(Box<str>),
    /// These segments.
    Template(Box<[Segment]>),
    /// A full match.
    Regex {
        /// The expression, anchored.
        regex: Regex,
        /// As it was written.
        source: Box<str>,
    },
    /// This path, without its final slash, and everything below it; empty for any path.
    Prefix(Box<str>),
}

/// A segment of a template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// This segment.
    Literal(Box<str>),
    /// One non-empty segment.
    One(Box<str>),
    /// The rest: one or more segments, not empty.
    Rest(Box<str>),
}

/// Why a path is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// It is no path.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// Its spelling is not the one that requests are matched in.
    #[error("requests never have this path; its normal form is `{0}`")]
    NotNormal(String),
    /// A segment mixes text and a name, or a name is none.
    #[error("`{0}` is neither plain text nor one `{{name}}`")]
    Segment(String),
    /// A name stands twice.
    #[error("`{0}` is captured twice")]
    NameTwice(String),
    /// `{name+}` is not last.
    #[error("`{{{0}+}}` can only be the last segment")]
    RestNotLast(String),
    /// The regex does not compile, or is over a bound.
    #[error("the regex is refused: {0}")]
    Regex(String),
}

impl PathPattern {
    /// Reads a path; an absent one is the prefix `/`. Reports and yields `None` for a mistake.
    pub fn compile(path: Option<&PathMatch>, place: &mut Place<'_>) -> Option<Self> {
        let (member, compiled) = match path {
            None => return Some(Self::Prefix("".into())),
            Some(PathMatch::Exact(path)) => ("exact", literal_path(path).map(|()| Self::Exact(path.as_str().into()))),
            Some(PathMatch::Prefix(path)) => {
                ("prefix", literal_path(path).map(|()| Self::Prefix(path.trim_end_matches('/').into())))
            }
            Some(PathMatch::Template(path)) => {
                ("template", template(path).map(|segments| Self::Template(segments.into())))
            }
            Some(PathMatch::Regex(source)) => {
                ("regex", compile_regex(source).map(|regex| Self::Regex { regex, source: source.as_str().into() }))
            }
        };
        compiled.map_err(|error| place.item("path", member).error(codes::INVALID_VALUE, error)).ok()
    }

    /// Whether the pattern was written as a prefix.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        matches!(self, Self::Prefix(_))
    }

    /// How many bytes of a matching path the prefix takes; 0 for other patterns.
    #[must_use]
    pub fn prefix_len(&self) -> usize {
        if let Self::Prefix(prefix) = self { prefix.len() } else { 0 }
    }

    /// The names that the pattern captures.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (segments, regex): (&[Segment], _) = match self {
            Self::Template(segments) => (segments, None),
            Self::Regex { regex, .. } => (&[], Some(regex)),
            Self::Exact(_) | Self::Prefix(_) => (&[], None),
        };
        let of_segments = segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::One(name) | Segment::Rest(name) => Some(&**name),
        });
        of_segments.chain(regex.into_iter().flat_map(|regex| regex.capture_names().flatten()))
    }

    /// What the pattern captures of a path; `None` where it does not match.
    #[must_use]
    pub fn captures<'a>(&'a self, path: &'a str) -> Option<Captures<'a>> {
        match self {
            Self::Exact(exact) => (**exact == *path).then(Captures::default),
            Self::Prefix(prefix) => {
                let rest = path.strip_prefix(&**prefix)?;
                (rest.is_empty() || rest.starts_with('/')).then(Captures::default)
            }
            Self::Template(segments) => capture_segments(segments, path),
            Self::Regex { regex, .. } => {
                let found = regex.captures(path)?;
                let named = regex.capture_names().flatten();
                Some(Captures(named.filter_map(|name| Some((name, found.name(name)?.as_str()))).collect()))
            }
        }
    }
}

/// Names and what they captured, encoded as in the path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Captures<'a> {
    /// What was captured under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

fn capture_segments<'a>(segments: &'a [Segment], path: &'a str) -> Option<Captures<'a>> {
    let mut captures = Vec::new();
    let mut rest = Some(path.strip_prefix('/')?);
    for segment in segments {
        let here = rest?;
        let (first, after) = here.split_once('/').map_or((here, None), |(first, after)| (first, Some(after)));
        match segment {
            Segment::Literal(text) if **text == *first => rest = after,
            Segment::One(name) if !first.is_empty() => {
                captures.push((&**name, first));
                rest = after;
            }
            Segment::Rest(name) if !here.is_empty() => {
                captures.push((&**name, here));
                rest = None;
            }
            _ => return None,
        }
    }
    rest.is_none().then_some(Captures(captures))
}

/// Whether requests can have this path: it is its own normal form (a final slash aside).
fn literal_path(path: &str) -> Result<(), InvalidPattern> {
    let normal = normalise(path)?;
    if path.is_empty() {
        return Err(InvalidPath::NotAbsolute.into());
    }
    if normal == path { Ok(()) } else { Err(InvalidPattern::NotNormal(normal.into_owned())) }
}

fn template(path: &str) -> Result<Vec<Segment>, InvalidPattern> {
    let inner = path.strip_prefix('/').ok_or(InvalidPath::NotAbsolute)?;
    let mut segments = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for text in inner.split('/') {
        if segments.iter().any(|segment| matches!(segment, Segment::Rest(_))) {
            return Err(InvalidPattern::RestNotLast((*names.last().unwrap_or(&"")).to_owned()));
        }
        let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
            if text.contains(['{', '}']) {
                return Err(InvalidPattern::Segment(text.to_owned()));
            }
            segments.push(Segment::Literal(text.into()));
            continue;
        };
        let (name, rest) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(InvalidPattern::Segment(text.to_owned()));
        }
        if names.contains(&name) {
            return Err(InvalidPattern::NameTwice(name.to_owned()));
        }
        names.push(name);
        segments.push(if rest { Segment::Rest(name.into()) } else { Segment::One(name.into()) });
    }
    // Names aside, requests must be able to have this path.
    let literal: Vec<&str> = inner.split('/').map(|text| if text.starts_with('{') { "x" } else { text }).collect();
    literal_path(&format!("/{}", literal.join("/")))?;
    Ok(segments)
}

/// Compiles a regex that must match all of its input.
pub(crate) fn compile_regex(source: &str) -> Result<Regex, InvalidPattern> {
    if source.len() > REGEX_SOURCE_BYTES_MAX {
        return Err(InvalidPattern::Regex(format!("its source has more than {REGEX_SOURCE_BYTES_MAX} bytes")));
    }
    // The source must stand alone: `a)|(b` must not escape the anchors.
    let compile = |source: &str| {
        let mut builder = regex::RegexBuilder::new(source);
        builder.size_limit(REGEX_COMPILED_BYTES_MAX).dfa_size_limit(REGEX_CACHE_BYTES_MAX).build()
    };
    let anchored = compile(source).and_then(|_| compile(&format!("^(?:{source})$")));
    anchored.map_err(|error| InvalidPattern::Regex(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::PathPattern;
    use crate::{diagnostic::Report, document::PathMatch};

    fn captured(path: &PathMatch, request: &str) -> Option<Vec<(String, String)>> {
        let pattern = PathPattern::compile(Some(path), &mut Report::default().entry("route", "r")).expect("a pattern");
        let captures = pattern.captures(request)?;
        Some(captures.0.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn paths_match_by_whole_segments_and_to_the_letter() {
        let prefix = PathMatch::Prefix("/orders".into());
        let slashed = PathMatch::Prefix("/orders/".into());
        let exact = PathMatch::Exact("/a".into());
        let one = PathMatch::Template("/o/{id}".into());
        let rest = PathMatch::Template("/o/{id}/{rest+}".into());
        let regex = PathMatch::Regex("/(?<kind>a|b)/x|/c".into());
        for (pattern, request, matches) in [
            (&prefix, "/orders", true),
            (&prefix, "/orders/", true),
            (&prefix, "/orders/7", true),
            (&prefix, "/orders2", false),
            (&slashed, "/orders", true),
            (&slashed, "/orders2", false),
            (&exact, "/a", true),
            (&exact, "/a/", false),
            (&one, "/o/7", true),
            (&one, "/o/", false),
            (&one, "/o/7/", false),
            (&one, "/o/7/8", false),
            (&rest, "/o/7/8", true),
            (&rest, "/o/7/8/9/", true),
            (&rest, "/o/7/", false),
            (&rest, "/o/7", false),
            (&regex, "/a/x", true),
            (&regex, "/c", true),
            (&regex, "/a/xy", false),
            (&regex, "/c/a/x", false),
        ] {
            assert_eq!(captured(pattern, request).is_some(), matches, "{pattern:?} {request}");
        }
        assert_eq!(captured(&rest, "/o/7/8/9"), Some(vec![("id".into(), "7".into()), ("rest".into(), "8/9".into())]));
        assert_eq!(captured(&regex, "/b/x"), Some(vec![("kind".into(), "b".into())]));
    }

    #[test]
    fn what_no_request_can_match_is_a_mistake() {
        let long = "a".repeat(1025);
        for path in [
            PathMatch::Exact("a".into()),
            PathMatch::Exact(String::new()),
            PathMatch::Exact("/a/../b".into()),
            PathMatch::Exact("/a//b".into()),
            PathMatch::Exact("/%41".into()),
            PathMatch::Prefix("/a b".into()),
            PathMatch::Template("orders".into()),
            PathMatch::Template("/{id}.json".into()),
            PathMatch::Template("/{}".into()),
            PathMatch::Template("/{a}/{a}".into()),
            PathMatch::Template("/{a+}/b".into()),
            PathMatch::Regex("(".into()),
            PathMatch::Regex("a)|(b".into()),
            PathMatch::Regex(long),
            PathMatch::Regex("(\\w{100}){100}".into()),
        ] {
            let mut report = Report::default();
            assert!(PathPattern::compile(Some(&path), &mut report.entry("route", "r")).is_none(), "{path:?}");
            assert_eq!(report.len(), 1);
        }
    }
}
