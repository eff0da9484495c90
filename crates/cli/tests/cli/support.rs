//! Running the binary.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use faregate_testing::dynamodb::{EmbeddedDynamoDb, TableNames};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How one run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The run, if it ended so.
    #[track_caller]
    pub(crate) fn exits(self, exit: i32) -> Self {
        assert_eq!(self.exit, exit, "{self:?}");
        self
    }

    /// The one JSON object on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs the binary without any table.
pub(crate) fn offline(arguments: &[&str], input: &str) -> Run {
    run(&mut command(), arguments, input)
}

/// A file of the repository's examples.
pub(crate) fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    path.to_str().expect("a path").to_owned()
}

/// The binary, with an empty environment.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faregate"));
    command.env_clear();
    command
}

/// Runs the command to its end.
pub(crate) fn run(command: &mut Command, arguments: &[&str], input: &str) -> Run {
    let piped = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the binary starts");
    // A command that does not read its input closes it.
    drop(child.stdin.take().expect("piped").write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("the binary ends");
    Run {
        exit: output.status.code().expect("an exit code"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Tables of one's own, and a folder.
pub(crate) struct Stack {
    pub(crate) database: EmbeddedDynamoDb,
    pub(crate) allow_inline_secrets: bool,
    folder: TempDir,
}

impl Stack {
    pub(crate) async fn start() -> Self {
        let database = EmbeddedDynamoDb::start().await.expect("a database");
        database.create_tables(&TableNames::default()).await.expect("tables");
        Self { database, allow_inline_secrets: false, folder: TempDir::new().expect("a folder") }
    }

    /// Runs the binary against the tables.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    /// Runs the binary with something on its standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let mut command = command();
        self.prepare(&mut command);
        run(&mut command, arguments, input)
    }

    /// Runs the binary at a terminal where somebody types; yields what that shows. Of the environment it has only what
    /// finds Python.
    #[allow(clippy::disallowed_methods, reason = "only the environment says where Python is")]
    pub(crate) fn run_at_terminal(&self, arguments: &[&str], typed: &str) -> Run {
        const TERMINAL: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        let mut python = Command::new("python3");
        python.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        python.args(["-c", TERMINAL, env!("CARGO_BIN_EXE_faregate")]);
        self.prepare(&mut python);
        run(&mut python, arguments, typed)
    }

    /// What leads to the tables.
    fn prepare(&self, command: &mut Command) {
        command
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_REGION", "us-east-1")
            .env("HOME", self.folder.path())
            .args(["--endpoint-url", &self.database.endpoint()]);
        if self.allow_inline_secrets {
            command.env("FAREGATE_ALLOW_INLINE_SECRETS", "1");
        }
    }

    /// Writes a file and names it.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file");
        path.to_str().expect("a path").to_owned()
    }

    /// Where a file of that name is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts an item there as the console would.
    pub(crate) async fn put(&self, table: &str, item: Value) {
        let body = json!({ "TableName": table, "Item": item });
        self.database.call("PutItem", &body).await.expect("the item is put");
    }

    /// A whole table, as DynamoDB says it.
    pub(crate) async fn scan(&self, table: &str) -> String {
        let answer = self.database.call("Scan", &json!({ "TableName": table })).await;
        answer.expect("the table is read").to_string()
    }
}
