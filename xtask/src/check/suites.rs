//! The public suites that the project does not commit: whether tests find them.

use std::path::Path;

use super::runner::Outcome;
use crate::{failure::Failure, workspace::Workspace};

/// What tests read there.
const SUITES: [&str; 4] = [
    "aws-events/INDEX.json",
    "gateway-api-httproute.json",
    "jwt-wycheproof.json",
    "ratelimit-ietf-draft-examples.json",
];

/// Where they are looked for unless a folder is named, seen from the checkout.
const BESIDE: &str = "../shared/vectors";

/// Whether all are there. A folder that somebody names has them, or the name is a mistake.
pub(super) fn find(workspace: &Workspace) -> Result<Outcome, Failure> {
    let named = std::env::var_os("FAREGATE_VECTORS").filter(|folder| !folder.is_empty());
    judge(named.as_deref().map(Path::new), &workspace.root().join(BESIDE))
}

fn judge(named: Option<&Path>, beside: &Path) -> Result<Outcome, Failure> {
    let folder = named.unwrap_or(beside);
    let missing: Vec<&str> = SUITES.into_iter().filter(|suite| !folder.join(suite).is_file()).collect();
    if missing.is_empty() {
        return Ok(Outcome::Passed);
    }
    let missing = missing.join(", ");
    match named {
        Some(folder) => {
            Err(Failure::new(format!("FAREGATE_VECTORS is {}, where there is no {missing}", folder.display())))
        }
        None => Ok(Outcome::NotPossible(format!(
            "no {missing} in {BESIDE}; FAREGATE_VECTORS may name another folder: tests leave out what is not there"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Outcome, SUITES, judge};

    #[test]
    fn suites_that_are_absent_are_told_and_a_named_folder_must_have_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let absent = judge(None, folder.path());
        assert!(
            matches!(&absent, Ok(Outcome::NotPossible(why)) if why.contains("FAREGATE_VECTORS") && why.contains(SUITES[3])),
            "{absent:?}"
        );
        let nowhere = folder.path().join("nowhere");
        for named in [folder.path(), &nowhere] {
            let refused = judge(Some(named), folder.path()).expect_err("a mistake").to_string();
            assert!(refused.starts_with("FAREGATE_VECTORS is ") && refused.contains(SUITES[0]), "{refused}");
        }
        fs::create_dir(folder.path().join("aws-events")).expect("a folder");
        for suite in SUITES {
            fs::write(folder.path().join(suite), "{}").expect("a file");
        }
        assert!(matches!(judge(Some(folder.path()), &nowhere), Ok(Outcome::Passed)));
        assert!(matches!(judge(None, folder.path()), Ok(Outcome::Passed)));
    }
}
