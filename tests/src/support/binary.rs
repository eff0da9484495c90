//! The project's binaries, as cargo built them.

use std::path::{Path, PathBuf};

/// The binary was not built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is missing: run `{command}` first", .path.display())]
pub struct MissingBinary {
    /// What builds it.
    pub command: String,
    /// Where it should be.
    pub path: PathBuf,
}

/// Where cargo puts the binary `name` in the profile of the running test: `target/<profile>/<name>`.
///
/// Cargo builds no binaries of other packages for a test, and does not notice when one is out of date.
///
/// # Errors
///
/// [`MissingBinary`] with what to run.
pub fn binary(name: &str) -> Result<PathBuf, MissingBinary> {
    let path = profile_folder().join(name);
    let command = format!("cargo build -p {name}{}", release_flag(&path));
    built(path, command)
}

/// What the gateway is compared with, as `cargo xtask bench` built it: `target/baselines/release/<name>`.
///
/// # Errors
///
/// [`MissingBinary`] with what to run.
pub fn baseline(name: &str) -> Result<PathBuf, MissingBinary> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/baselines/release"));
    built(folder.join(name), "cargo xtask bench".to_owned())
}

fn built(path: PathBuf, command: String) -> Result<PathBuf, MissingBinary> {
    if path.is_file() { Ok(path) } else { Err(MissingBinary { command, path }) }
}

/// The target folder, for reports.
#[must_use]
pub fn target_folder() -> PathBuf {
    profile_folder().parent().map(Path::to_owned).unwrap_or_default()
}

/// `target/<profile>`, of which a test is two levels below.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    test.ancestors().nth(2).map(Path::to_owned).unwrap_or_default()
}

fn release_flag(path: &Path) -> &'static str {
    let profile = path.parent().and_then(Path::file_name);
    if profile.is_some_and(|name| name == "release") { " --release" } else { "" }
}
