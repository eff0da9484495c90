//! The tables: the one place that knows how they are reached.

use std::sync::Arc;

use faregate_aws::{AwsConfig, DynamoConfigStore, DynamoCounters, DynamoKeyStore, SsmSecrets};
use faregate_core::check::CheckOptions;
use faregate_engine::{
    gateway::TokenPorts,
    ports::{Clock, ConfigWriter, KeyAdmin, Telemetry, UsageAdmin},
};
use faregate_http::{OutboundClient, OutboundSettings};

use crate::{arguments::Global, clock::SystemClock, error::CliError};

/// What the commands work with.
pub(crate) struct Stores {
    /// The Config table.
    pub(crate) config: Box<dyn ConfigWriter>,
    /// The Keys table.
    pub(crate) keys: Box<dyn KeyAdmin>,
    /// The Usage table.
    pub(crate) usage: Box<dyn UsageAdmin>,
    /// What time it is.
    pub(crate) clock: Box<dyn Clock>,
    /// What checks depend on.
    pub(crate) check: CheckOptions,
    aws: AwsConfig,
    allow_loopback: bool,
}

impl Stores {
    /// Finds credentials and endpoints; nothing is asked of the tables yet.
    pub(crate) async fn connect(global: &Global) -> Self {
        let Global { endpoint_url, profile, region, .. } = global;
        let config = AwsConfig::for_operator(endpoint_url.clone(), profile.clone(), region.clone()).await;
        Self {
            config: Box::new(DynamoConfigStore::new(&config, &global.config_table)),
            keys: Box::new(DynamoKeyStore::new(&config, &global.keys_table)),
            usage: Box::new(DynamoCounters::new(&config, &global.usage_table, Arc::new(SystemClock::new()))),
            clock: Box::new(SystemClock::new()),
            check: check_options(global),
            aws: config,
            allow_loopback: global.allow_loopback,
        }
    }

    /// What verifying tokens needs: issuers over the network, secrets from SSM.
    ///
    /// # Errors
    ///
    /// [`CliError::Failed`] where TLS cannot be set up.
    pub(crate) fn token_ports(&self, telemetry: Arc<dyn Telemetry>) -> Result<TokenPorts, CliError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let settings = OutboundSettings { allow_loopback: self.allow_loopback, ..OutboundSettings::default() };
        let outbound = OutboundClient::new(settings, Arc::clone(&clock));
        let outbound = outbound.map_err(|error| CliError::Failed(error.to_string()))?;
        let secrets = SsmSecrets::new(&self.aws, Arc::clone(&clock), self.check.allow_inline_secrets);
        Ok(TokenPorts { outbound: Arc::new(outbound), secrets: Arc::new(secrets), telemetry, clock })
    }
}

/// What a check depends on.
pub(crate) fn check_options(global: &Global) -> CheckOptions {
    CheckOptions { allow_inline_secrets: global.allow_inline_secrets }
}
