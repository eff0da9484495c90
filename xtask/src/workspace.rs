//! Where things lie in this checkout.

use std::path::{Path, PathBuf};

/// The checkout that this program was built from.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    pub(crate) fn of_this_checkout() -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self { root: own.parent().unwrap_or(own).to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Tools installed for this project only.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join(".faregate/tools")
    }

    /// Logs and other leavings of the local stack whose gateway has that port: several may run at once.
    pub(crate) fn dev(&self, port: u16) -> PathBuf {
        self.root.join(".faregate/dev").join(port.to_string())
    }

    /// `path` as one would type it in the checkout's folder.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}
