//! What `cargo xtask dev` says on a machine without the tools that it needs.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Output,
};

use super::dev::{PATIENCE, free_port, ports, xtask};

/// Where nobody listens: a port that only root can take.
const DEAD_ADDRESS: &str = "127.0.0.1:1";

/// `cargo xtask dev` with nothing but `programs` in PATH, no tools of its own, and no network.
struct Bare {
    folder: tempfile::TempDir,
}

impl Bare {
    fn with(programs: &[(&str, PathBuf)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["path", "tools", "cargo"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        for (name, place) in programs {
            symlink(place, folder.path().join("path").join(name)).expect("a link");
        }
        Self { folder }
    }

    async fn dev(&self) -> Output {
        let arguments = [vec!["dev".to_owned()], ports(free_port(), free_port(), free_port())].concat();
        let mut command = xtask(&arguments);
        let nowhere = format!("http://{DEAD_ADDRESS}");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PIP_")) {
                command.env_remove(name);
            }
        }
        command.env("PATH", self.folder.path().join("path")).env("FAREGATE_TOOLS", self.folder.path().join("tools"));
        command.env("PIP_CONFIG_FILE", "/dev/null").env("PIP_INDEX_URL", format!("{nowhere}/simple"));
        command.env("CARGO_HOME", self.folder.path().join("cargo")).env("CARGO_NET_RETRY", "0");
        command.env("CARGO_HTTP_PROXY", nowhere);
        tokio::time::timeout(PATIENCE, command.output()).await.expect("an end").expect("an output")
    }
}

/// Programs that still run and have this in their environment.
pub(crate) fn left_behind(mark: &[u8]) -> Vec<PathBuf> {
    let has_mark = |place: &Path| {
        let environment = std::fs::read(place.join("environ")).unwrap_or_default();
        environment.windows(mark.len()).any(|part| part == mark)
    };
    let processes = std::fs::read_dir("/proc").expect("processes").flatten().map(|entry| entry.path());
    processes.filter(|place| has_mark(place)).collect()
}

fn assert_refused(bare: &Bare, output: &Output, wanted: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for wanted in wanted {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(!String::from_utf8_lossy(&output.stdout).contains("ready:"));
    let own = bare.folder.path().as_os_str().as_encoded_bytes();
    assert_eq!(left_behind(own), Vec::<PathBuf>::new());
}

/// What is said in the end, whatever could not be done.
const ADVICE: [&str; 2] = [
    "error: cargo-lambda is missing and cannot be installed.",
    "Is there a network? Install python3 with its venv module, or cargo-lambda 1.9 or newer, and start again.",
];

#[tokio::test]
async fn without_cargo_lambda_python_and_network_it_says_what_to_install() {
    let bare = Bare::with(&[]);
    let output = bare.dev().await;
    let why = ["no python3 in PATH", "From crates.io: cargo install cargo-lambda failed"];
    assert_refused(&bare, &output, &[&ADVICE[..], &why].concat());
}

#[tokio::test]
async fn without_a_network_python_alone_does_not_help() {
    let python = std::process::Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let python = String::from_utf8(python.expect("python3").stdout).expect("a path");
    let bare = Bare::with(&[("python3", PathBuf::from(python.trim()))]);
    let output = bare.dev().await;
    let why = ["From PyPI: pip install failed", "From crates.io: cargo install cargo-lambda failed"];
    assert_refused(&bare, &output, &[&ADVICE[..], &why].concat());
}
