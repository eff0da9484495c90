//! A Lambda function without a runtime library, to test the driver with: it speaks the Runtime API
//! over bare sockets, so that it can do what libraries do not, such as sending error trailers.
//!
//! The event's `rawPath` chooses what it does; a query `gate=ADDRESS` names a socket that lets it
//! go on by sending a byte. `FUNCTION_INIT` (`exit`, `error`) makes it fail at start,
//! `FUNCTION_EXTENSION` makes it register an extension, `FUNCTION_TERMINATION=ignored` deaf to SIGTERM.

use std::convert::Infallible;
use std::error::Error;
use std::io::Write;

use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};

const RUNTIME: &str = "/2018-06-01/runtime";
const EXTENSION: &str = "/2020-01-01/extension";
const INTEGRATION: &str = "content-type: application/vnd.awslambda.http-integration-response\r\n";
const STREAMING: &str = "lambda-runtime-function-response-mode: streaming\r\n\
    transfer-encoding: chunked\r\n\
    trailer: lambda-runtime-function-error-type, lambda-runtime-function-error-body\r\n";

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let api = variable("AWS_LAMBDA_RUNTIME_API");
    log(&format!("function {} starts", variable("AWS_LAMBDA_FUNCTION_NAME")))?;
    match variable("FUNCTION_INIT").as_str() {
        "exit" => std::process::exit(7),
        "error" => {
            let mut connection = Connection::open(&api).await?;
            let path = format!("{RUNTIME}/init/error");
            let header = "lambda-runtime-function-error-type: Function.NoConfig\r\n";
            connection.exchange("POST", &path, header, b"{}").await?;
            std::process::exit(1);
        }
        _ => {}
    }
    if !variable("FUNCTION_EXTENSION").is_empty() {
        register_extension(&api).await?;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let workers = variable("AWS_LAMBDA_MAX_CONCURRENCY").parse().unwrap_or(1);
    let work = try_join_all((0..workers).map(|_| work(&api)));
    if variable("FUNCTION_TERMINATION") == "ignored" {
        return work.await.map(drop);
    }
    tokio::select! {
        ended = work => ended.map(drop),
        _ = terminate.recv() => log("terminated"),
    }
}

/// Takes invocations for ever.
async fn work(api: &str) -> Outcome<Infallible> {
    let mut connection = Connection::open(api).await?;
    loop {
        let path = format!("{RUNTIME}/invocation/next");
        let (headers, event) = connection.exchange("GET", &path, "", b"").await?;
        let id = header(&headers, "lambda-runtime-aws-request-id");
        let mut event: Value = serde_json::from_slice(&event)?;
        event["deadline"] = json!(header(&headers, "lambda-runtime-deadline-ms"));
        let again = answer(&mut connection, &id, &event).await?;
        if !again {
            connection = Connection::open(api).await?;
        }
    }
}

/// Answers one invocation; false when the connection cannot be used again.
async fn answer(connection: &mut Connection, id: &str, event: &Value) -> Outcome<bool> {
    let path = event["rawPath"].as_str().unwrap_or_default();
    let query = event["rawQueryString"].as_str().unwrap_or_default();
    let gate = query.strip_prefix("gate=").unwrap_or_default();
    match path {
        "/stream" => stream(connection, id, gate).await,
        "/trailers" => trailers(connection, id).await,
        "/break" => {
            start_stream(connection, id).await?;
            Ok(false)
        }
        "/die" => std::process::exit(3),
        "/die-midway" => {
            start_stream(connection, id).await?;
            wait_at(gate).await?;
            std::process::exit(4)
        }
        "/error" => {
            let header = "lambda-runtime-function-error-type: Function.Unlucky\r\n";
            let path = format!("{RUNTIME}/invocation/{id}/error");
            let report = br#"{"errorMessage":"no luck","errorType":"Unlucky"}"#;
            connection.exchange("POST", &path, header, report).await?;
            Ok(true)
        }
        "/cookies" => {
            let body = json!({
                "statusCode": 201,
                "headers": { "x-one": "1" },
                "cookies": ["a=1; Path=/", "b=2"],
                "body": "AP8=",
                "isBase64Encoded": true,
            });
            buffered(connection, id, &body).await
        }
        "/gate" => {
            wait_at(gate).await?;
            buffered(connection, id, &process_id()).await
        }
        "/side-work" => {
            buffered(connection, id, &process_id()).await?;
            wait_at(gate).await?;
            log("side work is over")?;
            Ok(true)
        }
        "/process" => buffered(connection, id, &process_id()).await,
        _ => {
            let body = json!({ "statusCode": 200, "body": event.to_string() });
            buffered(connection, id, &body).await
        }
    }
}

fn process_id() -> Value {
    json!({ "statusCode": 200, "body": std::process::id().to_string() })
}

async fn buffered(connection: &mut Connection, id: &str, body: &Value) -> Outcome<bool> {
    let path = format!("{RUNTIME}/invocation/{id}/response");
    let header = "content-type: application/json\r\n";
    connection.exchange("POST", &path, header, body.to_string().as_bytes()).await?;
    Ok(true)
}

/// Head, prelude, NULs and the first data, each as a chunk of its own.
async fn start_stream(connection: &mut Connection, id: &str) -> Outcome<()> {
    let path = format!("{RUNTIME}/invocation/{id}/response");
    let headers = format!("{INTEGRATION}{STREAMING}");
    connection.send_head("POST", &path, &headers).await?;
    let prelude = br#"{"statusCode":200,"headers":{"x-one":"1"},"cookies":["a=1","b=2"]}"#;
    connection.send_chunk(prelude).await?;
    connection.send_chunk(&[0; 8]).await?;
    connection.send_chunk(b"data: one\n\n").await
}

async fn stream(connection: &mut Connection, id: &str, gate: &str) -> Outcome<bool> {
    start_stream(connection, id).await?;
    wait_at(gate).await?;
    connection.send_chunk(b"data: two\n\n").await?;
    connection.send(b"0\r\n\r\n").await?;
    connection.receive().await?;
    Ok(true)
}

async fn trailers(connection: &mut Connection, id: &str) -> Outcome<bool> {
    start_stream(connection, id).await?;
    let trailers = b"0\r\nLambda-Runtime-Function-Error-Type: Function.Torn\r\n\
        Lambda-Runtime-Function-Error-Body: e30=\r\n\r\n";
    connection.send(trailers).await?;
    connection.receive().await?;
    Ok(true)
}

/// Waits until the test lets it go on.
async fn wait_at(gate: &str) -> Outcome<()> {
    if !gate.is_empty() {
        TcpStream::connect(gate).await?.read_u8().await?;
    }
    Ok(())
}

async fn register_extension(api: &str) -> Outcome<()> {
    let mut connection = Connection::open(api).await?;
    let path = format!("{EXTENSION}/register");
    let name = "lambda-extension-name: echo\r\n";
    let body = br#"{"events":["SHUTDOWN"]}"#;
    let (headers, answer) = connection.exchange("POST", &path, name, body).await?;
    log(&format!("registered: {}", String::from_utf8_lossy(&answer)))?;
    let id = header(&headers, "lambda-extension-identifier");
    tokio::spawn(async move {
        let path = format!("{EXTENSION}/event/next");
        let identifier = format!("lambda-extension-identifier: {id}\r\n");
        if let Ok((_, event)) = connection.exchange("GET", &path, &identifier, b"").await {
            // The log is all that the test sees of it.
            let _ = log(&format!("event: {}", String::from_utf8_lossy(&event)));
        }
    });
    Ok(())
}

/// One keep-alive connection to the Runtime API.
struct Connection(BufReader<TcpStream>);

impl Connection {
    async fn open(api: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(api).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    async fn exchange(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Outcome<(String, Vec<u8>)> {
        let headers = format!("{headers}content-length: {}\r\n", body.len());
        self.send_head(method, path, &headers).await?;
        self.send(body).await?;
        self.receive().await
    }

    async fn send_head(&mut self, method: &str, path: &str, headers: &str) -> Outcome<()> {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: runtime\r\n{headers}\r\n");
        self.send(head.as_bytes()).await
    }

    async fn send_chunk(&mut self, data: &[u8]) -> Outcome<()> {
        self.send(format!("{:x}\r\n", data.len()).as_bytes()).await?;
        self.send(data).await?;
        self.send(b"\r\n").await
    }

    async fn send(&mut self, bytes: &[u8]) -> Outcome<()> {
        Ok(self.0.get_mut().write_all(bytes).await?)
    }

    /// Headers and body of an answer that has a content length.
    async fn receive(&mut self) -> Outcome<(String, Vec<u8>)> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).await? == 0 {
                return Err("the Runtime API closed the connection".into());
            }
        }
        let mut body = vec![0; header(&head, "content-length").parse()?];
        self.0.read_exact(&mut body).await?;
        Ok((head, body))
    }
}

/// The value of a header, or nothing.
fn header(head: &str, name: &str) -> String {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut own = lines.filter(|(present, _)| present.eq_ignore_ascii_case(name));
    own.next().map(|(_, value)| value.to_owned()).unwrap_or_default()
}

fn log(line: &str) -> Outcome<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

#[allow(clippy::disallowed_methods, reason = "this is a composition root")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
