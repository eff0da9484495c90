//! What the composition root decides about the way out.

/// What may be reached.
///
/// The default reaches every public and private address, no loopback, and knows no Runtime API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboundSettings {
    /// Lets loopback addresses through, but never the Runtime API. For development only
    /// (`FAREGATE_ALLOW_LOOPBACK`).
    pub allow_loopback: bool,
    /// The authority of the Lambda Runtime API, as in `AWS_LAMBDA_RUNTIME_API`. It is always refused.
    ///
    /// `host`, `host:port` (80 if absent), and what emulators set: a scheme in front, a path behind.
    pub runtime_api: Option<String>,
    /// When set, no other host is sent to (`FAREGATE_TARGET_HOSTS`).
    ///
    /// Each is a host without port, or `*.` and a suffix for one or more labels in front of it; case does
    /// not matter. An empty list lets nothing through.
    pub target_hosts: Option<Vec<String>>,
}

/// Why the settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// The Runtime API's authority is none, so it could not be refused.
    #[error("`{0}` is no authority of a Runtime API")]
    RuntimeApi(String),
    /// rustls does not take the protocol versions.
    #[error("no TLS configuration: {0}")]
    Tls(String),
}
