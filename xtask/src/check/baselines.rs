//! What benches compare the gateway with is built from the versions of crates that the gateway is built from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::{bench::BASELINES, failure::Failure, workspace::Workspace};

/// Crates whose version decides what a bench compares.
const SHARED: [&str; 7] = ["http", "hyper", "hyper-util", "lambda_runtime", "rustls", "serde_json", "tokio"];

/// Whether the baselines have no version of [`SHARED`] that the project has not; AWS's clients bring older ones, too.
pub(super) fn same_versions(workspace: &Workspace) -> Result<(), Failure> {
    let read = |path: &str| {
        fs::read_to_string(workspace.root().join(path)).map_err(Failure::because(format!("{path} cannot be read")))
    };
    let baselines = BASELINES.replace("Cargo.toml", "Cargo.lock");
    compare(&read("Cargo.lock")?, &read(&baselines)?)
        .map_err(|names| Failure::new(format!("{baselines} has other versions than Cargo.lock of {names}")))
}

fn compare(own: &str, theirs: &str) -> Result<(), String> {
    let (own, theirs) = (versions(own), versions(theirs));
    let differ = SHARED.into_iter().filter(|name| match (own.get(name), theirs.get(name)) {
        (Some(own), Some(theirs)) => !theirs.is_subset(own),
        // What one of them lacks altogether is a mistake in the list above.
        _ => true,
    });
    let names = differ.collect::<Vec<_>>().join(", ");
    if names.is_empty() { Ok(()) } else { Err(names) }
}

/// The versions of each crate in a lock file.
fn versions(lock: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut versions = BTreeMap::<_, BTreeSet<_>>::new();
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            line.map(|text| text.trim_matches('"'))
        };
        if let (Some(name), Some(version)) = (value("name"), value("version")) {
            versions.entry(name).or_default().insert(version);
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::{SHARED, compare};

    fn lock(tokio: &str) -> String {
        let version = |name: &&str| if *name == "tokio" { tokio.to_owned() } else { "1.0.0".to_owned() };
        let package = |name: &&str| format!("[[package]]\nname = \"{name}\"\nversion = \"{}\"\n\n", version(name));
        SHARED.iter().map(package).collect()
    }

    #[test]
    fn a_crate_with_another_version_is_named() {
        assert_eq!(compare(&lock("1.2.3"), &lock("1.2.3")), Ok(()));
        assert_eq!(compare(&(lock("1.2.3") + &lock("0.9.0")), &lock("1.2.3")), Ok(()));
        assert_eq!(compare(&lock("1.2.3"), &lock("1.2.4")), Err("tokio".to_owned()));
        let lacking = lock("1.2.3").replace("name = \"http\"", "name = \"https\"");
        assert_eq!(compare(&lock("1.2.3"), &lacking), Err("http".to_owned()));
        assert_eq!(compare(&lacking, &lacking), Err("http".to_owned()));
    }
}
