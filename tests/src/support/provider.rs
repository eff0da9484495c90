//! A real OpenID provider: `oidc-provider` from npm, in a process of its own.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, header};
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::client::send;

/// A provider with the clients `shop`, which gets tokens, and `gateway`, which may ask about them.
///
/// Dropping it ends the process.
#[derive(Debug)]
pub struct OpenIdProvider {
    /// What `iss` is: where it listens.
    pub issuer: String,
    /// The resource for which a token is a JWT with the audience `orders`; without it tokens are opaque.
    pub resource: String,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

/// Why the provider does not do what it is told.
#[derive(Debug, thiserror::Error)]
#[error("the OpenID provider: {0} (`cargo xtask test` installs it; it needs Node.js)")]
pub struct ProviderError(String);

impl ProviderError {
    fn because(cause: impl ToString) -> Self {
        Self(cause.to_string())
    }
}

impl OpenIdProvider {
    /// Starts one on a port of its own.
    ///
    /// # Errors
    ///
    /// [`ProviderError`] if it is not installed.
    pub async fn start() -> Result<Self, ProviderError> {
        #[derive(Deserialize)]
        struct Started {
            issuer: String,
            resource: String,
        }
        let mut process = Command::new("node")
            .arg(folder().join("server.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(ProviderError::because)?;
        let commands = process.stdin.take().ok_or_else(|| ProviderError::because("no input"))?;
        let output = process.stdout.take().ok_or_else(|| ProviderError::because("no output"))?;
        let mut answers = BufReader::new(output).lines();
        let Started { issuer, resource } = answer(&mut answers).await?;
        Ok(Self { issuer, resource, commands, answers, _process: process })
    }

    /// Has it do something: `rotate`, `overlap`, `hang`, `resume`, `stop`, `start`.
    ///
    /// # Errors
    ///
    /// [`ProviderError`] if it ended.
    pub async fn tell(&mut self, command: &str) -> Result<Value, ProviderError> {
        self.commands.write_all(format!("{command}\n").as_bytes()).await.map_err(ProviderError::because)?;
        answer(&mut self.answers).await
    }

    /// How many requests came for a path.
    ///
    /// # Errors
    ///
    /// [`ProviderError`] if it ended.
    pub async fn requests(&mut self, path: &str) -> Result<u64, ProviderError> {
        Ok(self.tell("requests").await?[path].as_u64().unwrap_or_default())
    }

    /// A token for the client `shop` (RFC 6749 §4.4) with these scopes; a JWT for a resource.
    ///
    /// # Errors
    ///
    /// [`ProviderError`] with what it answered instead.
    pub async fn token(&self, scope: &str, resource: Option<&str>) -> Result<String, ProviderError> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials").append_pair("scope", scope);
        if let Some(resource) = resource {
            form.append_pair("resource", resource);
        }
        let answer = self.post("/token", form.finish()).await?;
        let token = answer["access_token"].as_str().map(str::to_owned);
        token.ok_or_else(|| ProviderError::because(answer))
    }

    /// Takes a token back (RFC 7009).
    ///
    /// # Errors
    ///
    /// [`ProviderError`] where it does not answer.
    pub async fn revoke(&self, token: &str) -> Result<(), ProviderError> {
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", token).finish();
        self.post("/token/revocation", form).await.map(drop)
    }

    async fn post(&self, path: &str, form: String) -> Result<Value, ProviderError> {
        let authority = self.issuer.trim_start_matches("http://");
        let address: SocketAddr = authority.parse().map_err(ProviderError::because)?;
        let request = Request::post(path)
            .header(header::HOST, authority)
            .header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode("shop:a+secret+of+the+shop")))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::CONTENT_LENGTH, form.len())
            .body(Bytes::from(form))
            .map_err(ProviderError::because)?;
        let answer = send(address, request).await.map_err(ProviderError::because)?;
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        answer.json().map_err(ProviderError::because)
    }
}

async fn answer<T: for<'de> Deserialize<'de>>(answers: &mut Lines<BufReader<ChildStdout>>) -> Result<T, ProviderError> {
    let line = answers.next_line().await.map_err(ProviderError::because)?;
    let line = line.ok_or_else(|| ProviderError::because("it ended"))?;
    serde_json::from_str(&line).map_err(ProviderError::because)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("providers/oidc")
}
