//! `cargo xtask bench cold`: how long a new environment takes, beside the least that a Lambda function can do.
//!
//! Both are release binaries under the Runtime API driver, started in turn. The gateway loads a snapshot of 500 routes from
//! the embedded DynamoDB before it asks for its first invocation.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench prints its table, and takes the time"
)]

use std::{
    process::ExitCode,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use faregate_testing::driver::{Driver, DriverBuilder};
use faregate_tests::{Budget, DynamoDbProxy, Fate, Figure, Stores, baseline, figures, send};
use http::Request;
use serde_json::{Value, json};

const ROUNDS: usize = 25;
const ROUTES: usize = 500;

/// What one start took.
struct Start {
    /// From the start of the process to its first question for an invocation.
    ready: Duration,
    /// From the start of the process to the end of its first answer.
    answered: Duration,
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
    let stores = Stores::start().await.expect("stores");
    stores.apply(&document()).await.expect("applied");
    let hello = Driver::builder(baseline("hello"));
    let (mut gateways, mut hellos, mut unloaded) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        gateways.push(start(stores.gateway().expect("a gateway")).await);
        hellos.push(start(hello.clone()).await);
        unloaded.push(until_the_snapshot(&stores).await);
    }
    let milliseconds = |durations: Vec<Duration>| {
        figures::median(durations.into_iter().map(|duration| duration.as_secs_f64() * 1e3).collect())
    };
    let of = |starts: &[Start], take: fn(&Start) -> Duration| milliseconds(starts.iter().map(take).collect());
    let figure = |what: &str, value, baseline, budget| {
        let baseline = Some(of(&hellos, baseline));
        Figure { what: what.to_owned(), unit: "ms", value, baseline, budget }
    };
    vec![
        figure(
            "process start → first answer, 500 routes",
            of(&gateways, |start| start.answered),
            |start| start.answered,
            Some(Budget::Times(2.5)),
        ),
        figure(
            "process start → first /next, snapshot load aside",
            milliseconds(unloaded),
            |start| start.ready,
            Some(Budget::Times(2.0)),
        ),
        figure(
            "process start → first /next, snapshot loaded",
            of(&gateways, |start| start.ready),
            |start| start.ready,
            None,
        ),
    ]
}

async fn start(function: DriverBuilder) -> Start {
    let driver = function.start().await.expect("an environment");
    let ready = driver.environments()[0].ready_after.expect("it has asked");
    let asked = Instant::now();
    let request = Request::get("/routes/7").header("host", "api.example.com").body(Bytes::new()).expect("a request");
    let answer = send(driver.address(), request).await.expect("an answer");
    let answered = ready + asked.elapsed();
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    Start { ready, answered }
}

/// From the start of the process to its first call of DynamoDB: all of its own beginning, without what it loads.
async fn until_the_snapshot(stores: &Stores) -> Duration {
    let first_call = Arc::new(OnceLock::new());
    let noted = Arc::clone(&first_call);
    let any_operation = "";
    let proxy = DynamoDbProxy::start(stores.dynamodb().address(), any_operation, move |_| {
        noted.get_or_init(Instant::now);
        Fate::Passed
    });
    let proxy = proxy.await.expect("a proxy");
    let gateway = stores.gateway().expect("a gateway").env("AWS_ENDPOINT_URL_DYNAMODB", proxy.url());
    let driver = gateway.start().await.expect("an environment");
    let called = *first_call.get().expect("the snapshot is loaded at the start");
    called - driver.environments()[0].started_at
}

fn document() -> Value {
    let route = |number: usize| {
        json!({"id": format!("route-{number}"), "match": [{"path": format!("/routes/{number}"), "methods": ["GET"]}],
               "authenticate": "anonymous", "respond": {"body": "hello"}})
    };
    json!({"routes": (0..ROUTES).map(route).collect::<Vec<_>>()})
}
