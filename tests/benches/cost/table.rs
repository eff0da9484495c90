//! The table, and all that it is made of.

use std::time::Duration;

use faregate_core::{cost::Prices, policy::telemetry::Sink};

use crate::{
    BACKEND, Case, MACHINE, MB_PER_PROCESSOR, Workload,
    fleet::{ANSWER_BYTES, Counted, INIT, LIFETIME},
    month::{self, METRICS, Publish},
    neighbours::{self, HEAD_BYTES, HOURS, SERVERS},
};

/// Dollars for a GB that leaves AWS.
const EGRESS_GB: f64 = 0.09;
const MACHINE_GB: f64 = MACHINE.memory_mb as f64 / 1024.0;
const GB: f64 = (1_u64 << 30) as f64;

/// What a million requests cost, part by part, in dollars.
pub(crate) fn parts(counted: &Counted, prices: &Prices) -> [(&'static str, f64); 7] {
    let of = |units: u64, nanodollars: f64| units as f64 * nanodollars / 1e3 / counted.requests as f64;
    let gb_second = MACHINE_GB * prices.arm64_gb_second as f64;
    let half_read = prices.read_unit as f64 / 2.0;
    let start = INIT.as_secs_f64() * gb_second + counted.start_half_reads as f64 * half_read;
    let starts = counted.environments as f64 * counted.watched.as_secs_f64() / LIFETIME.as_secs_f64();
    [
        ("requests", of(counted.requests, prices.request as f64)),
        ("compute", of(counted.milliseconds, gb_second / 1e3)),
        ("writes", of(counted.writes, prices.write_unit as f64)),
        ("reads", of(counted.half_reads, half_read)),
        ("logs", of(counted.log_bytes, prices.log_gb as f64 / GB)),
        ("metrics", of(counted.metric_calls, prices.metric_call as f64)),
        ("starts", starts * start / 1e3 / counted.requests as f64),
    ]
}

/// Dollars per million, all of it but egress and what a month costs anyway.
pub(crate) fn per_million(counted: &Counted, prices: &Prices) -> f64 {
    parts(counted, prices).iter().map(|(_, dollars)| dollars).sum()
}

/// Millions of requests in a month.
pub(crate) fn millions(rate: f64) -> f64 {
    rate * 3600.0 * HOURS / 1e6
}

/// Requests that an environment gets in a second, in the mean of all that ever were: the last ones seldom get any.
pub(crate) fn rate_of_environment(case: &Case) -> f64 {
    case.workload.rate / case.counted.environments as f64
}

pub(crate) fn name(sink: Sink) -> &'static str {
    if sink == Sink::Emf { "emf" } else { "cloudwatch" }
}

/// How many consumers there are, and whether nothing limits them.
pub(crate) fn consumers(workload: &Workload) -> String {
    let number = workload.consumers;
    if workload.has_limits { number.to_string() } else { format!("{number} without limits") }
}

/// Everything, as Markdown.
pub(crate) fn print(cases: &[Case], processor: Duration, overhead: Duration, publish: Publish, prices: &Prices) {
    by_part(cases, prices);
    by_month(cases, publish, prices);
    counts(cases);
    others(cases, prices);
    fixed(cases, publish, prices);
    assumptions(processor, overhead, publish, prices);
}

fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

fn head(names: &[&str]) {
    row(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    row(&vec!["---".to_owned(); names.len()]);
}

fn by_part(cases: &[Case], prices: &Prices) {
    println!("Dollars per million requests, part by part:\n");
    let mut names = vec!["requests/s", "a month", "consumers", "sink"];
    names.extend(parts(&cases[0].counted, prices).map(|(name, _)| name));
    names.extend(["**all**", "the gateway's own estimate"]);
    head(&names);
    for Case { workload, sink, counted } in cases {
        let mut cells = vec![
            workload.rate.to_string(),
            format!("{:.2} M", millions(workload.rate)),
            consumers(workload),
            name(*sink).to_owned(),
        ];
        cells.extend(parts(counted, prices).map(|(_, dollars)| format!("{dollars:.4}")));
        let estimate = counted.estimated_nanodollars as f64 / 1e3 / counted.requests as f64;
        cells.extend([format!("**{:.3}**", per_million(counted, prices)), format!("{estimate:.3}")]);
        row(&cells);
    }
}

/// Dollars a month, with what a month costs anyway.
fn by_month(cases: &[Case], publish: Publish, prices: &Prices) {
    println!("\nDollars a month (`sink: cloudwatch`):\n");
    let months = crate::MONTHS.map(|number| &cases[2 * number]);
    let mut names = vec!["part".to_owned()];
    names.extend(months.map(|case| format!("{:.0} M requests", millions(case.workload.rate))));
    head(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let per_million = months.map(|case| parts(&case.counted, prices));
    let mut sums = [0.0; 3];
    for (part, (name, _)) in per_million[0].iter().enumerate() {
        let mut cells = vec![(*name).to_owned()];
        for (month, sum) in sums.iter_mut().enumerate() {
            let dollars = per_million[month][part].1 * millions(months[month].workload.rate);
            *sum += dollars;
            cells.push(format!("{dollars:.2}"));
        }
        row(&cells);
    }
    let kept = months.map(|case| month::kept_logs(&case.counted) * millions(case.workload.rate));
    let fixed = month::fixed(publish, prices).map(|(name, dollars)| (name, [dollars; 3]));
    for (name, dollars) in [("logs, kept", kept)].into_iter().chain(fixed) {
        let mut cells = vec![name.to_owned()];
        for (sum, dollars) in sums.iter_mut().zip(dollars) {
            *sum += dollars;
            cells.push(format!("{dollars:.2}"));
        }
        row(&cells);
    }
    let mut cells = vec!["**all**".to_owned()];
    cells.extend(sums.map(|dollars| format!("**{dollars:.2}**")));
    row(&cells);
    let mut cells = vec![format!("egress, answers of {ANSWER_BYTES} bytes")];
    cells.extend(months.map(|case| format!("{:.2}", egress() * millions(case.workload.rate))));
    row(&cells);
}

fn custom_metrics(prices: &Prices) -> f64 {
    METRICS * prices.metric_month as f64 / 1e9
}

/// Dollars for what a million answers' bodies cost on their way out of AWS.
fn egress() -> f64 {
    ANSWER_BYTES as f64 * 1e6 / GB * EGRESS_GB
}

fn counts(cases: &[Case]) {
    println!("\nWhat was counted for a thousand of them:\n");
    head(&[
        "requests/s",
        "sink",
        "consumers",
        "environments",
        "requests/s each",
        "ms billed",
        "writes",
        "half reads",
        "log lines",
        "log bytes",
        "PutMetricData",
    ]);
    for case in cases {
        let Case { workload, sink, counted } = case;
        let of = |units: u64| units as f64 * 1e3 / counted.requests as f64;
        row(&[
            workload.rate.to_string(),
            name(*sink).to_owned(),
            consumers(workload),
            counted.environments.to_string(),
            format!("{:.1}", rate_of_environment(case)),
            format!("{:.0}", of(counted.milliseconds)),
            format!("{:.1}", of(counted.writes)),
            format!("{:.1}", of(counted.half_reads)),
            format!("{:.1}", of(counted.log_lines)),
            format!("{:.0}", of(counted.log_bytes)),
            format!("{:.2}", of(counted.metric_calls)),
        ]);
    }
}

fn others(cases: &[Case], prices: &Prices) {
    println!("\nBeside others for the same work, dollars per million (volume tiers of theirs counted):\n");
    head(&["requests/s", "consumers", "Faregate", "HTTP API", "REST API with authoriser", "ALB + function"]);
    for Case { workload, sink, counted } in cases {
        if *sink == Sink::Emf {
            continue;
        }
        let a_month = millions(workload.rate);
        let milliseconds = counted.milliseconds as f64 / counted.requests as f64;
        row(&[
            workload.rate.to_string(),
            consumers(workload),
            format!("{:.2}", per_million(counted, prices)),
            format!("{:.2}", neighbours::http_api(a_month, workload.consumers, prices)),
            format!("{:.2}", neighbours::rest_api(a_month, workload.consumers, prices)),
            format!("{:.2}", neighbours::alb_and_function(a_month, milliseconds, prices)),
        ]);
    }
}

fn fixed(cases: &[Case], publish: Publish, prices: &Prices) {
    println!("\nNot in these figures:\n");
    let metrics = custom_metrics(prices);
    println!(
        "- custom metrics, ${metrics:.2} a month: {METRICS} of them, whatever the traffic (`sink: off` saves that)"
    );
    let others: f64 = month::fixed(publish, prices).iter().skip(1).map(|(_, dollars)| dollars).sum();
    println!("- publisher, KMS, tables and their recovery, ${others:.2} a month: the rows above, whatever the traffic");
    println!("- log lines that are kept: the row above, with the traffic");
    let egress = egress();
    println!(
        "- egress to the internet, ${egress:.3} per million: answers of {ANSWER_BYTES} bytes at ${EGRESS_GB} a GB"
    );
    let (fixed, each) = neighbours::servers();
    let own = per_million(&cases[2 * crate::BESIDE_SERVERS].counted, prices);
    let even = fixed / (own - each);
    println!(
        "\nA server is cheaper above {even:.0} million requests a month: {SERVERS} t4g.small behind a load balancer cost \
         ${fixed:.2} a month and ${each:.3} per million, this gateway ${own:.3} per million."
    );
}

/// Milliseconds that a request may still take for the same money.
fn room(overhead: Duration) -> f64 {
    let taken = (BACKEND + overhead).as_secs_f64() * 1e3;
    taken.ceil() - taken
}

fn assumptions(processor: Duration, overhead: Duration, publish: Publish, prices: &Prices) {
    println!("\nAssumptions:\n");
    println!(
        "- list prices of {} on {}, without free tiers and discounts (`faregate prices`)",
        prices.region, prices.date
    );
    println!(
        "- a warm request with key, limit and backend took {} µs of a processor here (the release binary under the Runtime API \
         driver); {} MB have {:.3} of one, so {:.2} ms; with the backend's that is {:.2} ms before the next whole one",
        processor.as_micros(),
        MACHINE.memory_mb,
        f64::from(MACHINE.memory_mb) / f64::from(MB_PER_PROCESSOR),
        overhead.as_secs_f64() * 1e3,
        room(overhead),
    );
    println!(
        "- what a request itself waits for DynamoDB (a key that is new, permits that are used up) is billed as 0 ms"
    );
    println!(
        "- the backend takes {} ms; side work ends meanwhile; arm64 is as quick as this machine",
        BACKEND.as_millis()
    );
    println!(
        "- an environment lives for {} h, and its start is billed for {} ms",
        LIFETIME.as_secs() / 3600,
        INIT.as_millis()
    );
    println!(
        "- the document is the demo's route with a key, with limits that nobody meets: one route, one backend, a plan with a rate \
         limit and a quota"
    );
    println!("- arrivals are random (Poisson); the environment that was free last gets the next one, as in Lambda");
    println!("- a write of a counter is one unit; a read is eventually consistent and of 4 KB at most: half a unit");
    println!(
        "- the plan's limits, 10 M a minute and 100 B a month, are never met; the first sixth of the time is not counted"
    );
    month::print_assumptions(publish);
    println!(
        "- default settings: one line in a hundred requests, metrics once a minute and environment, or in three minutes where it \
         had fewer than 1,000 requests"
    );
    println!(
        "- of the others: their access logs are left out; HTTP API asks a function for the key (5 min cached) and limits \
         nobody; usage plans of REST API are best effort; the function behind the load balancer is as quick as this one, \
         writes a counter for each request, and {} bytes a request pass",
        HEAD_BYTES + ANSWER_BYTES
    );
    neighbours::print_assumptions();
}
