//! AWS's own DynamoDB for one's machine: DynamoDB Local, a stricter twin of the embedded one.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, copy_bidirectional},
    net::{TcpListener, UnixStream},
    process::{Child, ChildStdin, Command},
    task::JoinHandle,
};

use super::tables::{TableNames, create_all};

/// A network of its own, whose processes end with the first of them.
const ALONE: [&str; 5] = ["--map-root-user", "--net", "--pid", "--fork", "--kill-child"];

/// Why there is no DynamoDB Local.
#[derive(Debug, thiserror::Error)]
pub enum DynamoDbLocalError {
    /// This machine lacks what it needs.
    #[error("AWS's DynamoDB Local needs {0}")]
    Missing(&'static str),
    /// It did not do what it should.
    #[error("AWS's DynamoDB Local: {0}")]
    Failed(String),
}

impl DynamoDbLocalError {
    fn because(cause: impl ToString) -> Self {
        Self::Failed(cause.to_string())
    }
}

/// AWS's DynamoDB Local, in memory, at a port of 127.0.0.1; it ends when this value is dropped.
///
/// It cannot be told to listen on one address alone, so it runs in a network of its own, out of which only a Unix socket
/// leads (`tests/providers/dynamodb/serve.py`).
#[derive(Debug)]
pub struct DynamoDbLocal {
    address: SocketAddr,
    front: JoinHandle<()>,
    /// It ends with its input.
    _input: ChildStdin,
    _process: Child,
    _socket: TempDir,
}

impl DynamoDbLocal {
    /// Starts one, which takes a second or two.
    ///
    /// # Errors
    ///
    /// [`DynamoDbLocalError::Missing`] where it cannot run, another one where it should.
    pub async fn start() -> Result<Self, DynamoDbLocalError> {
        let missing = |what| Err(DynamoDbLocalError::Missing(what));
        if !folder().join("node_modules/amplify-dynamodb-simulator").is_dir() {
            return missing("its package, which `cargo xtask test` installs");
        }
        if !succeeds(Command::new("java").arg("-version")).await {
            return missing("Java 17 or newer");
        }
        if !succeeds(Command::new("unshare").args(ALONE).args(["python3", "--version"])).await {
            return missing("python3 and Linux with network namespaces, so that only this machine reaches it");
        }
        let failed = DynamoDbLocalError::because;
        let folder_of_socket = tempfile::tempdir().map_err(failed)?;
        let socket = folder_of_socket.path().join("dynamodb");
        let (process, input) = serve(&socket).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let front = tokio::spawn(pass_on(listener, socket));
        Ok(Self { address, front, _input: input, _process: process, _socket: folder_of_socket })
    }

    /// Its URL: the value for `AWS_ENDPOINT_URL_DYNAMODB`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes the tables of [`TEMPLATE`](super::TEMPLATE) under these names.
    ///
    /// # Errors
    ///
    /// [`DynamoDbError`](super::DynamoDbError) when one cannot be made.
    pub async fn create_tables(&self, names: &TableNames) -> Result<(), super::DynamoDbError> {
        create_all(self.address, names).await
    }
}

impl Drop for DynamoDbLocal {
    fn drop(&mut self) {
        self.front.abort();
    }
}

/// Starts it, and waits until it answers at the socket.
async fn serve(socket: &Path) -> Result<(Child, ChildStdin), DynamoDbLocalError> {
    let failed = DynamoDbLocalError::because;
    let mut process = Command::new("unshare")
        .args(ALONE)
        .arg("python3")
        .arg(folder().join("serve.py"))
        .arg(socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let input = process.stdin.take().ok_or_else(|| DynamoDbLocalError::because("no input"))?;
    let output = process.stdout.take().ok_or_else(|| DynamoDbLocalError::because("no output"))?;
    let line = BufReader::new(output).lines().next_line().await.map_err(failed)?;
    if line.as_deref() == Some("ready") {
        Ok((process, input))
    } else {
        Err(DynamoDbLocalError::because("it ended at once"))
    }
}

/// Passes connections on until the task is aborted.
async fn pass_on(listener: TcpListener, socket: PathBuf) {
    while let Ok((mut stream, _)) = listener.accept().await {
        // Small answers would otherwise wait for an acknowledgement that is delayed.
        let _ = stream.set_nodelay(true);
        let socket = socket.clone();
        tokio::spawn(async move {
            if let Ok(mut inner) = UnixStream::connect(socket).await {
                // Whoever goes away is no news.
                let _ = copy_bidirectional(&mut stream, &mut inner).await;
            }
        });
    }
}

async fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().await.is_ok_and(|status| status.success())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/providers/dynamodb")
}
