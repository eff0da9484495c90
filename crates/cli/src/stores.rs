//! The tables: the one place that knows how they are reached.

use faregate_aws::{AwsConfig, DynamoConfigStore, DynamoKeyStore};
use faregate_core::check::CheckOptions;
use faregate_engine::ports::{Clock, ConfigWriter, KeyAdmin};

use crate::{arguments::Global, clock::SystemClock, error::CliError};

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
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for a profile or region that differs from the environment's: the SDK reads both
    /// from there, and a process cannot safely change its own environment.
    pub(crate) async fn connect(global: &Global) -> Result<Self, CliError> {
        for (option, variable) in [(&global.profile, "AWS_PROFILE"), (&global.region, "AWS_REGION")] {
            if let Some(value) = option {
                return Err(CliError::Usage(format!("set {variable}={value} in the environment instead")));
            }
        }
        let config = AwsConfig::for_operator(global.endpoint_url.clone()).await;
        Ok(Self {
            config: Box::new(DynamoConfigStore::new(&config, &global.config_table)),
            keys: Box::new(DynamoKeyStore::new(&config, &global.keys_table)),
            clock: Box::new(SystemClock::new()),
            check: check_options(global),
        })
    }
}

/// What a check depends on.
pub(crate) fn check_options(global: &Global) -> CheckOptions {
    CheckOptions { allow_inline_secrets: global.allow_inline_secrets }
}
