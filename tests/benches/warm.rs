//! `cargo xtask bench warm`: the processor time of a request and the memory of a gateway that knows a lot.
//!
//! The gateway matches, checks an API key, takes a permit and forwards; the baseline, `lambda_http` with `reqwest`, only
//! forwards. Both are release binaries under the Runtime API driver, answer in the same way and are called in turn.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench prints its table, and takes the time"
)]

use std::process::ExitCode;

use bytes::Bytes;
use faregate_core::api_key::KeyHash;
use faregate_engine::ports::KeyAdmin;
use faregate_testing::driver::Driver;
use faregate_tests::{
    Backend, Budget, DynamoDbProxy, Fate, Figure, Stores, baseline, figures, processor_time, resident_bytes, send,
};
use http::Request;
use serde_json::{Value, json};

const ROUNDS: usize = 9;
/// How many requests a round has, by the mode of their answers. `lambda_http` sends streamed ones in parts for which both
/// sides wait, 40 ms each.
const MODES: [(&str, usize); 2] = [("stream", 200), ("buffered", 1000)];
/// How much a gateway knows whose memory is measured.
const ROUTES: usize = 10_000;
const KEYS: usize = 10_000;

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches, too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let figures = runtime.block_on(async {
        let mut figures = Vec::new();
        for (invoke_mode, requests) in MODES {
            figures.push(processor(invoke_mode, requests).await);
        }
        figures.push(memory().await);
        figures
    });
    println!("{}", figures::table(&figures));
    println!("\n{}", figures::keep("warm", &figures).expect("a file").display());
    if figures.iter().all(Figure::is_within) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Of a request whose answer is sent in this mode.
async fn processor(invoke_mode: &str, requests: usize) -> Figure {
    let backend = Backend::echo("orders").await.expect("a backend");
    let stores = Stores::start().await.expect("stores");
    stores.apply(&document(&backend.url(), 500)).await.expect("applied");
    add_keys(&stores, 1).await;
    let gateway = stores.gateway().expect("a gateway").env("FAREGATE_INVOKE_MODE", invoke_mode);
    let gateway = gateway.start().await.expect("an environment");
    let bare = Driver::builder(baseline("pass_through").expect("a baseline")).env("BACKEND_URL", backend.url());
    let bare = bare.env("INVOKE_MODE", invoke_mode).start().await.expect("an environment");
    let mut pairs = Vec::new();
    for round in 0..=ROUNDS {
        let pair = (per_request(&gateway, requests).await, per_request(&bare, requests).await);
        // The first round only warms up.
        if round > 0 {
            pairs.push(pair);
        }
    }
    let what = format!("processor time of a request, {invoke_mode}: match, key, limit, forward");
    Figure::of_pairs(what, "µs", &pairs).within(Budget::Times(1.0))
}

/// Microseconds of processor time, the exchanges with the Runtime API among them.
async fn per_request(driver: &Driver, requests: usize) -> f64 {
    let process = driver.environments()[0].pid.expect("a process");
    let before = processor_time(process).expect("a process");
    for _ in 0..requests {
        call(driver, 0).await;
    }
    driver.wait_until_idle().await.expect("idle");
    let spent = processor_time(process).expect("a process") - before;
    spent.as_secs_f64() * 1e6 / requests as f64
}

async fn memory() -> Figure {
    let backend = Backend::echo("orders").await.expect("a backend");
    let stores = Stores::start().await.expect("stores");
    stores.apply(&document(&backend.url(), ROUTES)).await.expect("applied");
    add_keys(&stores, KEYS).await;
    let counted =
        DynamoDbProxy::start(stores.dynamodb().address(), "GetItem", |_| Fate::Passed).await.expect("a proxy");
    let gateway = stores.gateway().expect("a gateway").env("AWS_ENDPOINT_URL_DYNAMODB", counted.url());
    let driver = gateway.start().await.expect("an environment");
    for number in 0..KEYS {
        call(&driver, number).await;
    }
    let process = driver.environments()[0].pid.expect("a process");
    let megabytes = resident_bytes(process).expect("a process") as f64 / f64::from(1 << 20);
    // It knows them all: of the first ones, none is read anew, and what else is read are checks of the snapshot's version.
    let (before, again) = (counted.calls(), KEYS / 10);
    for number in 0..again {
        call(&driver, number).await;
    }
    assert!(counted.calls() - before < again as u64 / 10, "{} reads for {again} requests", counted.calls() - before);
    let what = format!("resident memory, {ROUTES} routes and {KEYS} keys");
    Figure::of(what, "MB", vec![megabytes]).within(Budget::AtMost(64.0))
}

async fn call(driver: &Driver, number: usize) {
    let request = Request::get("/orders/7").header("host", "api.example.com").header("x-api-key", key(number));
    let answer = send(driver.address(), request.body(Bytes::new()).expect("a request")).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
}

async fn add_keys(stores: &Stores, count: usize) {
    for number in 0..count {
        let hash = KeyHash::of(key(number).as_bytes());
        let item = json!({"key_hash": hash.as_str(), "consumer": format!("consumer-{number}"), "plan": "gold"});
        assert!(stores.keys().create(item.as_object().cloned().expect("an item")).await.expect("a table"));
    }
}

fn key(number: usize) -> String {
    format!("the key of consumer {number}")
}

fn document(backend: &str, routes: usize) -> Value {
    let route = |number: usize| {
        json!({"id": format!("route-{number}"), "match": [{"path": format!("/routes/{number}/{{id}}")}],
               "authenticate": "api_key", "forward": {"backend": "orders"}})
    };
    let mut all: Vec<Value> = (1..routes).map(route).collect();
    all.push(
        json!({"id": "orders", "match": [{"path": "/orders/{id}"}], "authenticate": "api_key", "limits": ["plan"],
                    "forward": {"backend": "orders"}}),
    );
    json!({
        "backends": [{"id": "orders", "targets": [{"url": backend}]}],
        "plans": [{"id": "gold", "limits": [{"id": "monthly", "limit": 100_000_000_u64, "per": "month"}]}],
        "routes": all,
    })
}
