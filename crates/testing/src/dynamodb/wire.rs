//! DynamoDB's JSON protocol, unsigned.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use super::front::connect;

/// What the database asks for but does not look at.
const AUTHORIZATION: &str =
    "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
const DATE: &str = "20260101T000000Z";

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// DynamoDB refuses.
    #[error("{code}: {message}")]
    Refused {
        /// The exception's name, such as `ResourceNotFoundException`.
        code: String,
        /// DynamoDB's message.
        message: String,
    },
    /// No answer.
    #[error("the database does not answer: {0}")]
    NoAnswer(String),
}

/// Asks for one operation over a connection of its own.
pub(super) async fn call(address: SocketAddr, operation: &str, body: &Value) -> Result<Value, CallError> {
    let (status, body) = exchange(address, operation, body).await.map_err(|e| CallError::NoAnswer(e.to_string()))?;
    if status.is_success() {
        return Ok(body);
    }
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let kind = text("__type");
    let code = kind.rsplit('#').next().unwrap_or_default().to_owned();
    let message = if body["Message"].is_string() { text("Message") } else { text("message") };
    Err(CallError::Refused { code, message })
}

async fn exchange(
    address: SocketAddr,
    operation: &str,
    body: &Value,
) -> Result<(StatusCode, Value), Box<dyn std::error::Error + Send + Sync>> {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/")
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_TYPE, "application/x-amz-json-1.0")
        .header(header::AUTHORIZATION, AUTHORIZATION)
        .header("x-amz-date", DATE)
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .body(Full::new(Bytes::from(body.to_string())))?;
    let response = connect(address).await?.send_request(request).await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok((status, serde_json::from_slice(&bytes)?))
}
