//! The deployment templates.

use std::{fs, path::PathBuf};

use crate::{
    failure::Failure,
    process::{command, in_path, run},
    tools::{PythonTool, cargo_lambda, ensure_python_tool},
    workspace::Workspace,
};

const TEMPLATE: &str = "template.yaml";

/// All of them: the gateway's, and the stacks beside it.
const TEMPLATES: [&str; 3] = [TEMPLATE, "infra/dashboard.yaml", "infra/edge.yaml"];

/// What is left out of some of them by default, and how it is chosen.
const OPTIONS: [(&str, &[(&str, &str)]); 2] = [
    (TEMPLATE, &[("Alarms", r#""true""#), ("SubnetIds", "subnet-1,subnet-2"), ("SecurityGroupIds", "sg-1")]),
    (
        "infra/edge.yaml",
        &[("Waf", r#""true""#), ("DomainName", "api.example.com"), ("HostedZoneId", "Z0123456789ABCDEFGHIJ")],
    ),
];

/// What the function of the last one makes of requests.
const EDGE_FUNCTION_TEST: &str = "tests/edge/function.test.mjs";

/// How the names of the development switches begin.
const SWITCH: &str = "FAREGATE_ALLOW_";

const SAM: PythonTool = PythonTool { name: "sam", program: "sam" };
const CFN_LINT: PythonTool = PythonTool { name: "cfn-lint", program: "cfn-lint" };
const CHECKOV: PythonTool = PythonTool { name: "checkov", program: "checkov" };

/// Nothing that is for development only may be deployed (SECURITY.md 28).
pub(super) fn no_development_switch(workspace: &Workspace) -> Result<(), Failure> {
    for name in TEMPLATES {
        let template = fs::read_to_string(workspace.root().join(name)).map_err(Failure::because(name))?;
        if let Some(line) = line_with_switch(&template) {
            return Err(Failure::new(format!("{name}:{line}: a development switch ({SWITCH}…)")));
        }
    }
    Ok(())
}

/// The function that CloudFront runs, with made-up requests.
pub(super) async fn edge_function(workspace: &Workspace) -> Result<(), Failure> {
    let Some(node) = in_path("node") else {
        return Err(Failure::new("no node in PATH; Node.js 20 or newer is needed for the function of infra/edge.yaml"));
    };
    let mut test = command(node, workspace);
    test.args(["--test", "--test-reporter=spec", EDGE_FUNCTION_TEST]);
    run(&mut test, "node --test").await
}

/// AWS SAM's own check and linter; it needs neither an account nor a region.
pub(super) async fn sam(workspace: &Workspace) -> Result<(), Failure> {
    let program = ensure_python_tool(SAM, workspace).await?;
    for template in TEMPLATES {
        let mut validate = command(&program, workspace);
        validate.args(["validate", "--lint", "--template-file", template]).env("SAM_CLI_TELEMETRY", "0");
        run(&mut validate, &format!("sam validate --lint --template-file {template}")).await?;
    }
    Ok(())
}

/// Where what is deployed lies once it is built; the test of the deployment looks there.
const BUILT: &str = ".faregate/sam";

/// Builds what `sam deploy` deploys, as the README says, for the processor of this machine.
pub(super) async fn build(workspace: &Workspace) -> Result<(), Failure> {
    let program = ensure_python_tool(SAM, workspace).await?;
    let mut build = command(program, workspace);
    build.args(["build", "--template-file", TEMPLATE, "--build-dir", BUILT]);
    build.args(["--parameter-overrides", "Architecture=x86_64"]);
    build.env("SAM_CLI_TELEMETRY", "0").env("PATH", cargo_lambda(workspace).await?.path());
    run(&mut build, "sam build").await
}

/// Compares what it built with the budget.
pub(super) async fn sizes(workspace: &Workspace) -> Result<(), Failure> {
    let program = ensure_python_tool(SAM, workspace).await?;
    crate::build::sizes(&workspace.root().join(BUILT), &program, workspace).await
}

/// A newer linter than the one inside SAM.
pub(super) async fn cfn_lint(workspace: &Workspace) -> Result<(), Failure> {
    let program = ensure_python_tool(CFN_LINT, workspace).await?;
    run(command(program, workspace).args(TEMPLATES), "cfn-lint").await
}

/// Known mistakes of configuration. What is left out says why beside its resource, and so does the output.
pub(super) async fn checkov(workspace: &Workspace) -> Result<(), Failure> {
    let program = ensure_python_tool(CHECKOV, workspace).await?;
    // A resource whose condition does not hold by default is not looked at.
    let with_options = with_options(workspace)?;
    for templates in [TEMPLATES.map(PathBuf::from).to_vec(), with_options] {
        let mut check = command(&program, workspace);
        check.args(["--framework", "cloudformation", "--skip-download", "--compact", "--file"]).args(templates);
        run(&mut check, "checkov").await?;
    }
    Ok(())
}

/// Copies of the templates in which everything is chosen that is left out by default.
fn with_options(workspace: &Workspace) -> Result<Vec<PathBuf>, Failure> {
    let folder = workspace.root().join(".faregate/with-options");
    fs::create_dir_all(&folder).map_err(Failure::because(workspace.shown(&folder)))?;
    let copy = |(name, options): &(&str, &[(&str, &str)])| {
        let template = fs::read_to_string(workspace.root().join(name)).map_err(Failure::because(*name))?;
        let chosen = with_defaults(&template, options)
            .map_err(|missing| Failure::new(format!("{name}: no parameter {missing} with a default")))?;
        let file = folder.join(name.rsplit('/').next().unwrap_or(name));
        fs::write(&file, chosen).map_err(Failure::because(workspace.shown(&file)))?;
        Ok(file)
    };
    OPTIONS.iter().map(copy).collect()
}

/// A template with other defaults of its parameters; or the name of the first one that has none.
fn with_defaults(template: &str, defaults: &[(&str, &str)]) -> Result<String, String> {
    let mut lines: Vec<String> = template.lines().map(str::to_owned).collect();
    for (name, default) in defaults {
        let head = format!("  {name}:");
        let members = lines.iter().position(|line| *line == head).ok_or(*name)? + 1;
        let ends = |line: &&mut String| line.starts_with("    ");
        let mut members = lines[members..].iter_mut().take_while(ends);
        let line = members.find(|line| line.starts_with("    Default: ")).ok_or(*name)?;
        *line = format!("    Default: {default}");
    }
    Ok(lines.join("\n") + "\n")
}

/// The line, counted from 1, where a development switch stands.
fn line_with_switch(template: &str) -> Option<usize> {
    template.lines().position(|line| line.contains(SWITCH)).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::{line_with_switch, no_development_switch, with_defaults};
    use crate::workspace::Workspace;

    #[test]
    fn a_development_switch_is_found_by_line() {
        assert_eq!(line_with_switch("Globals:\n  FAREGATE_ALLOW_LOOPBACK: 1\n"), Some(2));
    }

    #[test]
    fn what_is_off_by_default_can_be_chosen() {
        let template = "Parameters:\n  A:\n    Type: String\n    Default: \"\"\n  B:\n    Type: String\n";
        let chosen = with_defaults(template, &[("A", "x")]).expect("a template");
        assert_eq!(chosen, template.replace("\"\"", "x"));
        assert_eq!(with_defaults(template, &[("A", "x"), ("B", "y")]), Err("B".to_owned()));
        assert_eq!(with_defaults(template, &[("C", "y")]), Err("C".to_owned()));
    }

    #[test]
    fn the_templates_have_none() {
        no_development_switch(&Workspace::of_this_checkout()).expect("no switch");
    }
}
