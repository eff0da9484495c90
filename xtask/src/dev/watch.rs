//! The gateway under `cargo lambda watch`.

use std::time::Duration;

use tokio::{process::Child, time::sleep};

use super::{
    environment::{self, StackEnvironment},
    log::{Log, Logs},
};
use crate::{failure::Failure, process::is_alone, tools::CargoLambda, workspace::Workspace};

/// How often to look whether the gateway runs, and how often it must be missing: it is while it starts again.
const LOOK: Duration = Duration::from_secs(1);
const MISSING: u32 = 5;

/// What cargo says of code with mistakes.
const NOT_COMPILED: &str = "could not compile";

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
    logs: &Logs,
    workspace: &Workspace,
) -> Result<Gateway, Failure> {
    let log = logs.begin("gateway")?;
    let mut watch = runtime.guarded_command(workspace)?;
    environment::set(&mut watch, &environment.gateway());
    watch.args(["watch", "--package", "gateway", "--invoke-address", "127.0.0.1", "--disable-cors", "--invoke-port"]);
    watch.arg(port.to_string()).stdout(log.sink()?).stderr(log.sink()?);
    // Ctrl-C is for this program, which then ends the others in order.
    watch.process_group(0);
    let child = watch.spawn().map_err(Failure::because("cargo lambda watch does not start"))?;
    Ok(Gateway { child, log })
}

impl Gateway {
    /// Waits until it or the gateway ends, which neither should. A gateway that somebody works on may not compile
    /// for a while: it starts again when it does.
    pub(super) async fn ended(&mut self) -> Result<(), Failure> {
        let id = self.child.id();
        let mut compiles = true;
        loop {
            tokio::select! {
                status = self.child.wait() => {
                    let status = status.map_err(Failure::because("cargo lambda watch"))?;
                    return Err(self.log.failure(&format!("cargo lambda watch ended ({status})")));
                }
                () = back(id), if !compiles => compiles = true,
                () = missing(id), if compiles => {
                    if !self.log.ends_with(NOT_COMPILED) {
                        return Err(self.log.failure("the gateway ended"));
                    }
                    println!("{}", self.log.failure("the gateway does not compile; it starts again when it does"));
                    compiles = false;
                }
            }
        }
    }

    /// A failure of the gateway's, with the end of its log.
    pub(super) fn failure(&self, failure: &Failure) -> Failure {
        self.log.failure(&failure.to_string())
    }
}

/// Waits until nothing has run below the emulator for a while.
async fn missing(emulator: Option<u32>) {
    let mut times = 0;
    while times < MISSING {
        sleep(LOOK).await;
        times = if emulator.is_some_and(is_alone) { times + 1 } else { 0 };
    }
}

/// Waits until something runs below the emulator.
async fn back(emulator: Option<u32>) {
    while emulator.is_some_and(is_alone) {
        sleep(LOOK).await;
    }
}
