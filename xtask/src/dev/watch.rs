//! The gateway under `cargo lambda watch`.

use tokio::process::Child;

use super::{
    environment::{self, StackEnvironment},
    log::Log,
};
use crate::{failure::Failure, tools::CargoLambda, workspace::Workspace};

/// The running emulator, which builds and runs the gateway.
#[derive(Debug)]
pub(super) struct Gateway {
    child: Child,
    log: Log,
}

/// Starts it. Only this machine can reach it, and CORS is the gateway's own affair.
pub(super) fn start(
    runtime: &CargoLambda,
    port: u16,
    environment: &StackEnvironment,
    workspace: &Workspace,
) -> Result<Gateway, Failure> {
    let log = Log::begin("gateway", workspace)?;
    let mut watch = runtime.command(workspace);
    environment::set(&mut watch, &environment.gateway());
    watch.args(["watch", "--package", "gateway", "--invoke-address", "127.0.0.1", "--disable-cors", "--invoke-port"]);
    watch.arg(port.to_string()).stdout(log.sink()?).stderr(log.sink()?);
    // Ctrl-C is for this program, which then ends the others in order.
    watch.process_group(0);
    let child = watch.spawn().map_err(Failure::because("cargo lambda watch does not start"))?;
    Ok(Gateway { child, log })
}

impl Gateway {
    /// Waits until it ends, which it should not.
    pub(super) async fn ended(&mut self) -> Result<(), Failure> {
        let status = self.child.wait().await.map_err(Failure::because("cargo lambda watch"))?;
        Err(self.log.failure(&format!("cargo lambda watch ended ({status})")))
    }

    /// A failure of the gateway's, with the end of its log.
    pub(super) fn failure(&self, failure: &Failure) -> Failure {
        self.log.failure(&failure.to_string())
    }
}
