//! TLS towards backends: Mozilla's roots, one crypto library, verification always on.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use crate::settings::InvalidSettings;

/// One TLS identity, once for each set of protocols that is offered.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    /// Offers HTTP/2 and HTTP/1.1.
    pub(crate) any: Arc<ClientConfig>,
    /// Offers HTTP/1.1 only.
    pub(crate) http1: Arc<ClientConfig>,
}

impl Tls {
    /// Trusts these roots.
    pub(crate) fn new(roots: RootCertStore) -> Result<Self, InvalidSettings> {
        let mut any = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| InvalidSettings::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        any.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut http1 = any.clone();
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { any: Arc::new(any), http1: Arc::new(http1) })
    }
}

/// Mozilla's root certificates.
pub(crate) fn public_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}
