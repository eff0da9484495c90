//! `cargo xtask bench cost`: what a million requests cost, from what the gateway's own code was counted to use, beside other
//! gateways of AWS for the same work.
//!
//! A fleet in virtual time serves the workload: the engine as it is deployed, over stores that count every call, with the lines
//! and metrics that it would write. The processor time of a request is measured on the real binary under the Runtime API
//! driver. Everything else is a price or an assumption, and both are printed.

#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod cpu;
mod fleet;
mod lines;
mod month;
mod neighbours;
mod report;
mod snapshots;
mod table;

use std::time::Duration;

use faregate_core::{
    cost::{Machine, Prices},
    policy::telemetry::Sink,
};
use fleet::{Counted, Fleet};
use month::Publish;

/// Dollars per million, for [`BUDGETED_MILLIONS`] a month and more.
const BUDGET: f64 = 0.33;
/// A hundred, and a little less for how rates are rounded.
const BUDGETED_MILLIONS: f64 = 99.0;

/// How long a backend takes.
const BACKEND: Duration = Duration::from_millis(20);

/// What runs in Lambda.
const MACHINE: Machine = Machine { memory_mb: 256, is_arm64: true, streams: true };

/// How many MB of memory come with a whole processor (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>).
const MB_PER_PROCESSOR: u32 = 1769;

/// How much traffic, for how long it is watched, and how many consumers share it.
const WORKLOADS: [Workload; 9] = [
    Workload { rate: 0.1, watched: Duration::from_secs(8 * 3600), consumers: 1, has_limits: true },
    Workload { rate: 0.3805, watched: Duration::from_secs(4 * 3600), consumers: 1, has_limits: true },
    Workload { rate: 10.0, watched: Duration::from_secs(1800), consumers: 1, has_limits: true },
    Workload { rate: 38.05, watched: Duration::from_secs(1800), consumers: 1, has_limits: true },
    Workload { rate: 38.05, watched: Duration::from_secs(1800), consumers: 10, has_limits: true },
    Workload { rate: 3805.0, watched: Duration::from_secs(120), consumers: 100, has_limits: true },
    Workload { rate: 10_000.0, watched: Duration::from_secs(120), consumers: 100, has_limits: true },
    Workload { rate: 38.05, watched: Duration::from_secs(1800), consumers: 10, has_limits: false },
    Workload { rate: 3805.0, watched: Duration::from_secs(240), consumers: 100, has_limits: false },
];

/// Those of a million, a hundred million and ten billion requests a month.
const MONTHS: [usize; 3] = [1, 3, 5];

/// Which of them is set beside servers: 100 million a month of one consumer.
const BESIDE_SERVERS: usize = 3;

/// A rate of requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) watched: Duration,
    pub(crate) consumers: usize,
    /// Whether their keys are on a plan.
    pub(crate) has_limits: bool,
}

impl Workload {
    /// Whether there is as much of it as the budget is for.
    pub(crate) fn is_budgeted(&self) -> bool {
        table::millions(self.rate) >= BUDGETED_MILLIONS
    }
}

/// What was counted for one workload and sink.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) workload: Workload,
    pub(crate) sink: Sink,
    pub(crate) counted: Counted,
}

fn main() -> std::process::ExitCode {
    // `cargo test --all-targets` runs benches, too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return std::process::ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let processor = runtime.block_on(cpu::per_request());
    // A part of a processor is that much slower.
    let overhead = processor.mul_f64(f64::from(MB_PER_PROCESSOR) / f64::from(MACHINE.memory_mb));
    let mut cases = Vec::new();
    for workload in WORKLOADS {
        for sink in [Sink::Cloudwatch, Sink::Emf] {
            let counted = runtime.block_on(Fleet::new(workload, sink, overhead).run());
            cases.push(Case { workload, sink, counted });
        }
    }
    let (prices, publish) = (Prices::default(), runtime.block_on(Publish::counted()));
    table::print(&cases, processor, overhead, publish, &prices);
    let within = budget(&cases, &prices);
    let written = report::write(&cases, processor, publish, &prices);
    println!("\n{}", written.display());
    if within { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}

/// Holds each row that the budget is for to it, however its requests are spread over consumers and environments.
fn budget(cases: &[Case], prices: &Prices) -> bool {
    println!(
        "\nThe budget is ${BUDGET:.2} a million, without egress and what a month costs anyway, of 100 M a month and more:\n"
    );
    let (mut held, mut over) = (0, 0);
    for case in cases.iter().filter(|case| case.workload.is_budgeted()) {
        let dollars = table::per_million(&case.counted, prices);
        let is_over = dollars > BUDGET;
        (held, over) = (held + 1, over + usize::from(is_over));
        println!(
            "- {} requests/s, {} consumers, {}: ${dollars:.3}, {}",
            case.workload.rate,
            table::consumers(&case.workload),
            table::name(case.sink),
            if is_over { "OVER" } else { "within" }
        );
    }
    held > 0 && over == 0
}
