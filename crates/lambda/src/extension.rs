//! An internal extension, so that Lambda announces the end of the environment with SIGTERM.
//!
//! Without a registered extension Lambda kills the process at once
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>). Where there is no Extensions
//! API, as in local emulators, the function runs all the same.

use std::{sync::Arc, time::Duration};

use http::{Method, Request};
use lambda_runtime_api_client::{BoxError, PooledClient, body::Body};
use tokio::time::timeout;

/// How long the start waits for the Extensions API.
const REGISTER_LIMIT: Duration = Duration::from_secs(1);
const NAME: &str = "faregate";
const REGISTER: &str = "/2020-01-01/extension/register";
const NEXT: &str = "/2020-01-01/extension/event/next";

/// Registers for no event and waits for none; yields whether there is an Extensions API.
pub async fn register(client: Arc<PooledClient>) -> bool {
    let Ok(Ok(identifier)) = timeout(REGISTER_LIMIT, identifier(&client)).await else { return false };
    tokio::spawn(async move {
        // The init phase ends when every extension waits for its next event; this one never gets any.
        let request =
            Request::builder().uri(NEXT).header("Lambda-Extension-Identifier", identifier).body(Body::empty());
        if let Ok(request) = request {
            let _ = client.call(request).await;
        }
    });
    true
}

async fn identifier(client: &PooledClient) -> Result<http::HeaderValue, BoxError> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(REGISTER)
        .header("Lambda-Extension-Name", NAME)
        .body(Body::from(r#"{"events":[]}"#.to_owned()))?;
    let response = client.call(request).await?;
    let identifier = response.headers().get("Lambda-Extension-Identifier").cloned();
    let identifier = identifier.filter(|_| response.status().is_success());
    identifier.ok_or_else(|| format!("the Extensions API answered {}", response.status()).into())
}

/// Ends when the process is told to end.
pub async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        // Without the signal, the process is killed like any other.
        Err(_) => std::future::pending().await,
    }
}
