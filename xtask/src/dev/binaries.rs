//! The project's own programs, built as they are deployed.

use std::path::PathBuf;

use serde_json::Value;

use crate::{
    failure::Failure,
    process::{cargo, output_of},
    workspace::Workspace,
};

/// Where they are.
#[derive(Debug)]
pub(super) struct Binaries {
    pub(super) publisher: PathBuf,
    pub(super) cli: PathBuf,
}

impl Binaries {
    /// Builds them one by one, so that none gets the features of another.
    ///
    /// The gateway too, if it is to run: `cargo lambda watch` would build it as well, but would not end if that failed.
    pub(super) async fn build(workspace: &Workspace, with_gateway: bool) -> Result<Self, Failure> {
        let programs = if with_gateway { "publisher, CLI and gateway" } else { "publisher and CLI" };
        println!("building {programs}: some minutes the first time");
        let publisher = build("publisher", workspace).await?;
        let cli = build("faregate-cli", workspace).await?;
        if with_gateway {
            build("gateway", workspace).await?;
        }
        Ok(Self { publisher, cli })
    }
}

async fn build(package: &str, workspace: &Workspace) -> Result<PathBuf, Failure> {
    let mut build = cargo(workspace);
    build.args(["build", "--package", package, "--message-format", "json-render-diagnostics"]);
    let messages = output_of(&mut build, &format!("cargo build -p {package}")).await?;
    executable(&messages).ok_or_else(|| Failure::new(format!("cargo build -p {package} made no program")))
}

/// The program that the last of cargo's messages with one names.
fn executable(messages: &str) -> Option<PathBuf> {
    let program = |line: &str| Some(serde_json::from_str::<Value>(line).ok()?["executable"].as_str()?.into());
    messages.lines().rev().find_map(program)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::executable;

    #[test]
    fn the_program_is_the_one_that_cargo_names() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/t/debug/gateway\"}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/gateway")));
        assert_eq!(executable("no json"), None);
    }
}
