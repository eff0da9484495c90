//! What tests ask: for tokens an OpenID provider and a library that is not ours, for all else a local AWS, and AWS's own
//! DynamoDB for one's machine.

use super::runner::Outcome;
use crate::{
    failure::Failure,
    process::{command, in_path, run_quietly},
    tools::{PythonTool, ensure_node_packages, ensure_python_tool},
    workspace::Workspace,
};

/// The folder of the OpenID provider.
const OIDC_PROVIDER: &str = "tests/providers/oidc";

/// The folder of AWS's DynamoDB Local.
const DYNAMODB_LOCAL: &str = "tests/providers/dynamodb";
/// What it runs in: Java, in a network of its own.
const DYNAMODB_LOCAL_NEEDS: [&str; 3] = ["java", "python3", "unshare"];

/// The Python that has PyJWT.
const PYJWT: PythonTool = PythonTool { name: "pyjwt", program: "python" };

/// AWS on this machine.
const MINISTACK: PythonTool = PythonTool { name: "ministack", program: "python" };

/// What users tell AWS with.
const AWS_CLI: PythonTool = PythonTool { name: "awscli", program: "aws" };

/// Installs them.
pub(super) async fn install(workspace: &Workspace) -> Result<(), Failure> {
    ensure_node_packages(OIDC_PROVIDER, workspace).await?;
    ensure_python_tool(PYJWT, workspace).await?;
    ensure_python_tool(MINISTACK, workspace).await?;
    ensure_python_tool(AWS_CLI, workspace).await.map(drop)
}

/// Installs DynamoDB Local where it can run; its own licence is beside it.
pub(super) async fn install_dynamodb_local(workspace: &Workspace) -> Result<Outcome, Failure> {
    if let Some(missing) = DYNAMODB_LOCAL_NEEDS.into_iter().find(|program| in_path(program).is_none()) {
        return Ok(Outcome::NotPossible(format!(
            "no {missing} in PATH: the stores are not tested on AWS's DynamoDB Local"
        )));
    }
    let mut alone = command("unshare", workspace);
    alone.args(["--map-root-user", "--net", "--pid", "--fork", "--kill-child", "true"]);
    if let Err(failure) = run_quietly(&mut alone, "unshare").await {
        return Ok(Outcome::NotPossible(format!("AWS's DynamoDB Local has no network of its own here: {failure}")));
    }
    ensure_node_packages(DYNAMODB_LOCAL, workspace).await.map(|()| Outcome::Passed)
}
