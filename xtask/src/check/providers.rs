//! What tests ask: for tokens an OpenID provider and a library that is not ours, for all else a local AWS.

use crate::{
    failure::Failure,
    tools::{PythonTool, ensure_node_packages, ensure_python_tool},
    workspace::Workspace,
};

/// The folder of the OpenID provider.
const OIDC_PROVIDER: &str = "tests/providers/oidc";

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
