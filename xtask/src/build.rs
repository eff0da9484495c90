//! `cargo xtask build`: what is deployed, and how large it is.

use std::{fs, path::Path};

use crate::{
    failure::Failure,
    process::{command, run as run_command, run_quietly},
    tools::{CargoLambda, cargo_lambda},
    workspace::Workspace,
};

const FUNCTIONS: [&str; 2] = ["gateway", "publisher"];

/// The budget for the zipped gateway, in bytes.
const GATEWAY_MAX: u64 = 6 * 1024 * 1024;

/// A processor that Lambda runs on.
#[derive(Debug)]
struct Architecture {
    name: &'static str,
    target: &'static str,
    flag: &'static str,
}

const ARCHITECTURES: [Architecture; 2] = [
    Architecture { name: "x86_64", target: "x86_64-unknown-linux-gnu", flag: "--x86-64" },
    Architecture { name: "arm64", target: "aarch64-unknown-linux-gnu", flag: "--arm64" },
];

/// Builds the functions for every architecture whose Rust target is installed.
///
/// # Errors
/// If nothing can be built, or the gateway is over its budget.
pub(crate) async fn run(workspace: &Workspace) -> Result<(), Failure> {
    let cargo_lambda = cargo_lambda(workspace).await?;
    let mut sizes = Vec::new();
    for architecture in &ARCHITECTURES {
        if !is_installed(architecture, workspace).await {
            println!("{}: left out, the Rust target {} is not installed", architecture.name, architecture.target);
            continue;
        }
        for function in FUNCTIONS {
            let bytes = build(function, architecture, &cargo_lambda, workspace).await?;
            sizes.push((function, architecture.name, bytes));
        }
    }
    if sizes.is_empty() {
        return Err(Failure::new("no Rust target that Lambda runs is installed"));
    }
    println!();
    for (function, architecture, bytes) in &sizes {
        println!("{}", line(function, architecture, *bytes));
    }
    match sizes.iter().find(|(function, _, bytes)| is_over(function, *bytes)) {
        Some((function, architecture, _)) => {
            Err(Failure::new(format!("{function} ({architecture}) is over its budget")))
        }
        None => Ok(()),
    }
}

async fn is_installed(architecture: &Architecture, workspace: &Workspace) -> bool {
    let mut rustc = command("rustc", workspace);
    rustc.args(["--print", "target-libdir", "--target", architecture.target]);
    let folder = run_quietly(&mut rustc, "rustc --print target-libdir").await;
    folder.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

/// Builds one function and gives the size of its zip file.
async fn build(
    function: &str,
    architecture: &Architecture,
    cargo_lambda: &CargoLambda,
    workspace: &Workspace,
) -> Result<u64, Failure> {
    let folder = workspace.root().join("target/lambda").join(architecture.name);
    let mut build = cargo_lambda.command(workspace);
    build.args(["build", "--release", "--package", function, architecture.flag, "--output-format", "zip"]);
    build.arg("--lambda-dir").arg(&folder);
    run_command(&mut build, &format!("cargo lambda build -p {function}")).await?;
    let zip = folder.join(function).join("bootstrap.zip");
    let data = fs::metadata(&zip).map_err(Failure::because(workspace.shown(&zip)))?;
    println!("{}", workspace.shown(&zip));
    Ok(data.len())
}

fn is_over(function: &str, bytes: u64) -> bool {
    function == "gateway" && bytes > GATEWAY_MAX
}

fn line(function: &str, architecture: &str, bytes: u64) -> String {
    let hundredths = bytes * 100 / (1024 * 1024);
    let size = format!("{function:<10}{architecture:<8}{:>3}.{:02} MB zipped", hundredths / 100, hundredths % 100);
    match function {
        "gateway" if is_over(function, bytes) => {
            format!("{size}   OVER the budget of {} MB", GATEWAY_MAX / (1024 * 1024))
        }
        "gateway" => format!("{size}   budget {} MB", GATEWAY_MAX / (1024 * 1024)),
        _ => size,
    }
}

#[cfg(test)]
mod tests {
    use super::{GATEWAY_MAX, is_over, line};

    #[test]
    fn sizes_are_told_beside_the_budget() {
        assert_eq!(line("gateway", "arm64", 4_718_592), "gateway   arm64     4.50 MB zipped   budget 6 MB");
        assert_eq!(line("publisher", "x86_64", 1024 * 1024), "publisher x86_64    1.00 MB zipped");
        assert!(line("gateway", "arm64", GATEWAY_MAX + 1).ends_with("OVER the budget of 6 MB"));
    }

    #[test]
    fn the_budget_is_the_gateways() {
        assert!(!is_over("gateway", GATEWAY_MAX) && is_over("gateway", GATEWAY_MAX + 1));
        assert!(!is_over("publisher", GATEWAY_MAX + 1));
    }
}
