//! What AWS's other gateways cost for the same requests: list prices of us-east-1, November 2026, free tiers left out.
//!
//! Sources: <https://aws.amazon.com/api-gateway/pricing/>, <https://aws.amazon.com/elasticloadbalancing/pricing/>,
//! <https://aws.amazon.com/ec2/pricing/on-demand/>. Their access logs are not counted, ours are.

use faregate_core::cost::{Prices, Used};

use crate::{MACHINE, fleet::ANSWER_BYTES};

/// Hours of a month.
pub(crate) const HOURS: f64 = 730.0;

/// Requests of a tier, in millions, and dollars per million of them; the last tier has no end.
type Tiers = [(f64, f64)];

const HTTP_API: &Tiers = &[(300.0, 1.00), (f64::INFINITY, 0.90)];
const REST_API: &Tiers = &[(333.0, 3.50), (667.0, 2.80), (19_000.0, 2.38), (f64::INFINITY, 1.51)];

/// Authorisers are asked once in five minutes and key, each time for so long on 128 MB.
const AUTHORISER_SECONDS: f64 = 300.0;
const AUTHORISER_GB_SECONDS: f64 = 0.128 * 0.020;

/// An Application Load Balancer: dollars per hour, and per hour and capacity unit.
pub(crate) const ALB_HOUR: f64 = 0.0225;
const ALB_UNIT_HOUR: f64 = 0.008;
/// GB that a capacity unit passes on in an hour: to functions, and to servers.
const ALB_GB_TO_FUNCTIONS: f64 = 0.4;
const ALB_GB_TO_SERVERS: f64 = 1.0;
/// Bytes of a request with its headers, and of an answer's headers.
pub(crate) const HEAD_BYTES: usize = 1024;

/// Two t4g.small (2 processors and 2 GB each), so that one may fail; dollars per hour of one.
pub(crate) const SERVERS: f64 = 2.0;
pub(crate) const SERVER_HOUR: f64 = 0.0168;

/// Dollars per million at so many millions a month.
fn tiered(tiers: &Tiers, millions: f64) -> f64 {
    let (mut left, mut dollars) = (millions, 0.0);
    for (size, price) in tiers {
        let part = left.min(*size);
        dollars += part * price;
        left -= part;
    }
    dollars / millions
}

/// Dollars per million for the authoriser's function.
fn authoriser(millions: f64, consumers: usize, prices: &Prices) -> f64 {
    let calls = consumers as f64 * HOURS * 3600.0 / AUTHORISER_SECONDS;
    // Of consumers that call less often, each call asks.
    let calls = calls.min(millions * 1e6);
    let one = prices.request as f64 + AUTHORISER_GB_SECONDS * prices.arm64_gb_second as f64;
    calls * one / 1e9 / millions
}

/// HTTP API, with a function as authoriser: it knows no API keys.
pub(crate) fn http_api(millions: f64, consumers: usize, prices: &Prices) -> f64 {
    tiered(HTTP_API, millions) + authoriser(millions, consumers, prices)
}

/// REST API, with an authoriser.
pub(crate) fn rest_api(millions: f64, consumers: usize, prices: &Prices) -> f64 {
    tiered(REST_API, millions) + authoriser(millions, consumers, prices)
}

/// GB that a million requests move.
fn gb_per_million() -> f64 {
    (HEAD_BYTES + ANSWER_BYTES) as f64 * 1e6 / f64::from(1 << 30)
}

/// The prices that these figures are made of.
pub(crate) fn print_assumptions() {
    let tiers = |tiers: &Tiers| {
        let tier = |(size, price): &(f64, f64)| match size.is_finite() {
            true => format!("${price:.2} for {size} M"),
            false => format!("${price:.2} from there"),
        };
        tiers.iter().map(tier).collect::<Vec<_>>().join(", ")
    };
    println!("- HTTP API, a million: {}; REST API: {}", tiers(HTTP_API), tiers(REST_API));
    println!(
        "- the authoriser is asked once in {AUTHORISER_SECONDS} s and consumer: a request and 20 ms of 128 MB on arm64"
    );
    println!(
        "- a load balancer costs ${ALB_HOUR} an hour and ${ALB_UNIT_HOUR} for each capacity unit, which passes on \
         {ALB_GB_TO_FUNCTIONS} GB an hour to functions and {ALB_GB_TO_SERVERS} GB to servers"
    );
    println!(
        "- a t4g.small costs ${SERVER_HOUR} an hour; {SERVERS} are there so that one may fail, and that one alone carries the \
         volume is assumed, not measured: with more of them servers are cheaper only at a higher volume"
    );
}

/// A load balancer before a function that is as quick as ours, and writes a counter for each request, as exact limits
/// without leases need: its capacity by the bytes, its hours on every million alike.
pub(crate) fn alb_and_function(millions: f64, milliseconds: f64, prices: &Prices) -> f64 {
    let duration = std::time::Duration::from_secs_f64(milliseconds / 1e3);
    let function = prices.of(&Used { duration, writes: 1, ..Used::default() }, MACHINE) as f64 / 1e3;
    let units = gb_per_million() / ALB_GB_TO_FUNCTIONS * ALB_UNIT_HOUR;
    function + units + ALB_HOUR * HOURS / millions
}

/// Dollars a month for two servers behind a load balancer, and for every million requests through them.
pub(crate) fn servers() -> (f64, f64) {
    let units = gb_per_million() / ALB_GB_TO_SERVERS * ALB_UNIT_HOUR;
    ((SERVERS * SERVER_HOUR + ALB_HOUR) * HOURS, units)
}
