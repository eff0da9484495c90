//! `cargo xtask test`: everything that must hold, in order, up to the first that does not.

mod advisories;
mod baselines;
mod otlp;
mod prerequisites;
mod providers;
mod runner;
mod suites;
mod template;
mod trees;

use clap::Args;

use crate::{
    bench::{BASELINES, BASELINES_TARGET},
    failure::Failure,
    process::{cargo, in_path, run as run_command},
    workspace::Workspace,
};
use runner::{Outcome, Runner};

/// What `cargo xtask test` can be told.
#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// Leave out the templates' linters.
    #[arg(long)]
    no_template_lint: bool,
    /// Do not install AWS's DynamoDB Local, whose licence is for those who have an AWS account; what needs it is left out.
    #[arg(long)]
    no_dynamodb_local: bool,
}

/// The programs that tests start; built one by one, so that none gets the features of another.
const PROGRAMS: [&str; 3] = ["gateway", "publisher", "faregate-cli"];

/// The tests of public suites, whose counts are what they are run for.
const COUNTED: [&str; 4] = ["conformance", "events", "ratelimit", "signatures"];

/// What is deployed: linted with its own features too, since the workspace's are more.
const FUNCTIONS: [&str; 2] = ["gateway", "publisher"];

/// Runs every check; the tests come last, so that their summary is the end of the output.
///
/// # Errors
/// At the first check that fails, with its name.
pub(crate) async fn run(arguments: &TestArguments, workspace: &Workspace) -> Result<(), Failure> {
    let mut runner = Runner::default();
    runner.step("prerequisites", prerequisites::check(workspace)).await?;
    quick(&mut runner, workspace).await?;
    lints(&mut runner, workspace).await?;
    walls(&mut runner, workspace).await?;
    if arguments.no_template_lint {
        println!("\n── left out, as asked: template lint");
    } else {
        runner.step("template: sam validate", template::sam(workspace)).await?;
        runner.step("template: cfn-lint", template::cfn_lint(workspace)).await?;
        runner.step("template: checkov", template::checkov(workspace)).await?;
    }
    runner.optional("public suites", async { suites::find(workspace) }).await?;
    tests(arguments, &mut runner, workspace).await?;
    println!("\n{}", runner.summary());
    Ok(())
}

/// What takes no time.
async fn quick(runner: &mut Runner, workspace: &Workspace) -> Result<(), Failure> {
    let format = cargo_run(workspace, &["fmt", "--all", "--check"], &[]);
    runner.step("format", format).await?;
    let baselines = cargo_run(workspace, &["fmt", "--manifest-path", BASELINES, "--check"], &[]);
    runner.step("format: baselines of benches", baselines).await?;
    runner.step("versions: baselines of benches", async { baselines::same_versions(workspace) }).await?;
    runner.step("template: no development switch", async { template::no_development_switch(workspace) }).await?;
    runner.step("template: the edge's function", template::edge_function(workspace)).await
}

async fn lints(runner: &mut Runner, workspace: &Workspace) -> Result<(), Failure> {
    let all = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    runner.step("clippy", cargo_run(workspace, &all, &[])).await?;
    for function in FUNCTIONS {
        let own = ["clippy", "--package", function, "--", "-D", "warnings"];
        runner.step(&format!("clippy: {function} alone"), cargo_run(workspace, &own, &[])).await?;
    }
    runner.optional("clippy: fuzz targets", fuzz_lints(workspace)).await?;
    let baselines = ["clippy", "--locked", "--manifest-path", BASELINES, "--target-dir", BASELINES_TARGET];
    let baselines = [&baselines[..], &["--", "-D", "warnings"]].concat();
    runner.step("clippy: baselines of benches", cargo_run(workspace, &baselines, &[])).await?;
    let docs = ["doc", "--workspace", "--no-deps", "--all-features", "--document-private-items"];
    runner.step("docs", cargo_run(workspace, &docs, &[("RUSTDOCFLAGS", "-D warnings")])).await
}

/// The fuzz targets are a workspace of their own.
async fn fuzz_lints(workspace: &Workspace) -> Result<Outcome, Failure> {
    if in_path("c++").is_none() {
        return Ok(Outcome::NotPossible("no c++ in PATH, which compiles what fuzzers run in".to_owned()));
    }
    let manifest = ["--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target/fuzz"];
    let fuzz = [&["clippy", "--locked"], &manifest[..], &["--", "-D", "warnings"]].concat();
    cargo_run(workspace, &fuzz, &[]).await.map(|()| Outcome::Passed)
}

/// What may depend on what.
async fn walls(runner: &mut Runner, workspace: &Workspace) -> Result<(), Failure> {
    runner.step("walls: dependency trees", trees::check(workspace)).await?;
    runner.step("walls: cargo deny", advisories::walls(workspace)).await?;
    runner.optional("advisories", advisories::advisories(workspace)).await
}

async fn tests(arguments: &TestArguments, runner: &mut Runner, workspace: &Workspace) -> Result<(), Failure> {
    // Before the one without it, which then has the name.
    runner.step("build: gateway with otlp", otlp::build(workspace)).await?;
    for program in PROGRAMS {
        let build = ["build", "--package", program];
        runner.step(&format!("build: {program}"), cargo_run(workspace, &build, &[])).await?;
    }
    runner.step("what tests ask", providers::install(workspace)).await?;
    if arguments.no_dynamodb_local {
        println!("\n── left out, as asked: DynamoDB Local");
    } else {
        runner.optional("DynamoDB Local", providers::install_dynamodb_local(workspace)).await?;
    }
    runner.step("deployment: sam build", template::build(workspace)).await?;
    runner.step("deployment: sizes", template::sizes(workspace)).await?;
    let doc_tests = ["test", "--workspace", "--all-features", "--doc", "--quiet"];
    runner.step("doc tests", cargo_run(workspace, &doc_tests, &[])).await?;
    if in_path("cargo-nextest").is_some() {
        let tests = ["nextest", "run", "--workspace", "--all-features", "--no-fail-fast"];
        return runner.step("tests", cargo_run(workspace, &tests, &[])).await;
    }
    // What nextest shows by its configuration.
    for counted in COUNTED {
        let counts = ["test", "--workspace", "--all-features", "--test", counted, "--", "--nocapture"];
        runner.step(&format!("tests: {counted}, counted"), cargo_run(workspace, &counts, &[])).await?;
    }
    // One at a time: some start a whole stack and measure how soon a change serves.
    let tests = ["test", "--workspace", "--all-features", "--all-targets", "--no-fail-fast", "--", "--test-threads=1"];
    runner.step("tests", cargo_run(workspace, &tests, &[])).await
}

async fn cargo_run(workspace: &Workspace, arguments: &[&str], variables: &[(&str, &str)]) -> Result<(), Failure> {
    let mut command = cargo(workspace);
    command.args(arguments).envs(variables.iter().copied());
    run_command(&mut command, &format!("cargo {}", arguments.join(" "))).await
}
