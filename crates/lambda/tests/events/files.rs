//! Reading event files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// The folder of the hand-made events.
pub(crate) fn examples_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

/// Every `X.json` below the folder of hand-made events that has an `X.expected.json` beside it.
pub(crate) fn examples() -> Vec<PathBuf> {
    let folder = examples_folder();
    let kinds = fs::read_dir(&folder).expect("the events' folder").map(|entry| entry.expect("an entry").path());
    let files = kinds.filter(|path| path.is_dir()).flat_map(|kind| fs::read_dir(kind).expect("a folder"));
    let mut paths: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.retain(|path| !path.to_string_lossy().ends_with(".expected.json"));
    paths.sort();
    paths
}

/// The bytes of a file.
pub(crate) fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The JSON in a file.
pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&bytes(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
