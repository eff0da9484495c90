//! Where things lie in this checkout.

use std::path::{Path, PathBuf};

/// The checkout that this program was built from.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    root: PathBuf,
    tools: PathBuf,
}

impl Workspace {
    pub(crate) fn of_this_checkout() -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = own.parent().unwrap_or(own).to_owned();
        let elsewhere = std::env::var_os("FAREGATE_TOOLS").filter(|folder| !folder.is_empty());
        let tools = elsewhere.map_or_else(|| root.join(".faregate/tools"), |folder| root.join(folder));
        Self { root, tools }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Tools installed for this project only: `.faregate/tools`, or the folder that `FAREGATE_TOOLS` names.
    pub(crate) fn tools(&self) -> PathBuf {
        self.tools.clone()
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
