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
    /// More characters.
    Prefix(Reverse<usize>),
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
            Some((Segment::Rest(_), before)) => PathRank::Prefix(Reverse(written_length(before))),
            _ => PathRank::Template(segments.iter().map(|segment| !matches!(segment, Segment::Literal(_))).collect()),
        },
        PathPattern::Regex { source, .. } => {
            PathRank::Regex(Reverse(literal_prefix_length(source)), Reverse(source.chars().count()))
        }
        PathPattern::Prefix(prefix) => PathRank::Prefix(Reverse(prefix.chars().count())),
    }
}

/// How many characters segments have as they were written, slashes included.
fn written_length(segments: &[Segment]) -> usize {
    let length = |segment: &Segment| match segment {
        Segment::Literal(text) => text.chars().count(),
        Segment::One(name) => name.chars().count() + 2,
        Segment::Rest(name) => name.chars().count() + 3,
    };
    segments.iter().map(|segment| 1 + length(segment)).sum()
}

/// How many characters stand before the first one with a meaning of its own.
fn literal_prefix_length(source: &str) -> usize {
    let special = |char: char| r"\.+*?()|[]{}^$".contains(char);
    let length = source.chars().take_while(|char| !special(*char)).count();
    // A quantifier takes the character before it along.
    let quantified = source.chars().nth(length).is_some_and(|char| "*?{".contains(char));
    length.saturating_sub(usize::from(quantified))
}
