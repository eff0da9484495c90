//! Commands that need no table.

use serde_json::json;

use crate::support::{example, offline};

#[test]
fn every_example_is_without_mistakes() {
    for name in ["demo.yaml", "iam.yaml", "orders.yaml"] {
        let verdict = offline(&["validate", &example(name), "--json"], "").exits(0).json();
        assert_eq!(verdict["valid"], true);
        assert_eq!(verdict["diagnostics"], json!([]), "{name}");
    }
}

const README: &str = include_str!("../../../../README.md");

/// The README's documents that have routes.
fn documents() -> Vec<&'static str> {
    let documents = README.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().expect("an end"));
    documents.filter(|text| text.lines().any(|line| line == "routes:")).collect()
}

#[test]
fn the_documents_in_the_readme_are_without_mistakes() {
    assert_eq!(documents().len(), 4);
    for document in documents() {
        let backends = "\nbackends: [{ id: orders, targets: [{ url: 'https://orders.example.com' }] }]\n";
        let backends = if document.contains("backends:\n") { "" } else { backends };
        let run = offline(&["validate", "-", "--json"], &format!("{document}{backends}"));
        assert_eq!(run.json()["diagnostics"], json!([]), "{document}");
    }
}

#[test]
fn the_first_calls_belong_to_routes_of_the_readmes_document_at_the_function_url() {
    const DEPLOYING: &str = include_str!("../../../../docs/deploy.md");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), documents()[0]).expect("written");
    let file = file.path().to_str().expect("a path");
    // The URL stands in the text as an ellipsis, or as the shell's way to the stack's output.
    let written = |text: &'static str, url: &'static str| {
        let calls = text.lines().filter(|line| line.starts_with("curl "));
        calls.filter_map(move |line| Some(line.split_once(url)?.1.split([' ', '"']).next().expect("a path")))
    };
    let paths: Vec<&str> = written(README, "https://…/").chain(written(DEPLOYING, "$(out GatewayUrl)")).collect();
    assert!(paths.len() >= 3, "{paths:?}");
    for path in paths {
        let url = format!("https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws/{path}");
        let found = offline(&["explain", "GET", &url, "--file", file, "--json"], "").exits(0).json();
        assert!(found["route"]["id"].is_string(), "{path}: {found}");
    }
}

#[test]
fn every_route_of_the_demo_lies_under_demo() {
    for path in ["/", "/other", "/demo2"] {
        offline(&["explain", "GET", path, "--file", &example("demo.yaml")], "").exits(5);
    }
    let hello =
        offline(&["explain", "GET", "/demo/a?b", "--file", &example("demo.yaml"), "--json"], "").exits(0).json();
    assert_eq!(hello["route"]["id"], "demo-hello");
    assert_eq!(hello["route"]["action"]["forward"]["backends"][0]["targets"][0]["url"], "http://127.0.0.1:9100/a?b");
}

#[test]
fn mistakes_are_printed_with_file_line_and_column() {
    let text = "routes:\n- id: a\n  authenticate: anonymous\n  respond: { status: 99 }\n  host: [x]\n";
    let run = offline(&["validate", "-"], text).exits(3);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[0].starts_with("standard input:4:22: error[invalid_value] route/a/respond/status: "), "{lines:?}");
    assert!(lines[1].starts_with("standard input:5:3: error[unknown_field] route/a/host: "), "{lines:?}");
    assert_eq!(lines[2], "standard input: 2 errors, 0 warnings");
    assert_eq!(run.stderr, "");
}

#[test]
fn a_warning_is_no_error() {
    let text = "routes:\n- id: a\n  authenticate: anonymous\n  match: [{ methods: [get] }]\n  respond: {}\n";
    let run = offline(&["validate", "-", "--json"], text).exits(0);
    assert_eq!(run.json()["diagnostics"][0]["severity"], "warning");
    assert_eq!(run.json()["diagnostics"][0]["line"], 4);
}

#[test]
fn no_byte_of_a_file_reaches_the_terminal_as_a_control() {
    let text = "routes:\n- id: \"a\\e[2J\\u202E\"\n  \"\\x9b\": 1\n";
    for arguments in [&["validate", "-"][..], &["validate", "-", "--json"]] {
        let run = offline(arguments, text).exits(3);
        let is_bad = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
        assert!(!run.stdout.contains(is_bad), "{run:?}");
    }
}

#[test]
fn a_secret_stands_in_a_document_only_under_the_development_switch() {
    let text = "settings: { edge: { secret: { values: [{ inline: 0123456789abcdef-and-still-the-secret }] } } }\n";
    let run = offline(&["validate", "-"], text).exits(3);
    assert!(!run.stdout.contains("the-secret"), "{run:?}");
    offline(&["validate", "-", "--allow-inline-secrets"], text).exits(0);
}

#[test]
fn what_is_no_file_is_an_error_of_one_line() {
    let run = offline(&["validate", "no-such-file"], "").exits(1);
    assert!(run.stderr.starts_with("error: no-such-file: ") && run.stderr.lines().count() == 1, "{run:?}");
    let run = offline(&["validate", "no-such-file", "--json"], "").exits(1);
    assert_eq!(run.json()["error"]["code"], "file");
    assert_eq!(run.stderr, "");
    offline(&["no-such-command"], "").exits(2);
}

#[test]
fn the_schema_is_of_the_document_or_of_one_kind() {
    let document = offline(&["schema"], "").exits(0).json();
    assert!(document["properties"]["routes"].is_object());
    let help = offline(&["schema", "--help"], "").exits(0).stdout;
    for kind in ["settings", "issuer", "plan", "backend", "route"] {
        let schema = offline(&["schema", "--kind", kind], "").exits(0).json();
        assert!(schema["properties"].is_object() && help.contains(kind), "{schema}{help}");
    }
    offline(&["schema", "--kind", "lock"], "").exits(2);
}

#[test]
fn every_command_says_its_exit_codes_or_options() {
    let help = offline(&["--help"], "").exits(0).stdout;
    assert!(help.contains("4  `diff` found differences"), "{help}");
    let commands = subcommands(&help);
    let expected = [
        "apply", "diff", "explain", "export", "key", "limit", "prices", "rollback", "schema", "status", "usage",
        "validate",
    ];
    assert_eq!(commands, expected);
    for command in &commands {
        let help = offline(&[command, "--help"], "").exits(0).stdout;
        assert!(help.contains("4  `diff` found differences") && help.contains("--json"), "{help}");
        for below in subcommands(&help) {
            let help = offline(&[command, &below, "--help"], "").exits(0).stdout;
            assert!(help.contains("4  `diff` found differences") && help.contains("--json"), "{help}");
        }
    }
}

/// The commands that a help text lists, sorted.
fn subcommands(help: &str) -> Vec<String> {
    let list = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest.split("\n\n").next().unwrap_or_default());
    let names = list.lines().filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn a_command_line_that_cannot_be_read_is_told_in_json_where_that_is_asked_for() {
    for (arguments, says) in [
        (
            &["validate", "--jsn", "--json"][..],
            "unexpected argument '--jsn' found; tip: a similar argument exists: '--json'",
        ),
        (&["--json", "no-such"], "unrecognized subcommand 'no-such'"),
        (&["explain", "--json"], "the following required arguments were not provided: <METHOD> <URL>"),
        (&["--json", "key"], "something is missing; --help says what there is"),
        (
            &["usage", "--json", "--endpoint-url"],
            "a value is required for '--endpoint-url <URL>' but none was supplied",
        ),
    ] {
        let run = offline(arguments, "").exits(2);
        assert_eq!(run.json(), json!({"error": {"code": "usage", "message": says}}), "{arguments:?}");
        assert_eq!(run.stderr, "", "{arguments:?}");
    }
    // Not asked for: the last one is no option.
    for arguments in [&["validate", "--jsn"][..], &["validate", "a", "b", "--", "--json"]] {
        let run = offline(arguments, "").exits(2);
        assert!(run.stdout.is_empty() && run.stderr.starts_with("error: ") && run.stderr.contains("Usage:"), "{run:?}");
    }
    for (arguments, says) in [(["--json", "--help"], "Usage: faregate"), (["--json", "--version"], "faregate ")] {
        let run = offline(&arguments, "").exits(0);
        assert!(run.stdout.contains(says) && run.stderr.is_empty(), "{run:?}");
    }
}
