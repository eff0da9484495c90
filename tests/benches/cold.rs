//! `cargo xtask bench cold`: how long a new environment takes, beside the least that a Lambda function can do.
//!
//! Both are release binaries under the Runtime API driver, started in turn. The gateway loads a snapshot of 500 routes from
//! the embedded DynamoDB before it asks for its first invocation; what it takes without that is seen where there is none.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench prints its table, and takes the time"
)]

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use bytes::Bytes;
use faregate_testing::driver::{Driver, DriverBuilder};
use faregate_tests::{Budget, Figure, Stores, baseline, figures, send};
use http::Request;
use serde_json::{Value, json};

const ROUNDS: usize = 25;
const ROUTES: usize = 500;

/// What one start took, in milliseconds.
struct Start {
    /// From the start of the process to its first question for an invocation.
    ready: f64,
    /// From the start of the process to the end of its first answer.
    answered: f64,
}

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches, too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let figures = runtime.block_on(measure());
    println!("{}", figures::table(&figures));
    println!("\n{}", figures::keep("cold", &figures).expect("a file").display());
    if figures.iter().all(Figure::is_within) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure() -> Vec<Figure> {
    let (stores, without_snapshot) = (Stores::start().await.expect("stores"), Stores::start().await.expect("stores"));
    stores.apply(&document()).await.expect("applied");
    let hello = Driver::builder(baseline("hello").expect("a baseline"));
    let (mut answered, mut unloaded, mut loaded) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let gateway = start(stores.gateway().expect("a gateway")).await;
        let alone = ready(&without_snapshot.gateway().expect("a gateway").start().await.expect("an environment"));
        let bare = start(hello.clone()).await;
        answered.push((gateway.answered, bare.answered));
        unloaded.push((alone, bare.ready));
        loaded.push((gateway.ready, bare.ready));
    }
    vec![
        Figure::of_pairs("process start → first answer, 500 routes", "ms", &answered).within(Budget::Times(2.5)),
        Figure::of_pairs("process start → first /next, snapshot load aside", "ms", &unloaded)
            .within(Budget::Times(2.0)),
        Figure::of_pairs("process start → first /next, snapshot loaded", "ms", &loaded),
    ]
}

async fn start(function: DriverBuilder) -> Start {
    let driver = function.start().await.expect("an environment");
    let ready = ready(&driver);
    let asked = Instant::now();
    let request = Request::get("/routes/7").header("host", "api.example.com").body(Bytes::new()).expect("a request");
    let answer = send(driver.address(), request).await.expect("an answer");
    let answered = ready + milliseconds(asked.elapsed());
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    Start { ready, answered }
}

fn ready(driver: &Driver) -> f64 {
    milliseconds(driver.environments()[0].ready_after.expect("it has asked"))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn document() -> Value {
    let route = |number: usize| {
        json!({"id": format!("route-{number}"), "match": [{"path": format!("/routes/{number}"), "methods": ["GET"]}],
               "authenticate": "anonymous", "respond": {"body": "hello"}})
    };
    json!({"routes": (0..ROUTES).map(route).collect::<Vec<_>>()})
}
