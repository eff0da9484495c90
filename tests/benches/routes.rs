//! `cargo xtask bench routes`: what finding a route costs among few and among many.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench prints its table, and takes the time"
)]

use std::{hint::black_box, process::ExitCode, time::Instant};

use faregate_core::{
    diagnostic::Report,
    matcher::{Match, MatchRequest},
    snapshot::Snapshot,
};
use faregate_tests::{Budget, Figure, figures};
use http::{HeaderMap, Method};
use serde_json::json;

const ROUNDS: usize = 15;
const REQUESTS: usize = 20_000;
const FEW: usize = 10;
const MANY: usize = 100_000;

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches, too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let (few, many) = (snapshot(FEW), snapshot(MANY));
    let (mut of_few, mut of_many, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (short, long) = (microseconds(&few, FEW), microseconds(&many, MANY));
        of_few.push(short);
        of_many.push(long);
        ratios.push(long / short);
    }
    let (baseline, value) = (figures::median(of_few), figures::median(of_many));
    let figure = |what: &str, value, baseline, budget| Figure {
        what: what.to_owned(),
        unit: "µs",
        value,
        baseline,
        budget: Some(budget),
    };
    let figures = [
        figure("match among 100,000 routes", value, None, Budget::AtMost(5.0)),
        figure("the same against 10 routes", baseline * figures::median(ratios), Some(baseline), Budget::Times(3.0)),
    ];
    println!("{}", figures::table(&figures));
    println!("\n{}", figures::keep("routes", &figures).expect("a file").display());
    if figures.iter().all(Figure::is_within) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Routes with a template and a method each, under a few hundred first segments.
fn snapshot(count: usize) -> Snapshot {
    let route = |number: usize| {
        json!({"id": format!("route-{number}"), "authenticate": "anonymous", "respond": {},
               "match": [{"path": format!("{}/{{id}}", path(number)), "methods": ["GET", "PUT"]}]})
    };
    let document = json!({"routes": (0..count).map(route).collect::<Vec<_>>()});
    let document = serde_json::from_value(document).expect("a document");
    Snapshot::compile(&document, &mut Report::default()).expect("a snapshot")
}

fn path(number: usize) -> String {
    format!("/tenants-{}/services-{number}/orders", number % 300)
}

/// Of one match, over requests that are spread over all routes.
fn microseconds(snapshot: &Snapshot, routes: usize) -> f64 {
    let headers = HeaderMap::new();
    // Steps of a large prime reach routes all over the tree.
    let paths: Vec<String> = (0..1000).map(|number| format!("{}/7", path(number * 7919 % routes))).collect();
    let started = Instant::now();
    for number in 0..REQUESTS {
        let path = &paths[number % paths.len()];
        let request =
            MatchRequest { host: "api.example.com", path, query: None, method: &Method::GET, headers: &headers };
        let found = snapshot.find(black_box(&request));
        assert!(matches!(black_box(found), Match::Found(_)), "{path}");
    }
    started.elapsed().as_secs_f64() * 1e6 / REQUESTS as f64
}
