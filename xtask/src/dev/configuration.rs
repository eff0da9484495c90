//! The configuration that the stack serves, checked and applied by the project's own CLI.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tokio::process::Command;

use super::{
    DevArguments, backend,
    binaries::Binaries,
    environment::{self, StackEnvironment},
};
use crate::{
    failure::Failure,
    process::{command, run_quietly},
    workspace::Workspace,
};

/// What is applied unless something else is asked for.
pub(super) const DEMO: &str = "examples/demo.yaml";

/// A configuration file.
#[derive(Debug)]
pub(super) struct Configuration {
    file: PathBuf,
    /// Whether it is the demo, whose routes and backend are known.
    pub(super) is_demo: bool,
}

impl Configuration {
    /// Finds the file; of the demo with another backend port a changed copy.
    pub(super) fn find(arguments: &DevArguments, workspace: &Workspace) -> Result<Self, Failure> {
        let demo = workspace.root().join(DEMO);
        let file = if arguments.config == Path::new(DEMO) { demo.clone() } else { arguments.config.clone() };
        let shown = workspace.shown(&file);
        let file = file.canonicalize().map_err(Failure::because(format!("the configuration {shown} (--config)")))?;
        // However it is written.
        let is_demo = demo.canonicalize().is_ok_and(|demo| demo == file);
        if !is_demo || arguments.backend_port == backend::DEFAULT_PORT {
            return Ok(Self { file, is_demo });
        }
        let text = fs::read_to_string(&file).map_err(Failure::because(&shown))?;
        let copy = workspace.dev(arguments.port).join("demo.yaml");
        let written = fs::write(&copy, with_backend_port(&text, arguments.backend_port));
        written.map_err(Failure::because(workspace.shown(&copy)))?;
        Ok(Self { file: copy, is_demo })
    }

    /// Has the CLI check it, before anything is started.
    pub(super) async fn validate(
        &self,
        binaries: &Binaries,
        environment: &StackEnvironment,
        workspace: &Workspace,
    ) -> Result<(), Failure> {
        let mut validate = cli(binaries, environment, workspace);
        run_quietly(validate.arg("validate").arg(&self.file), "faregate validate").await.map(drop)
    }

    /// Has the CLI put it into the tables and publish it. Tables that are kept may hold entries of the user's own:
    /// those stay, and if they cannot be published the stack starts with what was published last.
    pub(super) async fn apply(
        &self,
        binaries: &Binaries,
        environment: &StackEnvironment,
        kept: bool,
        workspace: &Workspace,
    ) -> Result<(), Failure> {
        let mut apply = cli(binaries, environment, workspace);
        apply.arg("apply").arg(&self.file);
        if !kept {
            apply.arg("--prune");
        }
        match run_quietly(&mut apply, "faregate apply").await {
            Err(failure) if kept => {
                println!("{failure}\nThe version published last goes on serving, if there is one.");
                Ok(())
            }
            applied => applied.map(drop),
        }
    }
}

/// Has the CLI make an API key of a consumer named demo; another one with each start.
pub(super) async fn demo_key(
    binaries: &Binaries,
    environment: &StackEnvironment,
    workspace: &Workspace,
) -> Result<String, Failure> {
    let mut create = cli(binaries, environment, workspace);
    create.args(["key", "create", "--consumer", "demo", "--name", "demo", "--json"]);
    let answer = run_quietly(&mut create, "faregate key create").await?;
    let answer: Value = serde_json::from_str(&answer).map_err(Failure::because("faregate key create"))?;
    let key = answer["key"].as_str().ok_or_else(|| Failure::new("faregate key create printed no key"))?;
    Ok(key.to_owned())
}

fn cli(binaries: &Binaries, environment: &StackEnvironment, workspace: &Workspace) -> Command {
    let mut command = command(&binaries.cli, workspace);
    environment::set(&mut command, &environment.operator());
    command.args(["--endpoint-url", environment.endpoint()]);
    command
}

fn with_backend_port(text: &str, port: u16) -> String {
    text.replace(&format!("http://127.0.0.1:{}", backend::DEFAULT_PORT), &format!("http://127.0.0.1:{port}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{Configuration, DEMO, with_backend_port};
    use crate::{Arguments, Command, workspace::Workspace};

    #[test]
    fn the_demo_is_known_however_its_path_is_written() {
        let workspace = Workspace::of_this_checkout();
        let root = workspace.root().display();
        let is_demo = |config: &str| {
            let arguments = Arguments::try_parse_from(["xtask", "dev", "--config", config]).expect("arguments");
            let Command::Dev(arguments) = arguments.command else { panic!("not dev") };
            Configuration::find(&arguments, &workspace).expect("a file").is_demo
        };
        assert!(is_demo(DEMO));
        assert!(is_demo(&format!("{root}/{DEMO}")) && is_demo(&format!("{root}/xtask/../{DEMO}")));
        assert!(!is_demo(&format!("{root}/examples/orders.yaml")));
    }

    #[test]
    fn the_demo_can_have_its_backend_at_another_port() {
        let demo = std::fs::read_to_string(Workspace::of_this_checkout().root().join(DEMO)).expect("the demo");
        let moved = with_backend_port(&demo, 9222);
        assert!(moved.contains("http://127.0.0.1:9222") && !moved.contains("9100"), "{moved}");
    }
}
