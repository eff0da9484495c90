//! The tables: the one place that knows how they are reached.

use faregate_aws::{AwsConfig, DynamoConfigStore, DynamoKeyStore};
use faregate_core::check::CheckOptions;
use faregate_engine::ports::{Clock, ConfigWriter, KeyAdmin};

use crate::{arguments::Global, clock::SystemClock};

/// What the commands work with.
pub(crate) struct Stores {
    /// The Config table.
    pub(crate) config: Box<dyn ConfigWriter>,
    /// The Keys table.
    pub(crate) keys: Box<dyn KeyAdmin>,
    /// What time it is.
    pub(crate) clock: Box<dyn Clock>,
    /// What checks depend on.
    pub(crate) check: CheckOptions,
}

impl Stores {
    /// Finds credentials and endpoints; nothing is asked of the tables yet.
    pub(crate) async fn connect(global: &Global) -> Self {
        let Global { endpoint_url, profile, region, .. } = global;
        let config = AwsConfig::for_operator(endpoint_url.clone(), profile.clone(), region.clone()).await;
        Self {
            config: Box::new(DynamoConfigStore::new(&config, &global.config_table)),
            keys: Box::new(DynamoKeyStore::new(&config, &global.keys_table)),
            clock: Box::new(SystemClock::new()),
            check: check_options(global),
        }
    }
}

/// What a check depends on.
pub(crate) fn check_options(global: &Global) -> CheckOptions {
    CheckOptions { allow_inline_secrets: global.allow_inline_secrets }
}
