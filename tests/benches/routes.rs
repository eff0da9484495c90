//! `cargo xtask bench routes`: what matching costs, from the path as it came to the entry, among few routes and among
//! many.

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
    path::normalise,
    snapshot::Snapshot,
};
use faregate_tests::{Budget, Figure, figures};
use http::{HeaderMap, Method};
use serde_json::json;

const ROUNDS: usize = 15;
const REQUESTS: usize = 20_000;
const FEW: usize = 10;
const MANY: usize = 100_000;
/// How many of them requests are for where most are idle.
const BUSY: usize = 1000;

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches, too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let (few, busy, all) = (Routes::new(FEW, FEW), Routes::new(MANY, BUSY), Routes::new(MANY, MANY));
    let measured: Vec<[f64; 3]> = (0..ROUNDS).map(|_| [&few, &busy, &all].map(Routes::microseconds)).collect();
    let beside_few = |which: usize| measured.iter().map(|round| (round[which], round[0])).collect::<Vec<_>>();
    let alone = measured.iter().map(|round| round[2]).collect();
    let figures = [
        Figure::of("match among 100,000 routes, all asked for", "µs", alone).within(Budget::AtMost(5.0)),
        Figure::of_pairs("1,000 of 100,000 routes asked for, against 10", "µs", &beside_few(1))
            .within(Budget::Times(3.0)),
        // Routes that were not asked for lately are read from memory, ten from the processor's first cache.
        Figure::of_pairs("all of 100,000 routes asked for, against 10", "µs", &beside_few(2)),
    ];
    println!("{}", figures::table(&figures));
    println!("\n{}", figures::keep("routes", &figures).expect("a file").display());
    if figures.iter().all(Figure::is_within) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Routes with a template and a method each, under a few hundred first segments, and requests for them.
struct Routes {
    snapshot: Snapshot,
    /// As many different ones as there are requests, spread over those routes that are busy.
    paths: Vec<String>,
}

impl Routes {
    fn new(count: usize, busy: usize) -> Self {
        let route = |number: usize| {
            json!({"id": format!("route-{number}"), "authenticate": "anonymous", "respond": {},
                   "match": [{"path": format!("{}/{{id}}", path(number)), "methods": ["GET", "PUT"]}]})
        };
        let document = json!({"routes": (0..count).map(route).collect::<Vec<_>>()});
        let document = serde_json::from_value(document).expect("a document");
        let snapshot = Snapshot::compile(&document, &mut Report::default()).expect("a snapshot");
        // Steps of a large prime reach routes all over the tree.
        let paths = (0..REQUESTS).map(|number| format!("{}/{number}", path(number % busy * 7919 % count))).collect();
        Self { snapshot, paths }
    }

    /// Of one match.
    fn microseconds(&self) -> f64 {
        let headers = HeaderMap::new();
        let started = Instant::now();
        for raw in &self.paths {
            let path = &*normalise(black_box(raw)).expect("a path");
            let request =
                MatchRequest { host: "api.example.com", path, query: None, method: &Method::GET, headers: &headers };
            let found = self.snapshot.find(black_box(&request));
            assert!(matches!(black_box(found), Match::Found(_)), "{path}");
        }
        started.elapsed().as_secs_f64() * 1e6 / REQUESTS as f64
    }
}

fn path(number: usize) -> String {
    format!("/tenants-{}/services-{number}/orders", number % 300)
}
