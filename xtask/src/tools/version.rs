//! Versions of programs, as they tell them.

use std::path::Path;

use crate::{
    process::{command, run_quietly},
    workspace::Workspace,
};

/// Major, minor, patch.
pub(super) type Version = (u32, u32, u32);

/// What the program answers to `arguments`, if it answers with a version.
pub(super) async fn version_of(program: &Path, arguments: &[&str], workspace: &Workspace) -> Option<Version> {
    let told = run_quietly(command(program, workspace).args(arguments), "asking for the version").await.ok()?;
    parse(&told)
}

/// The version in a line such as `cargo-lambda 1.9.2 (67129fc 2026-08-21Z)`.
fn parse(told: &str) -> Option<Version> {
    let mut numbers = told.split_ascii_whitespace().nth(1)?.split(['.', '-', '+']);
    let mut number = || numbers.next()?.parse().ok();
    Some((number()?, number()?, number()?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_version_is_the_second_word() {
        assert_eq!(parse("cargo-lambda 1.9.2 (67129fc 2026-08-21Z)"), Some((1, 9, 2)));
        assert_eq!(parse("cargo-deny 0.20.2-rc.1\n"), Some((0, 20, 2)));
        assert_eq!(parse("cargo-lambda"), None);
        assert_eq!(parse("error: no such command"), None);
    }
}
