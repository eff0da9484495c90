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
    within_budget(&sizes)
}

/// Compresses what `sam build` left in `built`, as `sam deploy` does, and compares its size with the budget.
///
/// `sam` is the program beside whose Python it is done.
///
/// # Errors
/// If there is nothing, or the gateway is over its budget.
pub(crate) async fn sizes(built: &Path, sam: &Path, workspace: &Workspace) -> Result<(), Failure> {
    let folder = workspace.root().join("target/lambda/sam");
    fs::create_dir_all(&folder).map_err(Failure::because(workspace.shown(&folder)))?;
    let mut sizes = Vec::new();
    for (function, resource) in FUNCTIONS.into_iter().zip(["GatewayFunction", "PublisherFunction"]) {
        let zip = folder.join(function).with_extension("zip");
        let mut compress = command(sam.with_file_name("python"), workspace);
        compress.args(["-m", "zipfile", "-c"]).arg(&zip).arg(built.join(resource).join("bootstrap"));
        run_quietly(&mut compress, &format!("compressing {function}")).await?;
        sizes.push((function, "x86_64", size_of(&zip, workspace)?));
    }
    within_budget(&sizes)
}

/// Prints every size; fails where one is over its budget.
fn within_budget(sizes: &[(&str, &str, u64)]) -> Result<(), Failure> {
    println!();
    for (function, architecture, bytes) in sizes {
        println!("{}", line(function, architecture, *bytes));
    }
    match sizes.iter().find(|(function, _, bytes)| is_over(function, *bytes)) {
        Some((function, architecture, _)) => {
            Err(Failure::new(format!("{function} ({architecture}) is over its budget")))
        }
        None => Ok(()),
    }
}

fn size_of(zip: &Path, workspace: &Workspace) -> Result<u64, Failure> {
    fs::metadata(zip).map(|data| data.len()).map_err(Failure::because(workspace.shown(zip)))
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
    let bytes = size_of(&zip, workspace)?;
    println!("{}", workspace.shown(&zip));
    Ok(bytes)
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
    use super::{GATEWAY_MAX, is_over, line, within_budget};

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
        assert!(within_budget(&[("gateway", "arm64", GATEWAY_MAX), ("publisher", "arm64", GATEWAY_MAX + 1)]).is_ok());
        let over = within_budget(&[("gateway", "x86_64", GATEWAY_MAX), ("gateway", "arm64", GATEWAY_MAX + 1)]);
        assert_eq!(over.expect_err("over").to_string(), "gateway (arm64) is over its budget");
    }
}
