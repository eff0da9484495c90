//! The same figures as JSON, under `target/bench`.

use std::{path::PathBuf, time::Duration};

use faregate_core::cost::Prices;
use faregate_tests::figures;
use serde_json::{Map, Value, json};

use crate::{
    Case,
    month::{self, Publish},
    table,
};

fn dollars(parts: &[(&str, f64)]) -> Value {
    parts.iter().map(|(name, dollars)| ((*name).to_owned(), json!(dollars))).collect::<Map<_, _>>().into()
}

/// Writes it and says where.
pub(crate) fn write(cases: &[Case], processor: Duration, publish: Publish, prices: &Prices) -> PathBuf {
    let of_case = |case: &Case| {
        let Case { workload, sink, counted } = case;
        json!({
            "requests_per_second": workload.rate,
            "requests_per_second_and_environment": table::rate_of_environment(case),
            "consumers": workload.consumers,
            "has_limits": workload.has_limits,
            "sink": table::name(*sink),
            "dollars_per_million": table::per_million(counted, prices),
            "parts": dollars(&table::parts(counted, prices)),
            "is_budgeted": case.workload.is_budgeted(),
            "counted": {
                "requests": counted.requests, "environments": counted.environments, "milliseconds": counted.milliseconds,
                "writes": counted.writes, "half_reads": counted.half_reads, "log_lines": counted.log_lines,
                "log_bytes": counted.log_bytes, "metric_calls": counted.metric_calls,
                "estimated_nanodollars": counted.estimated_nanodollars,
            },
        })
    };
    let report = json!({
        "prices": prices,
        "budget_dollars_per_million": crate::BUDGET,
        "processor_microseconds": processor.as_secs_f64() * 1e6,
        "fixed_dollars_per_month": dollars(&month::fixed(publish, prices)),
        "cases": cases.iter().map(of_case).collect::<Vec<_>>(),
    });
    figures::keep("cost", &report).expect("a file")
}
