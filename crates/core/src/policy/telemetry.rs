//! What the operator sees: access log and metrics.

use http::HeaderName;
use serde::Deserialize;

use crate::diagnostic::{Place, codes};

/// Most headers that a line shows.
const HEADERS_MAX: usize = 16;

/// A share from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Share(u32);

/// The share 1, in the unit of [`Share`].
const WHOLE: u32 = 1_000_000_000;

impl Share {
    /// Everything.
    pub const ALL: Self = Self(WHOLE);
    /// One of a hundred.
    pub const HUNDREDTH: Self = Self(WHOLE / 100);

    /// Whether one of them is chosen; `random` is uniform over all numbers.
    #[must_use]
    pub fn chooses(self, random: u64) -> bool {
        u128::from(random) * u128::from(WHOLE) < u128::from(self.0) << 64
    }
}

impl TryFrom<f64> for Share {
    type Error = &'static str;

    fn try_from(share: f64) -> Result<Self, Self::Error> {
        let is_share = (0.0..=1.0).contains(&share);
        is_share.then_some(Self((share * f64::from(WHOLE)).round() as u32)).ok_or("a share is from 0 to 1")
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Share {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

/// The access log: one JSON line for each request that is chosen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct AccessLog {
    /// The share of requests with a status below 400 that leave a line.
    pub sample: Share,
    /// The share of the others; what reached no backend leaves ten lines a second and environment at most.
    pub errors: Share,
    /// Whether lines have the query; values of parameters that carry credentials are redacted.
    pub query: bool,
    /// Request headers that lines have; those that carry credentials are redacted.
    #[cfg_attr(feature = "schema", schemars(length(max = 16)))]
    pub headers: Vec<String>,
    /// More headers to redact, wherever they are shown.
    #[cfg_attr(feature = "schema", schemars(length(max = 16)))]
    pub redact: Vec<String>,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self { sample: Share::HUNDREDTH, errors: Share::ALL, query: false, headers: Vec::new(), redact: Vec::new() }
    }
}

/// Metrics, in CloudWatch's namespace `Faregate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Where they go; absent: where the deployment says (`FAREGATE_METRICS_SINK`, `cloudwatch` by default).
    pub sink: Option<Sink>,
    /// Whether each route has metrics of its own: every value of a dimension costs.
    pub per_route: bool,
    /// How often an environment sends them at most, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 3600)))]
    pub flush_seconds: u32,
}

/// Where metrics go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Sink {
    /// `PutMetricData`.
    Cloudwatch,
    /// Log lines in the embedded metric format.
    Emf,
    /// Nowhere.
    Off,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { sink: None, per_route: false, flush_seconds: 60 }
    }
}

/// [`AccessLog`], compiled.
#[derive(Clone, Debug)]
pub struct AccessLogPolicy {
    /// As in [`AccessLog`].
    pub sample: Share,
    /// As in [`AccessLog`].
    pub errors: Share,
    /// As in [`AccessLog`].
    pub query: bool,
    /// As in [`AccessLog`].
    pub headers: Box<[HeaderName]>,
    /// Headers that are never shown.
    pub redacted: Box<[HeaderName]>,
    /// Query parameters that are never shown, in whatever case.
    pub redacted_parameters: Box<[Box<str>]>,
}

impl Default for AccessLogPolicy {
    fn default() -> Self {
        Self {
            sample: Share::HUNDREDTH,
            errors: Share::ALL,
            query: false,
            headers: Box::default(),
            redacted: Box::default(),
            redacted_parameters: Box::default(),
        }
    }
}

impl AccessLog {
    /// Reads the headers' names.
    pub fn compile(&self, place: &mut Place<'_>) -> AccessLogPolicy {
        let headers = names(&self.headers, &mut place.at("headers"));
        let redacted = names(&self.redact, &mut place.at("redact"));
        let Self { sample, errors, query, .. } = *self;
        AccessLogPolicy { sample, errors, query, headers, redacted, redacted_parameters: Box::default() }
    }
}

fn names(texts: &[String], place: &mut Place<'_>) -> Box<[HeaderName]> {
    if texts.len() > HEADERS_MAX {
        place.error(codes::TOO_MANY, format!("at most {HEADERS_MAX}"));
    }
    let mut names = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match text.parse() {
            Ok(name) => names.push(name),
            Err(_) => place.at(index).error(codes::INVALID_VALUE, format!("`{text}` is no header")),
        }
    }
    names.into()
}

impl Metrics {
    /// Checks the numbers.
    pub fn check(&self, place: &mut Place<'_>) {
        if !(1..=3600).contains(&self.flush_seconds) {
            place.at("flush_seconds").error(codes::INVALID_VALUE, "from 1 to 3600 seconds");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn a_share_chooses_as_many_as_it_says() {
        let share = |share: f64| Share::try_from(share).expect("a share");
        assert!((0..u64::MAX).step_by(1 << 60).all(|random| share(1.0).chooses(random)));
        assert!(share(1.0).chooses(u64::MAX) && !share(0.0).chooses(0));
        let chosen = (0..u64::MAX).step_by(1 << 50).filter(|random| share(0.25).chooses(*random)).count();
        assert_eq!(chosen, (1 << 14) / 4);
        assert!(Share::try_from(1.5).is_err() && Share::try_from(-0.1).is_err() && Share::try_from(f64::NAN).is_err());
    }
}
