//! The order in which entries win, decided once per snapshot.

use std::{cmp::Reverse, sync::Arc};

use super::{Conditions, HostPattern, PathPattern, pattern::Segment};

/// An entry's place under one of its hosts: the smaller wins. The fields compare in order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    priority: Reverse<i32>,
    host: HostRank,
    path: PathRank,
    any_method: bool,
    headers: Reverse<usize>,
    query: Reverse<usize>,
    route: Arc<str>,
    index: usize,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HostRank {
    Exact,
    /// Longer first.
    Wildcard(Reverse<usize>),
    Any,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PathRank {
    Exact,
    /// Segment by segment, a literal before a name.
    Template(Vec<bool>),
    /// Longer literal prefix, then longer pattern.
    Regex(Reverse<usize>, Reverse<usize>),
    /// More characters, a name counting none; then segment by segment, a literal before a name.
    Prefix(Reverse<usize>, Vec<bool>),
}

impl Rank {
    pub(super) fn new(
        priority: i32,
        host: &HostPattern,
        pattern: &PathPattern,
        conditions: &Conditions,
        route: &Arc<str>,
        index: usize,
    ) -> Self {
        Self {
            priority: Reverse(priority),
            host: match host {
                HostPattern::Exact(_) => HostRank::Exact,
                HostPattern::Wildcard(suffix) => HostRank::Wildcard(Reverse(suffix.len())),
                HostPattern::Any => HostRank::Any,
            },
            path: path_rank(pattern),
            any_method: !conditions.has_methods(),
            headers: Reverse(conditions.header_count()),
            query: Reverse(conditions.query_count()),
            route: Arc::clone(route),
            index,
        }
    }
}

fn path_rank(pattern: &PathPattern) -> PathRank {
    match pattern {
        PathPattern::Exact(_) => PathRank::Exact,
        PathPattern::Template(segments) => match segments.split_last() {
            // Two patterns that end in a rest are alike but for what comes before it.
            Some((Segment::Rest(_), before)) => PathRank::Prefix(Reverse(literal_length(before)), names(before)),
            _ => PathRank::Template(names(segments)),
        },
        PathPattern::Regex { source, .. } => {
            PathRank::Regex(Reverse(literal_prefix_length(source)), Reverse(source.chars().count()))
        }
        PathPattern::Prefix(prefix) => {
            let literals = vec![false; prefix.matches('/').count()];
            PathRank::Prefix(Reverse(prefix.chars().count()), literals)
        }
    }
}

/// Which segments are names.
fn names(segments: &[Segment]) -> Vec<bool> {
    segments.iter().map(|segment| !matches!(segment, Segment::Literal(_))).collect()
}

/// How many characters segments have, slashes included and names left out: how somebody calls what is captured says
/// nothing about which requests fit.
fn literal_length(segments: &[Segment]) -> usize {
    let length = |segment: &Segment| match segment {
        Segment::Literal(text) => text.chars().count(),
        Segment::One(_) | Segment::Rest(_) => 0,
    };
    segments.iter().map(|segment| 1 + length(segment)).sum()
}

/// How many characters every match begins with: those before the first one with a meaning of its own, the anchor `^`
/// aside; of alternatives, those that all of them begin with.
fn literal_prefix_length(source: &str) -> usize {
    let mut prefixes = alternatives(source).into_iter().map(literal_prefix);
    let first = prefixes.next().unwrap_or_default();
    let common = prefixes.fold(first, |common, prefix| {
        let alike = common.char_indices().zip(prefix.chars()).take_while(|((_, one), other)| one == other);
        let end = alike.last().map_or(0, |((at, char), _)| at + char.len_utf8());
        &common[..end]
    });
    common.chars().count()
}

/// What one alternative begins with.
fn literal_prefix(source: &str) -> &str {
    let source = source.strip_prefix('^').unwrap_or(source);
    let special = |char: char| r"\.+*?()|[]{}^$".contains(char);
    let (literal, rest) = source.split_at(source.find(special).unwrap_or(source.len()));
    // A quantifier takes the character before it along.
    let quantified = rest.starts_with(['*', '?', '{']);
    let last = literal.chars().next_back().filter(|_| quantified).map_or(0, char::len_utf8);
    &literal[..literal.len() - last]
}

/// The alternatives of a regex: cut at each `|` that is neither escaped nor in a group or class.
fn alternatives(source: &str) -> Vec<&str> {
    let (mut alternatives, mut start) = (Vec::new(), 0);
    let (mut groups, mut classes, mut escaped) = (0_usize, 0_usize, false);
    // Where the newest class has its first character.
    let mut first = 0;
    for (at, char) in source.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => {
                classes += 1;
                first = at + if source[at..].starts_with("[^") { 2 } else { 1 };
            }
            // A literal, where it comes first in its class.
            ']' if classes > 0 && at == first => {}
            ']' => classes = classes.saturating_sub(1),
            '(' if classes == 0 => groups += 1,
            ')' if classes == 0 => groups = groups.saturating_sub(1),
            '|' if classes == 0 && groups == 0 => {
                alternatives.push(&source[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    alternatives.push(&source[start..]);
    alternatives
}

#[cfg(test)]
mod tests {
    use super::{alternatives, literal_prefix_length};

    #[test]
    fn a_bracket_that_comes_first_in_a_class_does_not_close_it() {
        for (source, expected) in [
            ("[]|x]a|b", vec!["[]|x]a", "b"]),
            ("[^]|x]a|b", vec!["[^]|x]a", "b"]),
            ("[^^]a|b", vec!["[^^]a", "b"]),
            ("[-]a|b", vec!["[-]a", "b"]),
            (r"[\[]a|b", vec![r"[\[]a", "b"]),
            ("[a[]|x]]a|b", vec!["[a[]|x]]a", "b"]),
            ("[a]|b", vec!["[a]", "b"]),
        ] {
            assert_eq!(alternatives(source), expected, "{source}");
            assert!(regex::Regex::new(source).is_ok(), "{source}");
        }
        assert_eq!(literal_prefix_length("/a/[]|x]"), 3);
    }
}
