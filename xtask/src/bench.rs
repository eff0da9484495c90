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
    /// What a million requests cost, from what is counted, beside other gateways of AWS.
    Cost,
    /// Limits over a simulated fleet: over-admission, unused permits and writes, beside other ways to count.
    Limits,
    /// What a token costs the first time and every time after, by algorithm.
    Tokens,
}

/// Runs the measurements, optimised as the functions are.
///
/// # Errors
/// If one does not build, or fails.
pub(crate) async fn run(arguments: &BenchArguments, workspace: &Workspace) -> Result<(), Failure> {
    for what in arguments.what.map_or_else(|| What::value_variants().to_vec(), |what| vec![what]) {
        let (package, bench) = match what {
            What::Cost => ("faregate-tests", "cost"),
            What::Limits => ("faregate-core", "limits"),
            What::Tokens => ("faregate-engine", "tokens"),
        };
        if matches!(what, What::Cost) {
            // It measures the binary itself.
            let mut build = cargo(workspace);
            build.args(["build", "--quiet", "--release", "--package", "gateway"]);
            run_command(&mut build, "cargo build --release -p gateway").await?;
        }
        let mut command = cargo(workspace);
        command.args(["bench", "--quiet", "--package", package, "--bench", bench]);
        run_command(&mut command, &format!("cargo bench --bench {bench}")).await?;
    }
    Ok(())
}
