//! `cargo xtask dev`: the whole gateway on one machine.
//!
//! In this process: the embedded DynamoDB, the demo backend with its issuer, and the loop that takes the config table's stream to
//! the publisher. Below it: the publisher under the Runtime API driver, and the gateway under `cargo lambda watch`.

mod backend;
mod banner;
mod binaries;
mod client;
mod configuration;
mod data;
mod environment;
mod issuer;
mod log;
mod ports;
mod publisher;
mod ready;
mod stream;
mod watch;

use std::{future::pending, path::PathBuf, sync::Arc};

use clap::Args;

use crate::{
    failure::Failure,
    tools::{CargoLambda, cargo_lambda, installed_cargo_lambda},
    workspace::Workspace,
};
use banner::Banner;
use binaries::Binaries;
use configuration::Configuration;
use environment::StackEnvironment;
use issuer::Issuer;
use log::Logs;
use publisher::Publisher;

/// What `cargo xtask dev` can be told.
#[derive(Debug, Args)]
pub(crate) struct DevArguments {
    /// Port of the gateway.
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// Port of the embedded DynamoDB.
    #[arg(long, default_value_t = 8000)]
    dynamodb_port: u16,
    /// Port of the demo backend.
    #[arg(long, default_value_t = backend::DEFAULT_PORT)]
    backend_port: u16,
    /// The configuration to apply.
    #[arg(long, value_name = "FILE", default_value = configuration::DEMO)]
    config: PathBuf,
    /// Folder to keep the tables in; without it they live in memory and end with this command.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Everything but the gateway: prints the environment in which it can be run by hand.
    #[arg(long)]
    stack_only: bool,
}

/// Starts everything, says how to use it, and goes on until a part fails.
///
/// # Errors
/// If something is missing or in the way, or a part fails.
pub(crate) async fn run(arguments: &DevArguments, workspace: &Workspace) -> Result<(), Failure> {
    let mut listeners = ports::open(arguments)?;
    let logs = Logs::prepare(arguments.port, workspace)?;
    let configuration = Configuration::find(arguments, workspace)?;
    let data = arguments.data.as_deref().map(data::prepare).transpose()?;
    let runtime = match arguments.stack_only {
        false => Some(cargo_lambda(workspace).await?),
        true => None,
    };
    let environment = StackEnvironment::new(arguments.dynamodb_port);
    let binaries = Binaries::build(workspace, runtime.is_some()).await?;
    configuration.validate(&binaries, &environment, workspace).await?;

    let issuer = Arc::new(Issuer::new(arguments.backend_port)?);
    tokio::spawn(backend::serve(listeners.backend, Arc::clone(&issuer)));
    let database = data::open(&mut listeners.dynamodb, arguments.dynamodb_port, data.as_deref()).await?;
    let mut publisher = Publisher::start(&binaries.publisher, &environment, &database, &logs).await?;
    configuration.apply(&binaries, &environment, arguments.data.is_some(), workspace).await?;
    let key = configuration::demo_key(&binaries, &environment, workspace).await?;
    let token = issuer.token()?;
    let banner =
        Banner { arguments, environment: &environment, configuration: &configuration, key: &key, token: &token };

    let serving = async {
        match runtime {
            Some(runtime) => serve(&runtime, listeners.gateway, &banner, &logs, workspace).await,
            None => {
                drop(listeners.gateway);
                let runtime = installed_cargo_lambda(workspace).await;
                print!("{}", banner.stack_only(runtime.as_ref().map(CargoLambda::folder)));
                pending().await
            }
        }
    };
    tokio::select! {
        ended = publisher.follow(&database) => ended,
        ended = serving => ended,
    }
}

/// Runs the gateway and says so when a request has gone through it.
async fn serve(
    runtime: &CargoLambda,
    port: std::net::TcpListener,
    banner: &Banner<'_>,
    logs: &Logs,
    workspace: &Workspace,
) -> Result<(), Failure> {
    drop(port);
    let mut gateway = watch::start(runtime, banner.arguments.port, banner.environment, logs, workspace)?;
    tokio::select! {
        ended = gateway.ended() => return ended,
        ready = ready::wait(banner) => ready.map_err(|failure| gateway.failure(&failure))?,
    }
    print!("{}", banner.ready());
    gateway.ended().await
}
