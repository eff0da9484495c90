//! What a month costs whatever the traffic: metrics, the publisher's schedule, keys of KMS, storage.
//!
//! Sources beside those of [`Prices`]: <https://aws.amazon.com/kms/pricing/>,
//! <https://aws.amazon.com/dynamodb/pricing/on-demand/>, <https://aws.amazon.com/cloudwatch/pricing/>.

use faregate_core::{cost::Prices, document::Kind};
use faregate_engine::{
    fakes::{FakeClock, FakeConfigStore},
    ports::StoredEntry,
    publish::{Outcome, PublishOptions, publish},
};
use serde_json::Value;

use crate::{
    fleet::{self, Counted},
    neighbours::HOURS,
};

/// Metrics that a busy gateway sends, of those in `docs/operating.md`: the others count what goes wrong.
pub(crate) const METRICS: f64 = 11.0;
/// The schedule of `template.yaml`: once in five minutes.
const PUBLISHES: f64 = HOURS * 12.0;
/// Its memory there in GB, and for how long a publish that finds nothing new is billed, its start included.
const PUBLISHER_GB: f64 = 0.5;
const PUBLISHER_SECONDS: f64 = 0.3;
/// The Config table, its snapshots among it: the publisher's scan is billed for all of it.
const CONFIG_KB: f64 = 100.0;
/// All tables together, and those with point-in-time recovery; dollars for a GB of either for a month.
const STORED_GB: f64 = 0.02;
const RECOVERED_GB: f64 = 0.01;
const STORED_GB_MONTH: f64 = 0.25;
const RECOVERED_GB_MONTH: f64 = 0.20;
/// DynamoDB remembers the key of a table for five minutes and caller: three tables of the gateway, one of the publisher.
const KMS_CALLS: f64 = HOURS * 12.0 * 4.0;
const KMS_CALL: f64 = 0.03 / 10_000.0;
/// Dollars for a GB of log lines that is kept for a month, and the template's months.
const LOG_GB_MONTH: f64 = 0.03;
const LOG_MONTHS: f64 = 30.0 / 30.4;

/// Calls of one publish that finds nothing new.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Publish {
    /// But for the scan: consistent, of 4 KB at most each.
    pub(crate) reads: usize,
    pub(crate) writes: usize,
}

impl Publish {
    /// Publishes the demo's document twice, and counts the second time.
    pub(crate) async fn counted() -> Self {
        let (store, clock) = (FakeConfigStore::default(), FakeClock::new(fleet::START));
        let document = fleet::document("http://backend.example", "cloudwatch", true);
        for kind in Kind::ALL {
            let entries = document[kind.section()].as_array().into_iter().flatten();
            for fields in entries.filter_map(Value::as_object) {
                let mut fields = fields.clone();
                let id = fields.remove("id").and_then(|id| id.as_str().map(str::to_owned)).unwrap_or_default();
                store.insert(StoredEntry { kind: kind.as_str().into(), id, fields: Ok(fields) });
            }
        }
        publish(&store, &clock, PublishOptions::default()).await.expect("a snapshot");
        store.faults.forget_operations();
        let again = publish(&store, &clock, PublishOptions::default()).await.expect("the same snapshot");
        assert!(matches!(again, Outcome::Unchanged { .. }), "{again:?}");
        let calls = store.faults.operations();
        let (writes, reads): (Vec<&str>, Vec<&str>) = calls.into_iter().partition(|name| name.starts_with("put"));
        assert!(reads.contains(&"entries"), "{reads:?}");
        Self { reads: reads.len() - 1, writes: writes.len() }
    }
}

/// What does not depend on traffic, part by part, in dollars a month.
pub(crate) fn fixed(publish: Publish, prices: &Prices) -> [(&'static str, f64); 6] {
    let reads = publish.reads as f64 + (CONFIG_KB / 4.0).ceil();
    let units = reads * prices.read_unit as f64 + publish.writes as f64 * prices.write_unit as f64;
    let compute = prices.request as f64 + PUBLISHER_GB * PUBLISHER_SECONDS * prices.arm64_gb_second as f64;
    [
        ("custom metrics", METRICS * prices.metric_month as f64 / 1e9),
        ("publisher: function", PUBLISHES * compute / 1e9),
        ("publisher: DynamoDB", PUBLISHES * units / 1e9),
        ("KMS", KMS_CALLS * KMS_CALL),
        ("tables", STORED_GB * STORED_GB_MONTH),
        ("point-in-time recovery", RECOVERED_GB * RECOVERED_GB_MONTH),
    ]
}

/// Dollars that the lines of a million requests cost while they are kept.
pub(crate) fn kept_logs(counted: &Counted) -> f64 {
    counted.log_bytes as f64 * 1e6 / counted.requests as f64 / f64::from(1 << 30) * LOG_GB_MONTH * LOG_MONTHS
}

/// What the fixed part assumes.
pub(crate) fn print_assumptions(publish: Publish) {
    println!(
        "- the publisher runs {PUBLISHES:.0} times a month and finds nothing new: {PUBLISHER_SECONDS} s of {PUBLISHER_GB} GB \
         each, a consistent scan of a Config table of {CONFIG_KB} KB, {} more consistent reads and {} writes (counted)",
        publish.reads, publish.writes
    );
    println!(
        "- AWS's own keys encrypt the tables: no monthly price, {KMS_CALLS:.0} calls of KMS a month at $0.03 for 10,000 (a \
         table and caller once in five minutes)"
    );
    println!(
        "- {STORED_GB} GB of tables at ${STORED_GB_MONTH}, {RECOVERED_GB} GB of them with point-in-time recovery at \
         ${RECOVERED_GB_MONTH}; log lines are kept for 30 days at ${LOG_GB_MONTH} a GB and month"
    );
    println!(
        "- nothing else is there: no alarms ($0.10 each), dashboard ($3), X-Ray, VPC or CloudFront; schedule and stream of the \
         publisher are free"
    );
}
