//! Which route a request belongs to (docs/matching.md has the rules).
//!
//! Every match entry of every route gets, for each of its hosts, a rank when the snapshot is compiled:
//! priority, host, path, method, headers, query, route id, in that order. A request collects the entries
//! whose host and path fit from one radix tree per host, and the best ranked one that fits wholly wins.
//! So the cost depends on the request's own path, not on the number of routes.

mod conditions;
mod explain;
mod host;
mod pattern;
mod rank;
mod tree;

pub use conditions::Conditions;
pub use explain::{Miss, Verdict};
pub use host::{HostPattern, InvalidHost, canonical as canonical_host};
pub(crate) use pattern::compile_regex;
pub use pattern::{Captures, InvalidPattern, PathPattern};

use std::{collections::HashMap, sync::Arc};

use http::{HeaderMap, Method};

use conditions::MethodSet;
use rank::Rank;
use tree::{Ranks, Tree};

/// Most regexes that one host may be matched against.
pub const REGEXES_PER_HOST_MAX: usize = 200;

/// What a request is matched by.
#[derive(Clone, Copy, Debug)]
pub struct MatchRequest<'a> {
    /// The host in lower case, without its port.
    pub host: &'a str,
    /// The normalised path.
    pub path: &'a str,
    /// The query as it came.
    pub query: Option<&'a str>,
    /// The method.
    pub method: &'a Method,
    /// The headers as they came.
    pub headers: &'a HeaderMap,
}

/// One match entry of one route, compiled.
#[derive(Debug)]
pub struct Entry {
    /// The route's place in the snapshot.
    pub route: usize,
    /// The entry's place in the route.
    pub index: usize,
    /// The path.
    pub pattern: PathPattern,
    /// Everything else.
    pub conditions: Conditions,
}

/// What a route brings into the matcher.
#[derive(Debug)]
pub struct Candidate {
    /// The route's place in the snapshot.
    pub route: usize,
    /// Its id.
    pub id: Arc<str>,
    /// Its priority.
    pub priority: i32,
    /// Its hosts; never empty.
    pub hosts: Vec<HostPattern>,
    /// Its match entries; never empty.
    pub entries: Vec<(PathPattern, Conditions)>,
}

/// What a request is matched to.
#[derive(Clone, Debug)]
pub enum Match<'a> {
    /// This entry wins.
    Found(&'a Entry),
    /// Entries fit in all but the method; the first one's route decides about CORS.
    MethodNotAllowed {
        /// The best ranked of those entries.
        entry: &'a Entry,
        /// The methods that would have matched, sorted.
        allow: Vec<Method>,
    },
    /// Nothing fits.
    NotFound,
}

/// All routes, ready to be asked.
#[derive(Debug, Default)]
pub struct Matcher {
    entries: Vec<Entry>,
    /// Host and entry by rank: the place in this list is the rank.
    ranked: Vec<Ranked>,
    /// What is first looked at of an entry, by rank.
    shortcuts: Vec<Shortcut>,
    exact: HashMap<Box<str>, Tree>,
    wildcard: HashMap<Box<str>, Tree>,
    any: Tree,
}

/// An entry under one of its hosts.
#[derive(Debug)]
struct Ranked {
    host: HostPattern,
    entry: u32,
}

/// What decides most requests without a look at the entry itself, and so small that those of many entries lie close
/// together.
#[derive(Debug)]
struct Shortcut {
    entry: u32,
    /// The methods of an entry that asks for no header and no query parameter.
    methods: MethodSet,
}

impl Matcher {
    /// Ranks the candidates and builds the trees.
    #[must_use]
    pub fn build(candidates: Vec<Candidate>) -> Self {
        let mut matcher = Self::default();
        let mut unranked: Vec<(Rank, Ranked)> = Vec::new();
        for candidate in candidates {
            for (index, (pattern, conditions)) in candidate.entries.into_iter().enumerate() {
                let entry = u32::try_from(matcher.entries.len()).unwrap_or(u32::MAX);
                for host in &candidate.hosts {
                    let rank = Rank::new(candidate.priority, host, &pattern, &conditions, &candidate.id, index);
                    unranked.push((rank, Ranked { host: host.clone(), entry }));
                }
                matcher.entries.push(Entry { route: candidate.route, index, pattern, conditions });
            }
        }
        unranked.sort_by(|a, b| a.0.cmp(&b.0));
        for (rank, (_, ranked)) in (0..).zip(unranked) {
            let tree = match &ranked.host {
                HostPattern::Any => &mut matcher.any,
                HostPattern::Exact(host) => matcher.exact.entry(host.clone()).or_default(),
                HostPattern::Wildcard(suffix) => matcher.wildcard.entry(suffix.clone()).or_default(),
            };
            tree.insert(&matcher.entries[ranked.entry as usize].pattern, rank);
            let methods = matcher.entries[ranked.entry as usize].conditions.sufficient_methods();
            matcher.shortcuts.push(Shortcut { entry: ranked.entry, methods });
            matcher.ranked.push(ranked);
        }
        matcher
    }

    /// The host under which more than [`REGEXES_PER_HOST_MAX`] regexes stand, those of paths, headers and query
    /// parameters together, if there is one.
    #[must_use]
    pub fn host_with_too_many_regexes(&self) -> Option<String> {
        let mut counts: HashMap<&HostPattern, usize> = HashMap::new();
        for ranked in &self.ranked {
            let entry = &self.entries[ranked.entry as usize];
            let in_path = usize::from(matches!(entry.pattern, PathPattern::Regex { .. }));
            *counts.entry(&ranked.host).or_default() += in_path + entry.conditions.regex_count();
        }
        let too_many = counts.into_iter().filter(|(_, count)| *count > REGEXES_PER_HOST_MAX);
        too_many.map(|(host, _)| host.to_string()).min()
    }

    /// The entry that wins.
    #[must_use]
    pub fn find(&self, request: &MatchRequest<'_>) -> Match<'_> {
        self.find_where(request, Conditions::matches)
    }

    /// The entry that wins for a preflight: with the method that it asks for, whatever the headers.
    #[must_use]
    pub fn find_for_preflight(&self, request: &MatchRequest<'_>) -> Match<'_> {
        self.find_where(request, Conditions::matches_but_headers)
    }

    fn find_where(
        &self,
        request: &MatchRequest<'_>,
        fits: impl Fn(&Conditions, &MatchRequest<'_>) -> bool,
    ) -> Match<'_> {
        let mut first_without_method = None;
        let mut allow: Vec<Method> = Vec::new();
        for rank in self.ranks(request) {
            let shortcut = &self.shortcuts[rank as usize];
            let entry = &self.entries[shortcut.entry as usize];
            if shortcut.methods.contains(request.method) {
                return Match::Found(entry);
            }
            if !fits(&entry.conditions, request) {
                continue;
            }
            let Some(methods) = entry.conditions.refused_method(request.method) else {
                return Match::Found(entry);
            };
            first_without_method.get_or_insert(entry);
            allow.extend(methods.iter().cloned());
        }
        allow.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        allow.dedup();
        first_without_method.map_or(Match::NotFound, |entry| Match::MethodNotAllowed { entry, allow })
    }

    /// The ranks, best first, of the entries whose host and path fit.
    fn ranks(&self, request: &MatchRequest<'_>) -> Ranks {
        let mut ranks = Ranks::new();
        if let Some(tree) = self.exact.get(request.host) {
            tree.collect(request.path, &mut ranks);
        }
        for (dot, _) in request.host.match_indices('.') {
            if dot > 0
                && let Some(tree) = self.wildcard.get(&request.host[dot..])
            {
                tree.collect(request.path, &mut ranks);
            }
        }
        self.any.collect(request.path, &mut ranks);
        ranks.sort_unstable();
        ranks
    }
}

#[cfg(test)]
mod tests;
