//! `cargo xtask bench`: measurements, each with its baseline in the same run.

use clap::{Args, ValueEnum};

use crate::{
    failure::Failure,
    process::{cargo, run as run_command},
    workspace::Workspace,
};

/// What `cargo xtask bench` can be told.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// What to measure; everything, one after the other, if nothing is named.
    what: Option<What>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// How long a new environment takes to its first answer, beside a bare function.
    Cold,
    /// The processor time of a request beside a bare proxy, and memory.
    Warm,
    /// Finding a route among ten and among a hundred thousand.
    Routes,
    /// What a million requests cost, from what is counted, beside other gateways of AWS.
    Cost,
    /// Limits over a simulated fleet: over-admission, unused permits and writes, beside other ways to count.
    Limits,
    /// What a token costs the first time and every time after, by algorithm.
    Tokens,
}

/// What the gateway is compared with, in a workspace of its own.
pub(crate) const BASELINES: &str = "tests/baselines/Cargo.toml";
/// Where that is built.
pub(crate) const BASELINES_TARGET: &str = "target/baselines";

/// Runs the measurements, optimised as the functions are, all of them even if one fails.
///
/// # Errors
/// If one does not build, or fails, with the causes of all.
pub(crate) async fn run(arguments: &BenchArguments, workspace: &Workspace) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for what in arguments.what.map_or_else(|| What::value_variants().to_vec(), |what| vec![what]) {
        if let Err(failure) = measure(what, workspace).await {
            failures.push(failure.to_string());
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(failures.join("\n"))) }
}

async fn measure(what: What, workspace: &Workspace) -> Result<(), Failure> {
    let (package, bench) = match what {
        What::Cold => ("faregate-tests", "cold"),
        What::Warm => ("faregate-tests", "warm"),
        What::Routes => ("faregate-tests", "routes"),
        What::Cost => ("faregate-tests", "cost"),
        What::Limits => ("faregate-core", "limits"),
        What::Tokens => ("faregate-engine", "tokens"),
    };
    if matches!(what, What::Cold | What::Warm | What::Cost) {
        // They measure the binary itself.
        let mut build = cargo(workspace);
        build.args(["build", "--quiet", "--release", "--package", "gateway"]);
        run_command(&mut build, "cargo build --release -p gateway").await?;
    }
    if matches!(what, What::Cold | What::Warm) {
        let mut build = cargo(workspace);
        build.args(["build", "--quiet", "--locked", "--release", "--manifest-path", BASELINES]);
        build.arg("--target-dir").arg(workspace.root().join(BASELINES_TARGET));
        run_command(&mut build, "cargo build --release, what the gateway is compared with").await?;
    }
    let mut command = cargo(workspace);
    command.args(["bench", "--quiet", "--package", package, "--bench", bench]);
    run_command(&mut command, &format!("cargo bench --bench {bench}")).await
}
