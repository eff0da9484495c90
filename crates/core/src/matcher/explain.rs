//! Why a route won and others did not; also the reference that the trees are tested against.

use http::{HeaderName, Method};

use super::{Entry, MatchRequest, Matcher};

/// What one entry, under one host, makes of a request.
#[derive(Debug)]
pub struct Verdict<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// Its place in the order: 0 is asked first.
    pub rank: usize,
    /// The first thing that does not fit; `None` where everything does.
    pub miss: Option<Miss<'a>>,
}

/// The first thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss<'a> {
    /// Another host.
    Host,
    /// Another path.
    Path,
    /// A header is missing or has another value.
    Header(&'a HeaderName),
    /// A query parameter is missing or has another value.
    Query(&'a str),
    /// Another method; these would do.
    Method(&'a [Method]),
}

impl Miss<'_> {
    /// How far the request came: larger is nearer.
    #[must_use]
    pub fn nearness(&self) -> u8 {
        match self {
            Self::Host => 0,
            Self::Path => 1,
            Self::Header(_) => 2,
            Self::Query(_) => 3,
            Self::Method(_) => 4,
        }
    }
}

impl Matcher {
    /// The verdict of every entry under every of its hosts, in rank order; asks each one, so for people only.
    pub fn explain<'a>(&'a self, request: &'a MatchRequest<'_>) -> impl Iterator<Item = Verdict<'a>> {
        self.ranked.iter().enumerate().map(|(rank, ranked)| {
            let entry = &self.entries[ranked.entry as usize];
            let conditions = &entry.conditions;
            let miss = if !ranked.host.matches(request.host) {
                Some(Miss::Host)
            } else if entry.pattern.captures(request.path).is_none() {
                Some(Miss::Path)
            } else if let Some(name) = conditions.missed_header(request) {
                Some(Miss::Header(name))
            } else if let Some(name) = conditions.missed_query(request) {
                Some(Miss::Query(name))
            } else {
                conditions.refused_method(request.method).map(Miss::Method)
            };
            Verdict { entry, rank, miss }
        })
    }
}
