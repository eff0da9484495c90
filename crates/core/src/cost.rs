//! What a request costs on AWS: an estimate from what was counted, and the dated prices that it is made of.
//!
//! All prices are in nano-dollars (10⁻⁹ US dollars), without free tiers and volume discounts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{limit::Window, time::Timestamp};

/// Bytes that AWS calls a gigabyte.
const GB: u128 = 1 << 30;
/// Bytes of an answer that are streamed for nothing.
const STREAMED_FREE: u64 = 6 * 1024 * 1024;
/// Bytes that CloudWatch Logs adds to each line.
pub const LOG_LINE_OVERHEAD: u64 = 26;

/// Bytes that half a read request unit reads, eventually consistent.
const HALF_READ_BYTES: usize = 4096;

/// How many months a counter tells of, so that its item stays small: the present one and the one before it.
const MONTHS_TOLD: u64 = 2;
/// How many months before those a counter may still have that was not written for long.
const MONTHS_DROPPED: u64 = 12;

/// What requests cost in a month, and how many they were, told to a counter that counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The month, as `2026-11`.
    pub month: String,
    /// How many requests are added.
    pub requests: u64,
    /// How much is added.
    pub nanodollars: u64,
    /// The month's number.
    index: u64,
}

impl Cost {
    /// What is added to the month of this moment.
    #[must_use]
    pub fn at(now: Timestamp, requests: u64, nanodollars: u64) -> Self {
        Self { month: Self::month_of(now), requests, nanodollars, index: Window::Month.index(now) }
    }

    /// The months that a counter does not tell of any more; dropped with a write that begins a slot or a bucket.
    pub fn outdated(&self) -> impl Iterator<Item = String> {
        let before = |months| Self::month_of(Window::Month.start(self.index.saturating_sub(months)));
        (MONTHS_TOLD..MONTHS_TOLD + MONTHS_DROPPED).map(before)
    }

    /// The month of a moment, as `2026-11`.
    #[must_use]
    pub fn month_of(time: Timestamp) -> String {
        time.rfc3339().chars().take(7).collect()
    }

    /// Where a counter has what the requests of a month cost: `cost.2026-11`.
    #[must_use]
    pub fn attribute_of(month: &str) -> String {
        format!("cost.{month}")
    }

    /// Where a counter has how many requests there were in a month: `requests.2026-11`.
    #[must_use]
    pub fn requests_attribute_of(month: &str) -> String {
        format!("requests.{month}")
    }
}

/// What things cost, in nano-dollars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// When these were the prices.
    pub date: String,
    /// Where.
    pub region: String,
    /// A request to a function (<https://aws.amazon.com/lambda/pricing/>).
    pub request: u64,
    /// A second of a function with 1,024 MB on arm64.
    pub arm64_gb_second: u64,
    /// The same on x86_64.
    pub x86_64_gb_second: u64,
    /// A GB of streamed answers, after the first 6 MB of each.
    pub streamed_gb: u64,
    /// A write request unit of DynamoDB, on demand (<https://aws.amazon.com/dynamodb/pricing/on-demand/>).
    pub write_unit: u64,
    /// A read request unit.
    pub read_unit: u64,
    /// A GB of log lines (<https://aws.amazon.com/cloudwatch/pricing/>).
    pub log_gb: u64,
    /// A call of `PutMetricData`.
    pub metric_call: u64,
    /// A custom metric for a month.
    pub metric_month: u64,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            date: "2026-11-01".to_owned(),
            region: "us-east-1".to_owned(),
            request: 200,
            arm64_gb_second: 13_333,
            x86_64_gb_second: 16_667,
            streamed_gb: 8_000_000,
            write_unit: 625,
            read_unit: 125,
            log_gb: 500_000_000,
            metric_call: 10_000,
            metric_month: 300_000_000,
        }
    }
}

/// What a function runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Memory in MB.
    pub memory_mb: u32,
    /// Whether it is arm64, else x86_64.
    pub is_arm64: bool,
    /// Whether answers are streamed.
    pub streams: bool,
}

/// Halves of read request units that one eventually consistent call takes which reads this many bytes; a consistent one
/// takes twice as many (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>).
#[must_use]
pub fn half_reads(bytes: usize) -> u64 {
    bytes.div_ceil(HALF_READ_BYTES).max(1) as u64
}

/// What one request used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// How long the function was busy, the side work since the record before among it; billed in whole milliseconds.
    pub duration: Duration,
    /// Write request units.
    pub writes: u64,
    /// Halves of read request units: an eventually consistent read of 4 KB is one.
    pub half_reads: u64,
    /// Bytes of log lines.
    pub log_bytes: u64,
    /// Bytes of the answer's body.
    pub body_bytes: u64,
    /// Calls of `PutMetricData`.
    pub metric_calls: u64,
}

impl Prices {
    /// What this costs in nano-dollars, rounded up.
    #[must_use]
    pub fn of(&self, used: &Used, machine: Machine) -> u64 {
        let gb_second = if machine.is_arm64 { self.arm64_gb_second } else { self.x86_64_gb_second };
        let millis = used.duration.as_micros().div_ceil(1000);
        let compute = (millis * u128::from(machine.memory_mb) * u128::from(gb_second)).div_ceil(1000 * 1024);
        let of_gb = |bytes: u64, price: u64| (u128::from(bytes) * u128::from(price)).div_ceil(GB);
        let streamed = if machine.streams { used.body_bytes.saturating_sub(STREAMED_FREE) } else { 0 };
        let reads = (u128::from(used.half_reads) * u128::from(self.read_unit)).div_ceil(2);
        let sum = u128::from(self.request)
            + compute
            + u128::from(used.writes) * u128::from(self.write_unit)
            + reads
            + of_gb(used.log_bytes, self.log_gb)
            + of_gb(streamed, self.streamed_gb)
            + u128::from(used.metric_calls) * u128::from(self.metric_call);
        u64::try_from(sum).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cost, Machine, Prices, Used, half_reads};
    use crate::time::Timestamp;

    #[test]
    fn a_counter_tells_of_a_month_and_the_one_before_it() {
        // 2026-01-31T23:59:59Z
        let cost = Cost::at(Timestamp::from_seconds(1_769_903_999), 1, 7);
        let outdated: Vec<String> = cost.outdated().collect();
        assert_eq!((&*cost.month, &*outdated[0], &*outdated[11]), ("2026-01", "2025-11", "2024-12"));
        assert_eq!(outdated.len(), 12);
    }

    #[test]
    fn reads_are_counted_in_steps_of_four_kilobytes() {
        assert_eq!([0, 1, 4096, 4097, 65_536].map(half_reads), [1, 1, 1, 2, 16]);
    }

    const ARM: Machine = Machine { memory_mb: 256, is_arm64: true, streams: true };

    #[test]
    fn every_part_has_its_price() {
        let prices = Prices::default();
        let of = |used: Used| prices.of(&used, ARM) - 200;
        assert_eq!(prices.of(&Used::default(), ARM), 200);
        // 22 ms × 0.25 GB × 13.333 µ$ per GB-second.
        assert_eq!(of(Used { duration: Duration::from_micros(21_001), ..Used::default() }), 74);
        assert_eq!(of(Used { writes: 2, ..Used::default() }), 1250);
        assert_eq!(of(Used { half_reads: 1, ..Used::default() }), 63);
        assert_eq!(of(Used { log_bytes: 600, ..Used::default() }), 280);
        assert_eq!(of(Used { body_bytes: 6 << 20, ..Used::default() }), 0);
        assert_eq!(of(Used { body_bytes: (6 << 20) + (1 << 30), ..Used::default() }), 8_000_000);
        let buffered = Machine { streams: false, ..ARM };
        assert_eq!(prices.of(&Used { body_bytes: 1 << 40, ..Used::default() }, buffered), 200);
        let x86 = Machine { is_arm64: false, ..ARM };
        assert_eq!(prices.of(&Used { duration: Duration::from_secs(4), ..Used::default() }, x86), 200 + 16_667);
    }
}
