//! What the engine needs from the world, each need a narrow trait.

mod clock;
mod config;
mod counters;
mod keys;
mod metrics;
mod outbound;
mod secrets;
mod store_error;
mod telemetry;
mod usage;

pub use clock::{Clock, Random};
pub use config::{ApplyLock, ConfigStore, ConfigWriter, Expected, Flip, SnapshotStore, StoredEntry};
pub use counters::{Counters, Taken, Terms, Waiting};
pub use keys::{KeyAdmin, KeyStore};
pub use metrics::{MetricSink, MetricSinks, Series, SinkError, unit_of};
pub use outbound::{Outbound, OutboundError, OutboundLimits, OutboundRequest};
pub use secrets::{SecretError, Secrets};
pub use store_error::StoreError;
pub use telemetry::{Metric, Telemetry};
pub use usage::{Adjustment, Beginning, UsageAdmin};
