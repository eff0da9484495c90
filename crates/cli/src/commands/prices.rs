//! `faregate prices`.

use clap::Args;
use faregate_core::cost::Prices;
use serde::Serialize;

use crate::{
    error::{CliError, Exit},
    output::{Answer, Lines, Output},
};

/// Print the prices that costs are estimated by, in nano-dollars; `settings.prices` replaces them
#[derive(Args, Debug)]
pub(crate) struct ShowPrices {}

#[derive(Serialize)]
#[serde(transparent)]
struct Table(Prices);

impl ShowPrices {
    /// Prints the built-in table.
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<Exit, CliError> {
        output.answer(&Table(Prices::default()))?;
        Ok(Exit::Done)
    }
}

impl Answer for Table {
    fn say(&self, lines: &mut Lines) {
        let Prices { date, region, .. } = &self.0;
        lines.add(format!("{region}, {date}; without free tiers and volume discounts"));
        let prices = &self.0;
        for (what, nano) in [
            ("request: a million requests to a function", prices.request * 1_000_000),
            ("arm64_gb_second: a million GB-seconds, arm64", prices.arm64_gb_second * 1_000_000),
            ("x86_64_gb_second: a million GB-seconds, x86_64", prices.x86_64_gb_second * 1_000_000),
            ("streamed_gb: a GB streamed, after the first 6 MB of each answer", prices.streamed_gb),
            ("write_unit: a million write request units of DynamoDB", prices.write_unit * 1_000_000),
            ("read_unit: a million read request units of DynamoDB", prices.read_unit * 1_000_000),
            ("log_gb: a GB of log lines", prices.log_gb),
            ("metric_call: a million calls of PutMetricData", prices.metric_call * 1_000_000),
            ("metric_month: a custom metric for a month", prices.metric_month),
        ] {
            lines.add(format!("${}.{:06}  {what}", nano / 1_000_000_000, nano % 1_000_000_000 / 1000));
        }
    }
}
