//! The HTTP client of a function's SDK.
//!
//! The SDK's own client reads the system's trust store when a client is made, which costs a cold start 3 to 4
//! ms, and keeps connections by a clock that stands still while the environment is frozen.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use faregate_core::time::Timestamp;
use faregate_engine::ports::Clock;
use http::Uri;

use super::Dates;

/// Connections that nobody used for so long, by the wall clock, are not used again: the other side has
/// closed them meanwhile, and a frozen environment did not hear of it.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Amazon's own authorities; see `build.rs`.
const AMAZON_ROOTS: &str = include_str!(concat!(env!("OUT_DIR"), "/amazon-roots.pem"));

/// Makes the one connector that all clients of the process share.
#[derive(Debug)]
pub(super) struct FunctionHttpClient {
    clock: SharedClock,
    dates: Arc<Dates>,
    connector: OnceLock<SharedHttpConnector>,
}

#[derive(Clone)]
struct SharedClock(Arc<dyn Clock>);

impl std::fmt::Debug for SharedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl FunctionHttpClient {
    pub(super) fn new(clock: Arc<dyn Clock>, dates: Arc<Dates>) -> Self {
        Self { clock: SharedClock(clock), dates, connector: OnceLock::new() }
    }
}

impl HttpClient for FunctionHttpClient {
    /// The settings are the same for every client of one `AwsConfig`.
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let connector = || {
            let pool =
                |roots| Pool { roots, settings: settings.clone(), clock: self.clock.clone(), used: Mutex::new(None) };
            let (amazon, other) = (pool(Roots::Amazon), pool(Roots::System));
            let (clock, dates) = (self.clock.clone(), Arc::clone(&self.dates));
            SharedHttpConnector::new(ByHost { amazon, other, clock, dates })
        };
        self.connector.get_or_init(connector).clone()
    }
}

/// Amazon's hosts are believed by Amazon's authorities; any other endpoint by those of the system.
#[derive(Debug)]
struct ByHost {
    amazon: Pool,
    other: Pool,
    clock: SharedClock,
    dates: Arc<Dates>,
}

impl HttpConnector for ByHost {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let pool = if needs_system_roots(request.uri()) { &self.other } else { &self.amazon };
        let (clock, dates) = (self.clock.clone(), Arc::clone(&self.dates));
        let (asked_at, call) = (clock.0.now(), pool.connector().call(request));
        HttpConnectorFuture::new(async move {
            let answer = call.await?;
            if let Some(date) = answer.headers().get("date") {
                dates.answered(asked_at, clock.0.now(), date);
            }
            Ok(answer)
        })
    }
}

/// Whether a URL needs other authorities than Amazon's: HTTPS to a host that is not of AWS's main domains
/// (those of the partitions in China and of sovereign clouds end otherwise and have others).
fn needs_system_roots(url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else { return true };
    let host = url.host().unwrap_or_default().to_ascii_lowercase();
    let is_amazon = host.ends_with(".amazonaws.com") || host.ends_with(".api.aws");
    url.scheme_str() == Some("https") && !is_amazon
}

#[derive(Clone, Copy, Debug)]
enum Roots {
    Amazon,
    System,
}

/// A connector with its connections, made when it is first used and anew after a freeze.
#[derive(Debug)]
struct Pool {
    roots: Roots,
    settings: HttpConnectorSettings,
    clock: SharedClock,
    used: Mutex<Option<(SharedHttpConnector, Timestamp)>>,
}

impl Pool {
    fn connector(&self) -> SharedHttpConnector {
        let now = self.clock.0.now();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = used.take().filter(|(_, last)| now.since(*last) < IDLE_MAX);
        let connector = kept.map_or_else(|| self.new_connector(), |(connector, _)| connector);
        *used = Some((connector.clone(), now));
        connector
    }

    fn new_connector(&self) -> SharedHttpConnector {
        let roots = match self.roots {
            Roots::Amazon => TrustStore::empty().with_pem_certificate(AMAZON_ROOTS),
            Roots::System => TrustStore::default(),
        };
        // That cannot fail with rustls; the default trusts what the system does.
        let tls = TlsContext::builder().with_trust_store(roots).build().unwrap_or_default();
        let connector = Connector::builder()
            .connector_settings(self.settings.clone())
            .pool_idle_timeout(IDLE_MAX)
            .tls_provider(Provider::rustls(CryptoMode::AwsLc))
            .tls_context(tls)
            .build();
        SharedHttpConnector::new(connector)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
    use faregate_engine::fakes::FakeClock;

    use super::{AMAZON_ROOTS, Pool, Roots, SharedClock, needs_system_roots};

    #[test]
    fn only_https_to_other_hosts_than_amazons_needs_the_systems_authorities() {
        for (url, needs) in [
            ("https://dynamodb.eu-central-1.amazonaws.com/", false),
            ("https://DYNAMODB.eu-central-1.AMAZONAWS.COM/", false),
            ("https://123456789012.ddb.us-east-1.amazonaws.com/", false),
            ("https://dynamodb.us-east-1.api.aws/", false),
            ("http://127.0.0.1:8000/", false),
            ("https://localhost:8000/", true),
            ("https://dynamodb.cn-north-1.amazonaws.com.cn/", true),
            ("https://amazonaws.com.example.org/", true),
            ("https://evil-amazonaws.com/", true),
            ("not a url", true),
        ] {
            assert_eq!(needs_system_roots(url), needs, "{url}");
        }
    }

    #[test]
    fn amazons_authorities_are_five_and_make_a_connector() {
        assert_eq!(AMAZON_ROOTS.matches("-----BEGIN CERTIFICATE-----").count(), 5);
        let settings = HttpConnectorSettings::default();
        let clock = SharedClock(Arc::new(FakeClock::default()));
        Pool { roots: Roots::Amazon, settings, clock, used: Mutex::default() }.connector();
    }
}
