//! Events of the parser → value and places.

use std::{borrow::Cow, collections::HashMap};

use faregate_core::diagnostic::{Diagnostic, codes};
use saphyr_parser::{Event, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use super::{ALIASED_NODES_MAX, DEPTH_MAX, Location, Places, diagnostic, scalar};

/// Collects events.
#[derive(Debug, Default)]
pub(super) struct Builder {
    frames: Vec<Frame>,
    root: Option<Value>,
    documents: usize,
    /// The pointer of the node that is read at present.
    pointer: String,
    places: Places,
    diagnostics: Vec<Diagnostic>,
    /// What anchors stand for, with the number of nodes in it.
    anchors: HashMap<usize, (Value, usize)>,
    aliased_nodes: usize,
}

/// Why reading cannot go on.
#[derive(Debug)]
pub(super) struct Stop {
    /// Where.
    pub(super) at: Location,
    /// The diagnostic's code.
    pub(super) code: &'static str,
    /// What is wrong.
    pub(super) message: String,
}

/// A collection that is not yet whole.
#[derive(Debug)]
struct Frame {
    content: Content,
    /// 0 for none.
    anchor: usize,
    /// How many nodes it holds so far, itself included.
    nodes: usize,
    /// How long the collection's own pointer is.
    pointer_len: usize,
}

#[derive(Debug)]
enum Content {
    List(Vec<Value>),
    Mapping { members: Map<String, Value>, key: Option<Key> },
}

#[derive(Debug)]
struct Key {
    name: String,
    at: Location,
    /// Stood before in the same mapping; its value is read and dropped.
    again: bool,
}

impl Builder {
    /// Takes one event.
    pub(super) fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let at = Location::of(&span.start);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(stop(at, codes::MALFORMED, "a file holds one document; a second one begins here"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag, at);
                if self.awaits_key() {
                    self.key(&text, style, at);
                } else {
                    let value = self.scalar(text, style, at);
                    self.begin(at);
                    self.end(value, anchor, 1, at)?;
                }
            }
            Event::SequenceStart(anchor, tag) => self.open(Content::List(Vec::new()), anchor, tag, at)?,
            Event::MappingStart(anchor, tag) => {
                self.open(Content::Mapping { members: Map::new(), key: None }, anchor, tag, at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(at)?,
            Event::Alias(anchor) => self.alias(anchor, at)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    /// The value of the whole text; of an empty one null.
    pub(super) fn finish(self) -> (Value, Places, Vec<Diagnostic>) {
        (self.root.unwrap_or_default(), self.places, self.diagnostics)
    }

    fn awaits_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { content: Content::Mapping { key: None, .. }, .. }))
    }

    fn key(&mut self, text: &str, style: ScalarStyle, at: Location) {
        let is_text = style != ScalarStyle::Plain || matches!(scalar::resolve(text), Ok(Value::String(_)));
        let Some(Frame { content: Content::Mapping { members, key }, .. }) = self.frames.last_mut() else { return };
        let again = members.contains_key(text);
        *key = Some(Key { name: text.to_owned(), at, again });
        self.pointer.push('/');
        self.pointer.push_str(&text.replace('~', "~0").replace('/', "~1"));
        if again {
            self.report(at, codes::DUPLICATE, format!("`{text}` stands twice in this mapping"));
        } else if !is_text {
            self.report(at, codes::MALFORMED, format!("a key is a string: quote `{text}`"));
        }
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, at: Location) -> Value {
        if style != ScalarStyle::Plain {
            return Value::String(text.into_owned());
        }
        scalar::resolve(&text).unwrap_or_else(|error| {
            self.report(at, codes::MALFORMED, error.to_string());
            Value::Null
        })
    }

    /// Takes note of where a value begins and what its pointer is.
    fn begin(&mut self, at: Location) {
        let key = match self.frames.last() {
            Some(Frame { content: Content::List(items), .. }) => {
                self.pointer.push_str(&format!("/{}", items.len()));
                None
            }
            Some(Frame { content: Content::Mapping { key, .. }, .. }) => key.as_ref().map(|key| key.at),
            None => None,
        };
        self.places.insert(&self.pointer, key, at);
    }

    /// Puts a value that is whole into its collection.
    fn end(&mut self, value: Value, anchor: usize, nodes: usize, at: Location) -> Result<(), Stop> {
        if anchor > 0 {
            self.spend(nodes, at)?;
            self.anchors.insert(anchor, (value.clone(), nodes));
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        frame.nodes += nodes;
        match &mut frame.content {
            Content::List(items) => items.push(value),
            Content::Mapping { members, key } => {
                if let Some(Key { name, again: false, .. }) = key.take() {
                    members.insert(name, value);
                }
            }
        }
        self.pointer.truncate(frame.pointer_len);
        Ok(())
    }

    fn open(&mut self, content: Content, anchor: usize, tag: Option<Cow<'_, Tag>>, at: Location) -> Result<(), Stop> {
        self.refuse_tag(tag, at);
        if self.awaits_key() {
            return Err(stop(at, codes::MALFORMED, "a key is a string, not a list or a mapping"));
        }
        if self.frames.len() == DEPTH_MAX {
            return Err(stop(at, codes::TOO_MANY, format!("more than {DEPTH_MAX} levels of nesting")));
        }
        self.begin(at);
        self.frames.push(Frame { content, anchor, nodes: 1, pointer_len: self.pointer.len() });
        Ok(())
    }

    fn close(&mut self, at: Location) -> Result<(), Stop> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let value = match frame.content {
            Content::List(items) => Value::Array(items),
            Content::Mapping { members, .. } => Value::Object(members),
        };
        self.end(value, frame.anchor, frame.nodes, at)
    }

    fn alias(&mut self, anchor: usize, at: Location) -> Result<(), Stop> {
        if self.awaits_key() {
            return Err(stop(at, codes::MALFORMED, "a key is a string, not an alias"));
        }
        let Some((value, nodes)) = self.anchors.get(&anchor) else {
            return Err(stop(at, codes::MALFORMED, "an alias inside of what it stands for"));
        };
        let nodes = *nodes;
        let depth = depth(value);
        if self.frames.len() + depth > DEPTH_MAX {
            return Err(stop(at, codes::TOO_MANY, format!("more than {DEPTH_MAX} levels of nesting")));
        }
        let value = value.clone();
        self.spend(nodes, at)?;
        self.begin(at);
        self.end(value, 0, nodes, at)
    }

    fn spend(&mut self, nodes: usize, at: Location) -> Result<(), Stop> {
        self.aliased_nodes = self.aliased_nodes.saturating_add(nodes);
        if self.aliased_nodes > ALIASED_NODES_MAX {
            return Err(stop(at, codes::TOO_MANY, format!("anchors and aliases over {ALIASED_NODES_MAX} values")));
        }
        Ok(())
    }

    fn refuse_tag(&mut self, tag: Option<Cow<'_, Tag>>, at: Location) {
        if let Some(tag) = tag {
            self.report(at, codes::MALFORMED, format!("there are no tags here: leave `{tag}` out"));
        }
    }

    fn report(&mut self, at: Location, code: &str, message: String) {
        self.diagnostics.push(diagnostic(at, &self.pointer, code, message));
    }
}

/// How deep collections stand in each other; bounded, since every anchor was read within [`DEPTH_MAX`].
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn stop(at: Location, code: &'static str, message: impl Into<String>) -> Stop {
    Stop { at, code, message: message.into() }
}
