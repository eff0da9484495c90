//! cargo-deny: the walls of `deny.toml`, and what is known to be wrong with crates.

use super::runner::Outcome;
use crate::{
    failure::Failure,
    process::{command, run, run_quietly},
    tools::cargo_deny,
    workspace::Workspace,
};

/// Who may depend on whom, under which licences, from where.
pub(super) async fn walls(workspace: &Workspace) -> Result<(), Failure> {
    let mut check = command(cargo_deny(workspace).await?, workspace);
    // A wrapper is a permission; not every crate makes use of it.
    check.args(["--all-features", "check", "--hide-inclusion-graph", "--allow", "unused-wrapper"]);
    check.args(["bans", "licenses", "sources"]);
    run(&mut check, "cargo deny check bans licenses sources").await
}

/// Says that advisories must be checked, with this value.
const VARIABLE: &str = "FAREGATE_ADVISORIES";
const REQUIRED: &str = "required";

/// Known vulnerabilities. The database is fetched from its public repository, which not every machine can reach: one that must
/// has `FAREGATE_ADVISORIES=required`.
pub(super) async fn advisories(workspace: &Workspace) -> Result<Outcome, Failure> {
    let asked = std::env::var_os(VARIABLE).unwrap_or_default();
    let is_required = is_required(&asked.to_string_lossy())?;
    let program = cargo_deny(workspace).await?;
    let fetched = run_quietly(command(&program, workspace).args(["fetch", "db"]), "cargo deny fetch db").await;
    if let Err(failure) = fetched {
        return not_fetched(&failure, is_required);
    }
    let mut check = command(&program, workspace);
    check.args(["--all-features", "check", "--disable-fetch", "advisories"]);
    run(&mut check, "cargo deny check advisories").await.map(|()| Outcome::Passed)
}

/// Whether the variable says that advisories must be checked.
fn is_required(asked: &str) -> Result<bool, Failure> {
    match asked {
        "" => Ok(false),
        REQUIRED => Ok(true),
        // A slip of the pen must not pass for less than was asked.
        other => Err(Failure::new(format!("{VARIABLE} is `{other}`, but must be `{REQUIRED}` or absent"))),
    }
}

/// What it means that there is no database.
fn not_fetched(failure: &Failure, is_required: bool) -> Result<Outcome, Failure> {
    let reason = "the advisory database cannot be fetched on this machine";
    if is_required {
        return Err(Failure::new(format!("{reason}, and {VARIABLE}={REQUIRED}\n{failure}")));
    }
    let advice = format!("where it can, set {VARIABLE}={REQUIRED}");
    Ok(Outcome::NotPossible(format!("{reason}; {advice}\n{failure}")))
}

#[cfg(test)]
mod tests {
    use super::{Failure, Outcome, is_required, not_fetched};

    #[test]
    fn without_the_database_it_depends_on_what_is_asked() {
        let failure = Failure::new("no network");
        assert_eq!(is_required(""), Ok(false));
        assert!(matches!(not_fetched(&failure, false), Ok(Outcome::NotPossible(why)) if why.contains("no network")));
        assert_eq!(is_required("required"), Ok(true));
        let refused = not_fetched(&failure, true).expect_err("it must be checked").to_string();
        assert!(refused.contains("no network") && refused.contains("FAREGATE_ADVISORIES=required"), "{refused}");
    }

    #[test]
    fn what_was_meant_to_ask_for_it_does_not_pass_for_nothing() {
        for asked in ["require", "1", "REQUIRED"] {
            assert!(is_required(asked).is_err_and(|failure| failure.to_string().contains(asked)), "{asked}");
        }
    }
}
