//! How the SDK is set up: for a function, for an operator, for a stack on this machine.

mod dates;
mod http_client;

use std::{sync::Arc, time::Duration};

use aws_config::{
    BehaviorVersion, ConfigLoader, Region, SdkConfig,
    environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider},
    meta::region::ProvideRegion,
    retry::RetryConfig,
    timeout::TimeoutConfig,
};
#[cfg(feature = "operator")]
use aws_config::{
    default_provider::region::DefaultRegionChain, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
};
use aws_credential_types::{Credentials, provider::ProvideCredentials};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use faregate_engine::ports::Clock;

pub(crate) use dates::Dates;
use http_client::FunctionHttpClient;

/// How often a call is tried in all.
const ATTEMPTS_MAX: u32 = 3;
/// Mean wait before the second try; doubles for each further one.
const BACKOFF: Duration = Duration::from_millis(25);
/// Longest wait before a try.
const BACKOFF_MAX: Duration = Duration::from_millis(250);

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// A client waits for it: 500 ms to connect, 1 s a try, 2.5 s in all.
    Request,
    /// Nobody waits: 1 s to connect, 5 s a try, 15 s in all.
    Background,
}

impl Patience {
    fn timeouts(self) -> TimeoutConfig {
        let (connect, attempt, operation) = match self {
            Self::Request => (500, 1000, 2500),
            Self::Background => (1000, 5000, 15_000),
        };
        TimeoutConfig::builder()
            .connect_timeout(Duration::from_millis(connect))
            .operation_attempt_timeout(Duration::from_millis(attempt))
            .operation_timeout(Duration::from_millis(operation))
            .build()
    }
}

/// What all AWS clients of a process share: region, credentials, connections, time-outs.
#[derive(Clone, Debug)]
pub struct AwsConfig {
    sdk: SdkConfig,
    /// Where DynamoDB alone answers; else where the SDK finds every service.
    dynamodb_endpoint: Option<String>,
    dates: Arc<Dates>,
}

impl AwsConfig {
    /// For a Lambda function: cheap at a cold start, and no connection outlives a freeze.
    ///
    /// Region, credentials and endpoints are what the environment says, or a profile without SSO.
    pub async fn for_function(clock: Arc<dyn Clock>, patience: Patience) -> Self {
        let dates = Arc::default();
        let client = SharedHttpClient::new(FunctionHttpClient::new(clock, Arc::clone(&dates)));
        let mut loader = loader(patience).http_client(client);
        // What Lambda says, taken as it is: the SDK's chains make clients of STS and of EC2's metadata before they look.
        if let Some(region) = EnvironmentVariableRegionProvider::new().region().await {
            loader = loader.region(region);
        }
        let credentials = EnvironmentVariableCredentialsProvider::new();
        if credentials.provide_credentials().await.is_ok() {
            loader = loader.credentials_provider(credentials);
        }
        Self { sdk: loader.load().await, dynamodb_endpoint: None, dates }
    }

    /// For the command line: profiles with SSO and credential processes, the system's own authorities, the
    /// SDK's own HTTP client.
    ///
    /// A profile that is named wins over credentials in the environment, as with the AWS CLI; one in `AWS_PROFILE` does not.
    #[cfg(feature = "operator")]
    pub async fn for_operator(
        dynamodb_endpoint: Option<String>,
        profile: Option<String>,
        region: Option<String>,
    ) -> Self {
        let region = match (region, &profile) {
            (Some(region), _) => Some(Region::new(region)),
            (None, Some(profile)) => DefaultRegionChain::builder().profile_name(profile).build().region().await,
            (None, None) => None,
        };
        let mut loader = loader(Patience::Background);
        if let Some(region) = region.clone() {
            loader = loader.region(region);
        }
        if let Some(profile) = profile {
            // A role is assumed in that region.
            let credentials = ProfileFileCredentialsProvider::builder()
                .configure(&ProviderConfig::default().with_region(region))
                .profile_name(&profile)
                .build();
            loader = loader.profile_name(profile).credentials_provider(credentials);
        }
        Self { sdk: loader.load().await, dynamodb_endpoint, dates: Arc::default() }
    }

    /// For a stack on this machine, which checks no signature: made-up credentials, nothing from the
    /// environment decides where it goes.
    pub async fn for_local_stack(endpoint_url: &str, clock: Arc<dyn Clock>, patience: Patience) -> Self {
        let dates = Arc::default();
        let client = SharedHttpClient::new(FunctionHttpClient::new(clock, Arc::clone(&dates)));
        let loader = loader(patience)
            .http_client(client)
            .endpoint_url(endpoint_url)
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "local stack"));
        Self { sdk: loader.load().await, dynamodb_endpoint: None, dates }
    }

    /// For every service but DynamoDB.
    pub(crate) fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// For clients of DynamoDB.
    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::config::Builder {
        let builder = aws_sdk_dynamodb::config::Builder::from(&self.sdk);
        match &self.dynamodb_endpoint {
            Some(url) => builder.endpoint_url(url),
            None => builder,
        }
    }

    /// How far the clock is off, as the answers to all calls of the process show.
    pub(crate) fn dates(&self) -> &Arc<Dates> {
        &self.dates
    }
}

fn loader(patience: Patience) -> ConfigLoader {
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS_MAX)
        .with_initial_backoff(BACKOFF)
        .with_max_backoff(BACKOFF_MAX);
    aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(patience.timeouts()).retry_config(retries)
}
