//! Limits over a simulated fleet: `cargo xtask bench limits`.
//!
//! The leases are the gateway's own (`faregate_core::limit`); DynamoDB and Lambda are simulated: environments that serve
//! one request at a time and are taken last in, first out, answers that take a median of 4.2 ms and at the 99th
//! percentile 25 ms, 1,000 writes a second for one item with a second's worth stored. Demand is 1.5 times the limit.
//! An environment that has nothing to do for the caller answers a request of another one each second, beside which it gives
//! back what it will not need, unless the case lets it stand still.
//!
//! Beside each figure stands the one that the design asks for; where it names none, a dash. A limit of a hard mode that
//! admits one request too many in any window (of a bucket, in any time) fails the run, and so does a figure that is more
//! than 1.2 times the one asked for; of the ways that the gateway is compared with also one that is as much lower, since
//! that would be another comparison than the design's.
#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs, reason = "the table is what this is run for")]
#![allow(clippy::disallowed_methods, reason = "how long the run took is real time")]

mod cases;
mod fleet;
mod random;
mod report;
mod store;

use std::{process::ExitCode, time::Instant};

use serde_json::{Value, json};

use crate::{
    cases::{Case, Way, cases, entering},
    fleet::{Outcome, run},
};

/// How much a figure may be from the one that is asked for.
const TOLERANCE: f64 = 1.2;

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches, too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    // A word after `--` chooses cases by their names.
    let word = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let started = Instant::now();
    let mut rows = Vec::new();
    let broken = print_table(cases().into_iter().filter(|case| case.name.contains(&word)), &mut rows);
    let entering = print_entering();
    println!("\n{MODEL}");
    println!("\n{}", report::write(&rows, &entering).display());
    println!("the run took {:.0} s", started.elapsed().as_secs_f64());
    for name in &broken {
        eprintln!("{name}");
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the simulation takes for granted where the design leaves it open.
const MODEL: &str = "\
Leases: an idle environment answers a request of another caller each second, beside which it may give back what it holds,
but for the case in which most of the fleet is frozen.
One write per request: an environment that is told that nothing is left refuses until the window ends.
Synchronised every second: an environment with something to tell writes once a second, through the same 1,000 writes/s
of the item; whose write is throttled tells it a second later, and goes by what it knew until then. What it has nothing
to add to it reads, which is counted nowhere.";

/// Prints a line for each case, and adds it to the report; what is wrong with those that are not as they must be.
fn print_table(cases: impl Iterator<Item = Case>, rows: &mut Vec<Value>) -> Vec<String> {
    println!("| case | over | wanted | unused | wanted | writes/admitted | wanted |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let mut broken = Vec::new();
    for case in cases {
        let Outcome { wanted, over, unused, admitted, writes, .. } = run(&case);
        let part = |permits: u64| format!("{:.2} %", 100.0 * permits as f64 / wanted as f64);
        let [wanted_over, wanted_unused, wanted_writes] = case.wanted;
        println!(
            "| {} | {} | {wanted_over} | {} | {wanted_unused} | {:.3} | {wanted_writes} |",
            case.name,
            if over > 0 { format!("+{}", part(over)) } else { "0".to_owned() },
            part(unused),
            writes as f64 / admitted.max(1) as f64
        );
        rows.push(json!({
            "case": case.name,
            "is_the_gateway": case.way == Way::Leases,
            "wanted": wanted, "admitted": admitted, "over": over, "unused": unused, "writes": writes,
            "asked_for": { "over": wanted_over, "unused": wanted_unused, "writes_per_admitted": wanted_writes },
        }));
        if over > 0 && wanted_over == "0" {
            broken.push(format!("admitted {over} more than the limit: {}", case.name));
        }
        let percent = |permits: u64| 100.0 * permits as f64 / wanted as f64;
        let figures = [
            ("over", percent(over), wanted_over),
            ("unused", percent(unused), wanted_unused),
            ("writes", writes as f64 / admitted.max(1) as f64, wanted_writes),
        ];
        // What must not be over at all is told above, however little it is.
        for (what, figure, wanted) in figures.into_iter().filter(|(what, _, wanted)| (*what, *wanted) != ("over", "0"))
        {
            let is_higher = |highest: f64| figure > TOLERANCE * highest;
            let is_lower = |highest: f64| case.way != Way::Leases && figure * TOLERANCE < highest;
            if highest(wanted).is_some_and(|highest| is_higher(highest) || is_lower(highest)) {
                broken.push(format!("{what}: {figure:.4}, where {wanted} is asked for: {}", case.name));
            }
        }
    }
    broken
}

/// The highest number of a text like `0.31 %`, `7-11 %` or `+5 %`.
fn highest(text: &str) -> Option<f64> {
    text.trim_start_matches('+').trim_end_matches(" %").rsplit('-').next()?.parse().ok()
}

/// How many requests wait that come when a window begins: prints it, and yields it for the report.
fn print_entering() -> Vec<Value> {
    println!("\nOf the requests in the first second of a window of two minutes, with 1,000 environments and demand");
    println!("{} x the limit:", cases::LOW_DEMAND);
    let told = entering().into_iter().map(|case| {
        let Outcome { entering, waiting, .. } = run(&case);
        println!("- {}: {:.1} % wait for the counter", case.name, 100.0 * waiting as f64 / entering as f64);
        json!({ "case": case.name, "requests": entering, "waiting": waiting })
    });
    told.collect()
}
