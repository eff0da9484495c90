//! Asking a service that the gateway depends on: a small question, a small answer, a short time.

use std::time::Duration;

use bytes::Bytes;
use faregate_core::origin::Origin;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;
use url::{Position, Url};

use crate::ports::{Outbound, OutboundLimits, OutboundRequest};

/// What is asked.
pub(super) struct Fetch<'a> {
    pub(super) method: Method,
    pub(super) url: &'a Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// For the whole exchange.
    pub(super) limit: Duration,
    /// Longest body of the answer.
    pub(super) bytes_max: usize,
}

/// What was answered.
pub(super) struct Fetched {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Asks once; the error says why there is no answer, for the record.
pub(super) async fn fetch(outbound: &dyn Outbound, asked: Fetch<'_>) -> Result<Fetched, String> {
    let request = OutboundRequest {
        method: asked.method,
        origin: Origin::of(asked.url).map_err(|error| error.to_string())?,
        path_and_query: asked.url[Position::BeforePath..Position::AfterQuery].to_owned(),
        headers: asked.headers,
        body: asked.body,
        limits: OutboundLimits::default(),
    };
    let exchange = async {
        let (parts, body) = outbound.send(request).await.map_err(|error| error.to_string())?.into_parts();
        let body = Limited::new(body, asked.bytes_max).collect().await.map_err(|error| error.to_string())?;
        Ok(Fetched { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    };
    timeout(asked.limit, exchange).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}
