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

/// Known vulnerabilities. The database is fetched from its public repository, which not every machine can reach.
pub(super) async fn advisories(workspace: &Workspace) -> Result<Outcome, Failure> {
    let program = cargo_deny(workspace).await?;
    let fetched = run_quietly(command(&program, workspace).args(["fetch", "db"]), "cargo deny fetch db").await;
    if let Err(failure) = fetched {
        let reason =
            "the advisory database cannot be fetched on this machine; where it can, run `cargo deny check advisories`";
        return Ok(Outcome::NotPossible(format!("{reason}\n{failure}")));
    }
    let mut check = command(&program, workspace);
    check.args(["--all-features", "check", "--disable-fetch", "advisories"]);
    run(&mut check, "cargo deny check advisories").await.map(|()| Outcome::Passed)
}
