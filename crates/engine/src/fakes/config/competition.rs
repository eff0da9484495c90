//! Another publisher, at the worst moment.

use super::{FakeConfigStore, locked};
use crate::published::SnapshotHead;

impl FakeConfigStore {
    /// Runs before every flip from now on, outside of all locks; see [`Self::publish_elsewhere`].
    pub fn before_flip(&self, hook: impl FnMut(&Self) + Send + 'static) {
        *locked(&self.before_flip) = Some(Box::new(hook));
    }

    /// Runs nothing before flips any more.
    pub fn nothing_before_flip(&self) {
        *locked(&self.before_flip) = None;
    }

    /// What a competitor does who is faster: the current version rises by one, with a made-up hash and without
    /// chunks.
    pub fn publish_elsewhere(&self) -> SnapshotHead {
        let mut table = locked(&self.table);
        let version = table.current.as_ref().map_or(0, |head| head.version) + 1;
        let head = SnapshotHead {
            version,
            hash: format!("{version:064x}"),
            format: crate::published::FORMAT,
            chunks: 0,
            published_at: table.current.as_ref().map(|head| head.published_at).unwrap_or_default(),
        };
        table.heads.insert(version, head.clone());
        table.current = Some(head.clone());
        head
    }

    /// Runs the hook; it may set another one meanwhile, which then stays.
    pub(super) fn compete(&self) {
        let hook = locked(&self.before_flip).take();
        if let Some(mut hook) = hook {
            hook(self);
            locked(&self.before_flip).get_or_insert(hook);
        }
    }
}
