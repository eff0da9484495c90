//! AWS on this machine: ministack from PyPI, in a process of its own.

use std::{net::TcpListener, path::Path, process::Stdio};

use bytes::Bytes;
use http::{Request, header};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::client::send;

/// CloudWatch and everything else that ministack knows, on a port of its own. Dropping it ends the process.
#[derive(Debug)]
pub struct LocalAws {
    /// Where it listens.
    pub endpoint: String,
    _process: Child,
}

/// Why there is no AWS here.
#[derive(Debug, thiserror::Error)]
#[error("ministack: {0} (`cargo xtask test` installs it)")]
pub struct LocalAwsError(String);

impl LocalAwsError {
    fn because(cause: impl ToString) -> Self {
        Self(cause.to_string())
    }
}

impl LocalAws {
    /// A port that nobody listens on now.
    ///
    /// # Errors
    ///
    /// [`LocalAwsError`] where none is left.
    pub fn free_port() -> Result<u16, LocalAwsError> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(LocalAwsError::because)?;
        Ok(listener.local_addr().map_err(LocalAwsError::because)?.port())
    }

    /// Starts it on this port, and waits until it listens.
    ///
    /// # Errors
    ///
    /// [`LocalAwsError`] if it is not installed or ends at once.
    pub async fn start(port: u16) -> Result<Self, LocalAwsError> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let address = format!("127.0.0.1:{port}");
        let mut process = Command::new(root.join("../.faregate/tools/ministack/bin/python"))
            .args(["-m", "hypercorn", "ministack.app:app", "-b", &address])
            .env("IOT_MTLS_ENABLED", "0")
            .env("GATEWAY_PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(LocalAwsError::because)?;
        let output = process.stderr.take().ok_or_else(|| LocalAwsError::because("no output"))?;
        let mut lines = BufReader::new(output).lines();
        loop {
            match lines.next_line().await.map_err(LocalAwsError::because)? {
                Some(line) if line.contains("Running on") => break,
                Some(_) => {}
                None => return Err(LocalAwsError::because("it ended")),
            }
        }
        // It must not wait for somebody to read what it says.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { endpoint: format!("http://{address}"), _process: process })
    }

    /// The sum of a metric of the gateway `faregate` in CloudWatch, over all time up to 2100.
    ///
    /// # Errors
    ///
    /// [`LocalAwsError`] with what was answered instead.
    pub async fn metric_sum(&self, name: &str) -> Result<f64, LocalAwsError> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (key, value) in [
            ("Action", "GetMetricStatistics"),
            ("Version", "2010-08-01"),
            ("Namespace", "Faregate"),
            ("MetricName", name),
            ("Dimensions.member.1.Name", "Gateway"),
            ("Dimensions.member.1.Value", "faregate"),
            ("StartTime", "2020-01-01T00:00:00Z"),
            ("EndTime", "2100-01-01T00:00:00Z"),
            ("Period", "60"),
            ("Statistics.member.1", "Sum"),
        ] {
            form.append_pair(key, value);
        }
        let credential = "AWS4-HMAC-SHA256 Credential=local/20261124/us-east-1/monitoring/aws4_request, \
                          SignedHeaders=host, Signature=0";
        let request = Request::post(&self.endpoint)
            .header(header::HOST, "monitoring.us-east-1.amazonaws.com")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, credential)
            .body(Bytes::from(form.finish()))
            .map_err(LocalAwsError::because)?;
        let address = self.endpoint.trim_start_matches("http://").parse().map_err(LocalAwsError::because)?;
        let answer = send(address, request).await.map_err(LocalAwsError::because)?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if !answer.status.is_success() {
            return Err(LocalAwsError(text));
        }
        let sums = text.split("<Sum>").skip(1).map(|rest| rest.split('<').next().unwrap_or_default().parse::<f64>());
        sums.sum::<Result<f64, _>>().map_err(|_| LocalAwsError(text))
    }
}
