//! The extensions that one process registered, and the events they have yet to get.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// Extensions that one process may register, as on Lambda.
const EXTENSIONS_MAX: usize = 10;

/// An event for an extension, as `/event/next` answers it.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "eventType", rename_all = "UPPERCASE", rename_all_fields = "camelCase")]
pub(crate) enum ExtensionEvent {
    Invoke { deadline_ms: u64, request_id: String, invoked_function_arn: String },
    Shutdown { deadline_ms: u64, shutdown_reason: &'static str },
}

impl ExtensionEvent {
    fn kind(&self) -> EventKind {
        match self {
            Self::Invoke { .. } => EventKind::Invoke,
            Self::Shutdown { .. } => EventKind::Shutdown,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum EventKind {
    Invoke,
    Shutdown,
}

#[derive(Debug, Default)]
pub(crate) struct Extensions(Vec<Extension>);

#[derive(Debug)]
struct Extension {
    id: String,
    name: String,
    events: Vec<EventKind>,
    pending: VecDeque<ExtensionEvent>,
    waiter: Option<oneshot::Sender<ExtensionEvent>>,
}

impl Extensions {
    /// Registers an extension under `id`; `false` when there are too many.
    pub(crate) fn register(&mut self, id: String, name: String, events: Vec<EventKind>) -> bool {
        let room = self.0.len() < EXTENSIONS_MAX;
        if room {
            let pending = VecDeque::new();
            self.0.push(Extension { id, name, events, pending, waiter: None });
        }
        room
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|extension| extension.name.clone()).collect()
    }

    /// Will yield the next event of the extension `id`; `None` when there is no such extension.
    pub(crate) fn next(&mut self, id: &str) -> Option<oneshot::Receiver<ExtensionEvent>> {
        let extension = self.0.iter_mut().find(|extension| extension.id == id)?;
        let (sender, receiver) = oneshot::channel();
        extension.waiter = Some(sender);
        extension.deliver();
        Some(receiver)
    }

    /// Gives `event` to every extension that registered for its kind.
    pub(crate) fn publish(&mut self, event: &ExtensionEvent) {
        for extension in &mut self.0 {
            if extension.events.contains(&event.kind()) {
                extension.pending.push_back(event.clone());
                extension.deliver();
            }
        }
    }
}

impl Extension {
    fn deliver(&mut self) {
        let Some(waiter) = self.waiter.take() else {
            return;
        };
        let Some(event) = self.pending.pop_front() else {
            self.waiter = Some(waiter);
            return;
        };
        if let Err(event) = waiter.send(event) {
            self.pending.push_front(event);
        }
    }
}
