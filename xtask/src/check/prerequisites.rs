//! What must be on the machine before anything else: everything that is missing is named at once.

use crate::{
    failure::Failure,
    process::{cargo, command, in_path, run_quietly},
    workspace::Workspace,
};

/// The oldest Node.js that the OpenID provider of the tests runs in.
const NODE_OLDEST: u32 = 20;

/// Programs, and what they are needed for.
const PROGRAMS: [(&str, &str); 4] = [
    ("cc", "a C compiler"),
    ("npm", "it brings the OpenID provider of the tests"),
    ("curl", "tests call with it"),
    ("openssl", "a test makes a key with it, as the README says"),
];

/// Looks for all.
///
/// # Errors
/// If something is missing; names all of it.
pub(super) async fn check(workspace: &Workspace) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for (part, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let version = run_quietly(cargo(workspace).args([part, "--version"]), component).await;
        if version.is_err() {
            missing.push(format!("{component} (rustup component add {component})"));
        }
    }
    for (program, purpose) in PROGRAMS {
        if in_path(program).is_none() {
            missing.push(format!("{program} ({purpose})"));
        }
    }
    let venv = run_quietly(command("python3", workspace).args(["-c", "import ensurepip, venv"]), "python3").await;
    if venv.is_err() {
        missing.push("python3 with its venv module (it brings cargo-lambda and what the tests ask)".to_owned());
    }
    let node = run_quietly(command("node", workspace).arg("--version"), "node").await;
    if !node.is_ok_and(|told| is_new_enough(&told)) {
        missing.push(format!(
            "node {NODE_OLDEST} or newer (Node.js: an OpenID provider and CloudFront's function run in it)"
        ));
    }
    all_there(&missing)
}

fn all_there(missing: &[String]) -> Result<(), Failure> {
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("these are not on this machine:\n  {}", missing.join("\n  "))))
}

/// Whether Node.js tells a version such as `v20.11.1` that will do.
fn is_new_enough(told: &str) -> bool {
    let major = told.trim().strip_prefix('v').and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    major.is_some_and(|major| major >= NODE_OLDEST)
}

#[cfg(test)]
mod tests {
    use super::{all_there, is_new_enough};

    #[test]
    fn everything_that_is_missing_is_named_in_one_message() {
        assert!(all_there(&[]).is_ok());
        let failure = all_there(&["cc (a C compiler)".to_owned(), "npm".to_owned()]).expect_err("missing");
        assert_eq!(failure.to_string(), "these are not on this machine:\n  cc (a C compiler)\n  npm");
    }

    #[test]
    fn an_old_node_will_not_do() {
        assert!(is_new_enough("v20.0.0\n") && is_new_enough("v24.1.0"));
        assert!(!is_new_enough("v18.20.4\n") && !is_new_enough("") && !is_new_enough("20.0.0"));
    }
}
