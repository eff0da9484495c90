//! Whose credentials are used, and where each service is asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Run, command, run};

/// A token of the issuer `partner`, signed with nobody's secret.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.\
    eyJpc3MiOiJwYXJ0bmVyIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYSIsImV4cCI6OTk5OTk5OTk5OX0.\
    MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA";

/// Refuses every call, and remembers the calls' headers; ends with the test.
struct Aws {
    endpoint: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// The headers of one call that say what it is.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Call {
    target: String,
    authorization: String,
}

impl Aws {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let seen = Arc::clone(&calls);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let call = refuse(stream).expect("a call");
                seen.lock().expect("a lock").push(call);
            }
        });
        Self { endpoint, calls }
    }

    /// The operations that were called, each with the access key that signed it.
    fn calls(&self) -> Vec<(String, String)> {
        let key = |call: &Call| {
            let key = call.authorization.split_once("Credential=").and_then(|(_, rest)| rest.split_once('/'));
            key.map_or_else(String::new, |(key, _)| key.to_owned())
        };
        self.calls.lock().expect("a lock").iter().map(|call| (call.target.clone(), key(call))).collect()
    }
}

/// Reads one call and refuses it for good, so that nobody tries again.
fn refuse(stream: TcpStream) -> std::io::Result<Call> {
    let mut reader = BufReader::new(stream);
    let (mut call, mut length) = (Call::default(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "x-amz-target" => value.clone_into(&mut call.target),
            "authorization" => value.clone_into(&mut call.authorization),
            "content-length" => length = value.parse().unwrap_or_default(),
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let body = r#"{"__type":"AccessDeniedException","message":"no"}"#;
    let head = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.0";
    write!(reader.into_inner(), "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
    Ok(call)
}

/// An operator's machine: two profiles in files, other credentials in the environment.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let credentials = "\
            [default]\naws_access_key_id = OF-DEFAULT\naws_secret_access_key = secret\n\
            [staging]\naws_access_key_id = OF-STAGING\naws_secret_access_key = secret\n";
        std::fs::write(folder.path().join("credentials"), credentials).expect("a file");
        std::fs::write(folder.path().join("config"), "[profile staging]\nregion = eu-north-1\n").expect("a file");
        Self(folder)
    }

    fn run(&self, variables: &[(&str, &str)], arguments: &[&str], input: &str) -> Run {
        let mut command = command();
        command
            .env("HOME", self.0.path())
            .env("AWS_CONFIG_FILE", self.0.path().join("config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.0.path().join("credentials"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(variables.iter().copied());
        run(&mut command, arguments, input)
    }
}

const OF_ENVIRONMENT: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "OF-ENVIRONMENT"), ("AWS_SECRET_ACCESS_KEY", "secret")];

#[test]
fn a_named_profile_wins_over_credentials_in_the_environment() {
    let machine = Machine::new();
    let region = ("AWS_REGION", "us-east-1");
    let [id, secret] = OF_ENVIRONMENT;
    let of_environment = [id, secret, region];
    let other_profile = [id, secret, region, ("AWS_PROFILE", "staging")];
    for (variables, profile, key) in [
        (&[region][..], None, "OF-DEFAULT"),
        (&of_environment, None, "OF-ENVIRONMENT"),
        (&of_environment, Some("staging"), "OF-STAGING"),
        (&of_environment, Some("default"), "OF-DEFAULT"),
        (&other_profile, None, "OF-ENVIRONMENT"),
        (&other_profile, Some("default"), "OF-DEFAULT"),
    ] {
        let dynamodb = Aws::start();
        let mut arguments = vec!["--endpoint-url", &dynamodb.endpoint, "status"];
        arguments.extend(profile.map(|profile| ["--profile", profile]).into_iter().flatten());
        let run = machine.run(variables, &arguments, "").exits(1);
        assert!(run.stderr.contains("AccessDeniedException"), "{run:?}");
        let calls = dynamodb.calls();
        assert!(!calls.is_empty() && calls.iter().all(|(_, of)| of == key), "{profile:?}: {calls:?}");
    }
}

#[test]
fn a_profile_that_does_not_exist_is_never_replaced_by_other_credentials() {
    let (machine, dynamodb) = (Machine::new(), Aws::start());
    let arguments = ["--endpoint-url", &dynamodb.endpoint, "--profile", "no-such", "--region", "us-east-1", "status"];
    let run = machine.run(&OF_ENVIRONMENT, &arguments, "").exits(1);
    assert!(run.stderr.contains("no-such"), "{run:?}");
    assert_eq!(dynamodb.calls(), []);
}

#[test]
fn a_named_profiles_region_is_used() {
    let (machine, dynamodb) = (Machine::new(), Aws::start());
    machine.run(&[], &["--endpoint-url", &dynamodb.endpoint, "--profile", "staging", "status"], "").exits(1);
    let calls = dynamodb.calls.lock().expect("a lock").clone();
    let is_there = |call: &Call| call.authorization.contains("/eu-north-1/dynamodb/");
    assert!(!calls.is_empty() && calls.iter().all(is_there), "{calls:?}");
}

#[test]
fn the_endpoint_of_dynamodb_is_nobody_elses() {
    let (machine, dynamodb, ssm) = (Machine::new(), Aws::start(), Aws::start());
    let file = machine.0.path().join("faregate.yaml");
    let document = json!({
        "issuers": [
            {"id": "partner", "issuer": "partner", "audiences": ["orders"], "secret": {"ssm": "/faregate/partner"}},
        ],
        "routes": [{
            "id": "r", "match": [{"path": "/r"}], "authenticate": {"jwt": {"issuers": ["partner"]}}, "respond": {},
        }],
    });
    std::fs::write(&file, document.to_string()).expect("a file");
    let [id, secret] = OF_ENVIRONMENT;
    let variables = [id, secret, ("AWS_REGION", "us-east-1"), ("AWS_ENDPOINT_URL_SSM", &ssm.endpoint)];
    let file = file.to_str().expect("a path");
    let explain =
        ["--endpoint-url", &dynamodb.endpoint, "explain", "GET", "/r", "--file", file, "--token-stdin", "--json"];
    let verdict = machine.run(&variables, &explain, TOKEN).exits(0).json()["tokens"][0].clone();
    assert_eq!(verdict["verdict"], "unavailable", "{verdict}");
    assert_eq!(ssm.calls(), [("AmazonSSM.GetParameter".to_owned(), "OF-ENVIRONMENT".to_owned())]);
    assert_eq!(dynamodb.calls(), []);

    // DynamoDB's own is used although the environment names another one.
    let variables = [id, secret, ("AWS_REGION", "us-east-1"), ("AWS_ENDPOINT_URL_DYNAMODB", &ssm.endpoint)];
    machine.run(&variables, &["--endpoint-url", &dynamodb.endpoint, "key", "list"], "").exits(1);
    assert_eq!((dynamodb.calls().len(), ssm.calls().len()), (1, 1));
}
