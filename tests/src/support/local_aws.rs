//! AWS on this machine: ministack from PyPI, in a process of its own.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use faregate_aws::{AwsConfig, CloudWatchSink, Patience};
use faregate_engine::ports::{Clock as _, MetricSink as _, Series};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use super::{clock::MachineClock, process::ProcessGroup, tools::programs};

/// How often the first metrics are sent, at most.
const FIRST_TRIES_MAX: usize = 3;

/// CloudWatch and everything else that ministack knows, on a port of its own. Dropping it ends its processes.
#[derive(Debug)]
pub struct LocalAws {
    /// Where it listens.
    pub endpoint: String,
    /// It starts workers, and they start functions.
    _processes: ProcessGroup,
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

    /// Starts it on this port, and waits until it listens and CloudWatch takes metrics: the first ones take it longer than the
    /// gateway waits.
    ///
    /// # Errors
    ///
    /// [`LocalAwsError`] if it is not installed, ends at once or takes no metrics.
    pub async fn start(port: u16) -> Result<Self, LocalAwsError> {
        let address = format!("127.0.0.1:{port}");
        let mut ministack = Command::new(tool("ministack", "python"));
        ministack
            .args(["-m", "hypercorn", "ministack.app:app", "-b", &address])
            .env("IOT_MTLS_ENABLED", "0")
            .env("GATEWAY_PORT", port.to_string())
            // What functions find AWS under.
            .env("AWS_ENDPOINT_URL", format!("http://{address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut processes = ProcessGroup::spawn(&mut ministack).map_err(LocalAwsError::because)?;
        let output = processes.first().stderr.take().ok_or_else(|| LocalAwsError::because("no output"))?;
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
        let started = Self { endpoint: format!("http://{address}"), _processes: processes };
        started.take_first_metrics().await?;
        Ok(started)
    }

    /// Sends metrics of another gateway, as the gateway sends its own.
    async fn take_first_metrics(&self) -> Result<(), LocalAwsError> {
        let clock = Arc::new(MachineClock::default());
        let mut series = Series::of_minute(clock.now(), None);
        series.sums.insert("Requests", 1.0);
        let aws = AwsConfig::for_local_stack(&self.endpoint, clock, Patience::Background).await;
        let sink = CloudWatchSink::new(&aws, "first");
        // It sends each call once, and the first may take longer than it waits.
        let mut put = sink.put(std::slice::from_ref(&series)).await;
        for _ in 1..FIRST_TRIES_MAX {
            if put.is_ok() {
                break;
            }
            put = sink.put(std::slice::from_ref(&series)).await;
        }
        put.map(drop).map_err(LocalAwsError::because)
    }

    /// What the AWS CLI answers, told by a user.
    ///
    /// # Errors
    ///
    /// [`LocalAwsError`] with what it said instead.
    pub async fn cli(&self, arguments: &[&str]) -> Result<Value, LocalAwsError> {
        let answer = self.run(&tool("awscli", "aws"), arguments).await?;
        if answer.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&answer).map_err(|_| LocalAwsError(answer))
    }

    /// Has AWS SAM do something in the project's folder.
    ///
    /// # Errors
    ///
    /// [`LocalAwsError`] with what it said.
    pub async fn sam(&self, arguments: &[&str]) -> Result<String, LocalAwsError> {
        self.run(&tool("sam", "sam"), arguments).await
    }

    async fn run(&self, program: &Path, arguments: &[&str]) -> Result<String, LocalAwsError> {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(checkout())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            // Nobody's own settings.
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_PAGER", "")
            .env("AWS_DEFAULT_OUTPUT", "json")
            .env("SAM_CLI_TELEMETRY", "0")
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .await
            .map_err(|error| LocalAwsError(format!("{}: {error}", program.display())))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        let told = format!("{arguments:?}: {}{}", text(&output.stderr), text(&output.stdout));
        Err(LocalAwsError(told))
    }

    /// The address that requests are sent to, whatever host they name.
    ///
    /// # Errors
    ///
    /// [`LocalAwsError`] if there is none.
    pub fn address(&self) -> Result<std::net::SocketAddr, LocalAwsError> {
        self.endpoint.trim_start_matches("http://").parse().map_err(LocalAwsError::because)
    }

    /// The sum of a metric of the gateway `faregate` in CloudWatch, over all time up to 2100.
    ///
    /// # Errors
    ///
    /// [`LocalAwsError`] with what was answered instead.
    pub async fn metric_sum(&self, name: &str) -> Result<f64, LocalAwsError> {
        let mut arguments =
            vec!["cloudwatch", "get-metric-statistics", "--namespace", "Faregate", "--metric-name", name];
        arguments.extend(["--dimensions", "Name=Gateway,Value=faregate", "--period", "60", "--statistics", "Sum"]);
        arguments.extend(["--start-time", "2020-01-01T00:00:00Z", "--end-time", "2100-01-01T00:00:00Z"]);
        let told = self.cli(&arguments).await?;
        let sums = told["Datapoints"].as_array().into_iter().flatten().map(|point| point["Sum"].as_f64());
        sums.sum::<Option<f64>>().ok_or_else(|| LocalAwsError(told.to_string()))
    }
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A program that `cargo xtask test` installs.
fn tool(name: &str, program: &str) -> PathBuf {
    programs(name).join(program)
}
