//! A running `cargo xtask dev`, and what a user does with it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use faregate_tests::{Answer, again, binary, send};
use http::Request;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};

/// How long anything may take that a test waits for. Not a performance bound.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The stack of one test.
pub(crate) struct Dev {
    child: Child,
    pub(crate) gateway: SocketAddr,
    pub(crate) dynamodb: SocketAddr,
    pub(crate) backend: SocketAddr,
    pub(crate) key: String,
    pub(crate) printed: String,
    later: Arc<Mutex<String>>,
}

/// A port that was free just now.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The checkout.
pub(crate) fn workspace() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// `xtask` with these arguments, in the checkout.
pub(crate) fn xtask(arguments: &[String]) -> Command {
    let mut command = Command::new(binary("xtask").expect("built: cargo build -p xtask"));
    command.args(arguments).current_dir(workspace()).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The flags for three ports.
pub(crate) fn ports(gateway: u16, dynamodb: u16, backend: u16) -> Vec<String> {
    let port = |flag: &str, port: u16| [flag.to_owned(), port.to_string()];
    [port("--port", gateway), port("--dynamodb-port", dynamodb), port("--backend-port", backend)].concat()
}

impl Dev {
    /// Starts the demo and waits for `ready:`.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[], "ready:").await
    }

    /// Starts the demo without the gateway.
    pub(crate) async fn start_stack_only() -> Self {
        Self::start_with(&["--stack-only"], "stack ready:").await
    }

    /// Starts the demo, its tables in a folder.
    pub(crate) async fn start_in(data: &Path) -> Self {
        Self::start_with(&["--data", data.to_str().expect("text")], "ready:").await
    }

    async fn start_with(more: &[&str], last: &str) -> Self {
        let [gateway, dynamodb, backend] = [free_port(), free_port(), free_port()];
        let mut arguments = vec!["dev".to_owned()];
        arguments.extend(ports(gateway, dynamodb, backend));
        arguments.extend(more.iter().map(ToString::to_string));
        let mut child = xtask(&arguments).spawn().expect("started");
        let later = Arc::default();
        let (printed, key) = until_ready(&mut child, last, Arc::clone(&later)).await;
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (gateway, dynamodb, backend) = (address(gateway), address(dynamodb), address(backend));
        Self { child, gateway, dynamodb, backend, key, printed, later }
    }

    /// What was printed after it was ready.
    pub(crate) fn printed_later(&self) -> String {
        self.later.lock().expect("a lock").clone()
    }

    /// Sends a request to the gateway.
    pub(crate) async fn call(&self, method: &str, path: &str, key: Option<&str>) -> Answer {
        let key = key.map(|key| ("x-api-key", key));
        self.call_with(method, path, key.as_slice()).await
    }

    /// Sends a request with headers to the gateway.
    pub(crate) async fn call_with(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", self.gateway.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(self.gateway, request.body(Bytes::new()).expect("a request")).await.expect("an answer")
    }

    /// Sends requests until one is answered so.
    pub(crate) async fn call_until(&self, path: &str, key: Option<&str>, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let asking = async {
            let mut again = again();
            loop {
                again.tick().await;
                let answer = self.call("GET", path, key).await;
                if wanted(&answer) {
                    return answer;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{path} was never answered so"))
    }

    /// Puts an item as `aws dynamodb put-item` does.
    pub(crate) async fn put_item(&self, table: &str, item: &Value) {
        let body = serde_json::json!({"TableName": table, "Item": item});
        let request = Request::post("/")
            .header("host", self.dynamodb.to_string())
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "DynamoDB_20120810.PutItem")
            .header("x-amz-date", "20260101T000000Z")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/eu-central-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0");
        let request = request.body(Bytes::from(body.to_string())).expect("a request");
        let answer = send(self.dynamodb, request).await.expect("an answer");
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    }

    /// Runs `faregate` against the tables; yields its exit code and what it printed as JSON.
    pub(crate) async fn faregate(&self, arguments: &[&str]) -> (i32, Value) {
        let output = Command::new(binary("faregate").expect("built: cargo build -p faregate-cli"))
            .args(["--json", "--endpoint-url", &format!("http://{}", self.dynamodb)])
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_REGION", "eu-central-1")
            .current_dir(workspace())
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .output()
            .await
            .expect("an end");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let json = serde_json::from_str(&text)
            .unwrap_or_else(|_| panic!("{arguments:?} printed {text}{}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().expect("a code"), json)
    }

    /// The process id of `cargo xtask dev`.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// Presses Ctrl-C and waits for the end.
    pub(crate) async fn interrupt(&mut self) -> ExitStatus {
        let pid = self.pid().to_string();
        let killed = std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill");
        assert!(killed.success());
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("an end").expect("a status")
    }
}

impl Drop for Dev {
    /// Ends it as Ctrl-C does: killed outright, it could not end what it started.
    fn drop(&mut self) {
        let Some(pid) = self.child.id() else { return };
        let interrupted = std::process::Command::new("kill").args(["-INT", &pid.to_string()]).status();
        if interrupted.is_ok_and(|status| status.success()) {
            let ended = tokio::time::timeout(PATIENCE, self.child.wait());
            let _ = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(ended));
        }
    }
}

/// Reads what is printed until the last line of its banner; yields it and the demo key. What comes later is kept.
async fn until_ready(child: &mut Child, last: &str, later: Arc<Mutex<String>>) -> (String, String) {
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut stderr = child.stderr.take().expect("piped");
    let mut printed = String::new();
    loop {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("a line").expect("text");
        let Some(line) = line else {
            let mut said = String::new();
            let _ = stderr.read_to_string(&mut said).await;
            panic!("it ended before it was ready:\n{printed}\n{said}");
        };
        printed.push_str(&line);
        printed.push('\n');
        if line.starts_with(last) {
            break;
        }
    }
    // Whoever goes on printing must not wait for a reader.
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            let mut later = later.lock().expect("a lock");
            later.push_str(&line);
            later.push('\n');
        }
    });
    tokio::spawn(async move { tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await });
    let key = printed.lines().find_map(|line| line.strip_prefix("demo key")).expect("a key").trim().to_owned();
    (printed, key)
}
