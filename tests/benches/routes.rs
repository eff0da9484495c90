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
    let (few, many) = (Routes::new(FEW), Routes::new(MANY));
    let pairs: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (many.microseconds(), few.microseconds())).collect();
    let alone = pairs.iter().map(|(many, _)| *many).collect();
    let figures = [
        Figure::of("match among 100,000 routes", "µs", alone).within(Budget::AtMost(5.0)),
        Figure::of_pairs("the same against 10 routes", "µs", &pairs).within(Budget::Times(3.0)),
    ];
    println!("{}", figures::table(&figures));
    println!("\n{}", figures::keep("routes", &figures).expect("a file").display());
    if figures.iter().all(Figure::is_within) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Routes with a template and a method each, under a few hundred first segments, and requests for them.
struct Routes {
    snapshot: Snapshot,
    /// As many different ones as there are requests, spread over all routes.
    paths: Vec<String>,
}

impl Routes {
    fn new(count: usize) -> Self {
        let route = |number: usize| {
            json!({"id": format!("route-{number}"), "authenticate": "anonymous", "respond": {},
                   "match": [{"path": format!("{}/{{id}}", path(number)), "methods": ["GET", "PUT"]}]})
        };
        let document = json!({"routes": (0..count).map(route).collect::<Vec<_>>()});
        let document = serde_json::from_value(document).expect("a document");
        let snapshot = Snapshot::compile(&document, &mut Report::default()).expect("a snapshot");
        // Steps of a large prime reach routes all over the tree, each of many once.
        let paths = (0..REQUESTS).map(|number| format!("{}/{number}", path(number * 7919 % count))).collect();
        Self { snapshot, paths }
    }

    /// Of one match.
    fn microseconds(&self) -> f64 {
        let headers = HeaderMap::new();
        let started = Instant::now();
        for path in &self.paths {
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
