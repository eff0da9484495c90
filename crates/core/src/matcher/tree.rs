//! A radix tree over path segments: which ranks fit a path.
//!
//! An edge stands for as many segments as every pattern below it has in common, and where that is one pattern, the edge
//! holds it: among many routes, what a match costs are the places in memory that it comes by.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::{Hash, Hasher},
};

use smallvec::SmallVec;

use super::pattern::{PathPattern, Segment};

/// Ranks of entries; few, as a rule.
pub(super) type Ranks = SmallVec<[u32; 8]>;

/// Ranks by path, for one host. Ranks must be inserted in rising order.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    exact: HashMap<Box<str>, SmallVec<[u32; 2]>>,
    regexes: Vec<(regex::Regex, u32)>,
}

/// What is known after some segments.
#[derive(Debug, Default)]
struct Node {
    /// Where edges lead whose first segment is a literal.
    literals: HashMap<Label, Target>,
    /// The edge whose first segment is a name.
    one: Option<(Label, Target)>,
    patterns: Vec<Pattern>,
}

/// What stands at the end of an edge.
#[derive(Clone, Copy, Debug)]
enum Target {
    Node(u32),
    Pattern(Pattern),
}

/// A pattern whose segments have all been come by.
#[derive(Clone, Copy, Debug)]
struct Pattern {
    ends: Ends,
    rank: u32,
}

/// What may follow the segments of a pattern.
#[derive(Clone, Copy, Debug)]
enum Ends {
    /// Nothing.
    Here,
    /// Anything.
    Anywhere,
    /// Something: one more segment that is not empty, or more.
    Later,
}

/// The segments of an edge, a slash between them and [`ONE`] for a name. Of the edges of a node, no two begin with the
/// same segment: by that one they are found.
#[derive(Debug)]
struct Label {
    text: Box<str>,
    /// How many bytes the first segment has.
    first: u32,
}

/// Any one segment that is not empty. No path has this character.
const ONE: &str = "\0";

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
            PathPattern::Prefix(prefix) => self.insert_segments(prefix, Pattern { ends: Ends::Anywhere, rank }),
            PathPattern::Template(segments) => self.insert_template(segments, rank),
        }
    }

    fn insert_template(&mut self, segments: &[Segment], rank: u32) {
        let mut path = String::new();
        for segment in segments {
            let text = match segment {
                Segment::Literal(text) => text,
                Segment::One(_) => ONE,
                Segment::Rest(_) => return self.insert_segments(&path, Pattern { ends: Ends::Later, rank }),
            };
            path.push('/');
            path.push_str(text);
        }
        self.insert_segments(&path, Pattern { ends: Ends::Here, rank });
    }

    /// Inserts a pattern of segments, each after a slash.
    fn insert_segments(&mut self, path: &str, pattern: Pattern) {
        let (mut node, mut path) = (0_u32, path);
        while let Some((segment, after)) = first_segment(path) {
            let Some((label, target)) = self.nodes[node as usize].remove(segment) else {
                self.nodes[node as usize].add(Label::new(&path["/".len()..]), Target::Pattern(pattern));
                return;
            };
            let common = common_segments(label.tail(), after);
            let (label, below) = label.split(segment.len() + common);
            let next = match (below, target) {
                (None, Target::Node(next)) => next,
                (None, Target::Pattern(pattern)) => self.push(Node { patterns: vec![pattern], ..Node::default() }),
                (Some(below), target) => {
                    let mut between = Node::default();
                    between.add(below, target);
                    self.push(between)
                }
            };
            self.nodes[node as usize].add(label, Target::Node(next));
            (node, path) = (next, &after[common..]);
        }
        self.nodes[node as usize].patterns.push(pattern);
    }

    fn push(&mut self, node: Node) -> u32 {
        let place = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(node);
        place
    }

    /// Adds the ranks that fit a normalised path, in no particular order.
    pub(super) fn collect(&self, path: &str, ranks: &mut Ranks) {
        ranks.extend(self.exact.get(path).into_iter().flatten().copied());
        ranks.extend(self.regexes.iter().filter(|(regex, _)| regex.is_match(path)).map(|(_, rank)| *rank));
        self.walk(0, path, ranks);
    }

    /// Goes on at a node with what is left of the path: nothing, or segments that each follow a slash.
    fn walk(&self, node: u32, rest: &str, ranks: &mut Ranks) {
        #[cfg(test)]
        VISITED.set(VISITED.get() + 1);
        let node = &self.nodes[node as usize];
        ranks.extend(node.patterns.iter().filter(|pattern| pattern.fits(rest)).map(|pattern| pattern.rank));
        let Some((segment, after)) = first_segment(rest) else { return };
        let literal = node.literals.get_key_value(segment);
        let one = node.one.as_ref().filter(|_| !segment.is_empty()).map(|(label, target)| (label, target));
        for (label, target) in literal.into_iter().chain(one) {
            match (label.take_tail(after), target) {
                (None, _) => {}
                (Some(rest), Target::Node(next)) => self.walk(*next, rest, ranks),
                (Some(rest), Target::Pattern(pattern)) => ranks.extend(pattern.fits(rest).then_some(pattern.rank)),
            }
        }
    }
}

impl Node {
    /// Takes out the edge that begins with a segment.
    fn remove(&mut self, segment: &str) -> Option<(Label, Target)> {
        if segment == ONE { self.one.take() } else { self.literals.remove_entry(segment) }
    }

    fn add(&mut self, label: Label, target: Target) {
        if label.first() == ONE {
            self.one = Some((label, target));
        } else {
            self.literals.insert(label, target);
        }
    }
}

impl Pattern {
    /// Whether this may follow its segments.
    fn fits(self, rest: &str) -> bool {
        match self.ends {
            Ends::Here => rest.is_empty(),
            Ends::Anywhere => true,
            Ends::Later => rest.len() > "/".len(),
        }
    }
}

impl Label {
    fn new(text: &str) -> Self {
        let first = text.find('/').unwrap_or(text.len());
        Self { text: text.into(), first: u32::try_from(first).unwrap_or(u32::MAX) }
    }

    fn first(&self) -> &str {
        &self.text[..self.first as usize]
    }

    /// The segments after the first, each after a slash.
    fn tail(&self) -> &str {
        &self.text[self.first as usize..]
    }

    /// The segments up to a slash, and those after it if there are any.
    fn split(self, at: usize) -> (Self, Option<Self>) {
        match self.text[at..].strip_prefix('/') {
            Some(below) => (Self::new(&self.text[..at]), Some(Self::new(below))),
            None => (self, None),
        }
    }

    /// What is left of a path after the tail; `None` where the edge leads elsewhere.
    fn take_tail<'a>(&self, path: &'a str) -> Option<&'a str> {
        let (mut tail, mut path) = (self.tail(), path);
        while let Some((expected, tail_after)) = first_segment(tail) {
            let (segment, path_after) = first_segment(path)?;
            if expected != segment && (expected != ONE || segment.is_empty()) {
                return None;
            }
            (tail, path) = (tail_after, path_after);
        }
        Some(path)
    }
}

impl Borrow<str> for Label {
    fn borrow(&self) -> &str {
        self.first()
    }
}

impl Hash for Label {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.first().hash(state);
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        self.first() == other.first()
    }
}

impl Eq for Label {}

/// The first segment of what begins with a slash, and what follows it; `None` where there is none.
fn first_segment(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    Some(path.split_at(path.find('/').unwrap_or(path.len())))
}

/// How many bytes of whole segments two paths have in common.
fn common_segments(one: &str, other: &str) -> usize {
    let (mut left, mut right) = (one, other);
    while let (Some((first, after)), Some((second, after_second))) = (first_segment(left), first_segment(right))
        && first == second
    {
        (left, right) = (after, after_second);
    }
    one.len() - left.len()
}
