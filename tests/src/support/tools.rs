//! Programs that `cargo xtask test` installs for the tests.

use std::path::{Path, PathBuf};

/// The folder with the programs of one tool: below `FAREGATE_TOOLS`, or `.faregate/tools` of the checkout.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "tests are started by hand, and told so where their tools are")]
pub fn programs(tool: &str) -> PathBuf {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let named = std::env::var_os("FAREGATE_TOOLS").filter(|folder| !folder.is_empty());
    let tools = named.map_or_else(|| PathBuf::from(".faregate/tools"), PathBuf::from);
    checkout.join(tools).join(tool).join("bin")
}
