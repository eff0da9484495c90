//! A radix tree over path segments: which ranks fit a path.

use std::collections::HashMap;

use super::pattern::{PathPattern, Segment};

/// Ranks by path, for one host. Ranks must be inserted in rising order.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    exact: HashMap<Box<str>, Vec<u32>>,
    regexes: Vec<(regex::Regex, u32)>,
}

/// What is known after some segments.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, usize>,
    one: Option<usize>,
    /// Templates that end here.
    ends: Vec<u32>,
    /// Templates that take all that follows, if anything does.
    rests: Vec<u32>,
    /// Prefixes that end here.
    prefixes: Vec<u32>,
}

#[cfg(test)]
thread_local! {
    /// How many nodes requests of this thread have come by.
    pub(super) static VISITED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], exact: HashMap::new(), regexes: Vec::new() }
    }
}

impl Tree {
    pub(super) fn insert(&mut self, pattern: &PathPattern, rank: u32) {
        match pattern {
            PathPattern::Exact(path) => self.exact.entry(path.clone()).or_default().push(rank),
            PathPattern::Regex { regex, .. } => self.regexes.push((regex.clone(), rank)),
            PathPattern::Prefix(prefix) => {
                let node = prefix.split('/').skip(1).fold(0, |node, segment| self.literal(node, segment));
                self.nodes[node].prefixes.push(rank);
            }
            PathPattern::Template(segments) => self.insert_template(segments, rank),
        }
    }

    fn insert_template(&mut self, segments: &[Segment], rank: u32) {
        let mut node = 0;
        for segment in segments {
            node = match segment {
                Segment::Literal(text) => self.literal(node, text),
                Segment::One(_) => self.one(node),
                Segment::Rest(_) => {
                    self.nodes[node].rests.push(rank);
                    return;
                }
            };
        }
        self.nodes[node].ends.push(rank);
    }

    fn literal(&mut self, node: usize, segment: &str) -> usize {
        if let Some(next) = self.nodes[node].literals.get(segment) {
            return *next;
        }
        let next = self.new_node();
        self.nodes[node].literals.insert(segment.into(), next);
        next
    }

    fn one(&mut self, node: usize) -> usize {
        if let Some(next) = self.nodes[node].one {
            return next;
        }
        let next = self.new_node();
        self.nodes[node].one = Some(next);
        next
    }

    fn new_node(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    /// Adds the ranks that fit a normalised path, in no particular order.
    pub(super) fn collect(&self, path: &str, ranks: &mut Vec<u32>) {
        ranks.extend(self.exact.get(path).into_iter().flatten());
        ranks.extend(self.regexes.iter().filter(|(regex, _)| regex.is_match(path)).map(|(_, rank)| rank));
        self.walk(0, path.strip_prefix('/'), ranks);
    }

    /// Goes on at `node` with what is left of the path; `None` when its last segment is taken.
    fn walk(&self, node: usize, rest: Option<&str>, ranks: &mut Vec<u32>) {
        #[cfg(test)]
        VISITED.set(VISITED.get() + 1);
        let node = &self.nodes[node];
        ranks.extend(&node.prefixes);
        let Some(rest) = rest else {
            ranks.extend(&node.ends);
            return;
        };
        if !rest.is_empty() {
            ranks.extend(&node.rests);
        }
        let (segment, after) = rest.split_once('/').map_or((rest, None), |(segment, after)| (segment, Some(after)));
        if let Some(next) = node.literals.get(segment) {
            self.walk(*next, after, ranks);
        }
        if let Some(next) = node.one.filter(|_| !segment.is_empty()) {
            self.walk(next, after, ranks);
        }
    }
}
