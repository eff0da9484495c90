//! The project's own commands, run with `cargo xtask …`: the local stack, every check, measurements and release builds.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program for the terminal and a composition root: it prints, and reads the environment and the clock"
)]

mod bench;
mod build;
mod check;
mod dev;
mod failure;
mod process;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{failure::Failure, workspace::Workspace};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the whole gateway on this machine and prints a curl line that works.
    Dev(dev::DevArguments),
    /// Checks everything: format, lints, tests, walls, template.
    Test(check::TestArguments),
    /// Measures; each figure beside what it is to be compared with.
    Bench(bench::BenchArguments),
    /// Builds the functions for Lambda and compares their size with the budget.
    Build,
    /// Runs a program that ends when the one that started this ends.
    #[command(hide = true)]
    Guard(process::GuardArguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Command::Guard(arguments) = &arguments.command {
        eprintln!("error: {}", process::guard(arguments));
        return ExitCode::FAILURE;
    }
    match run(arguments.command).await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("\nerror: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    let workspace = Workspace::of_this_checkout();
    process::until_interrupted(async {
        match command {
            Command::Dev(arguments) => dev::run(&arguments, &workspace).await,
            Command::Test(arguments) => check::run(&arguments, &workspace).await,
            Command::Bench(arguments) => bench::run(&arguments, &workspace).await,
            Command::Build => build::run(&workspace).await,
            Command::Guard(_) => Ok(()),
        }
    })
    .await
}
