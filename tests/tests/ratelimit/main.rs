//! `RateLimit` and `RateLimit-Policy`: the draft's own examples and the gateway's answers, through one parser of
//! structured fields (RFC 9651).

use bytes::Bytes;
use faregate_tests::{Backend, Stack, vectors};
use http::Request;
use serde::Deserialize;
use serde_json::json;
use sfv::{BareItem, List, ListEntry, Parser};

const VECTORS: &str = "ratelimit-ietf-draft-examples.json";

#[derive(Deserialize)]
struct File {
    examples: Vec<Example>,
}

#[derive(Deserialize)]
struct Example {
    section: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

/// One policy or limit: its name and its parameters that are numbers.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    name: String,
    numbers: Vec<(String, i64)>,
}

/// A list of named items (draft-ietf-httpapi-ratelimit-headers §3 and §4).
fn parse(text: &str) -> Result<Vec<Told>, String> {
    let list: List = Parser::new(text).parse().map_err(|error| format!("{text}: {error}"))?;
    let told = |entry: ListEntry| {
        let ListEntry::Item(item) = entry else { return Err(format!("{text}: an inner list")) };
        // The draft's own examples have both.
        let name = match item.bare_item {
            BareItem::String(name) => String::from(name),
            BareItem::Token(name) => String::from(name),
            other => return Err(format!("{text}: an item that is no name: {other:?}")),
        };
        let numbers = item.params.iter().filter_map(|(name, value)| match value {
            BareItem::Integer(number) => Some((name.as_str().to_owned(), i64::from(*number))),
            _ => None,
        });
        Ok(Told { name, numbers: numbers.collect() })
    };
    list.into_iter().map(told).collect()
}

#[test]
#[allow(clippy::print_stdout, reason = "how much was covered is part of the result")]
fn every_example_of_the_draft_parses() {
    let Some(file) = vectors::<File>(VECTORS).expect("the examples as they are known here") else {
        println!("{VECTORS} is absent (FAREGATE_VECTORS names its folder): nothing was run");
        return;
    };
    let mut parsed = 0;
    for example in &file.examples {
        for (name, value) in &example.headers {
            if name.to_ascii_lowercase().starts_with("ratelimit") {
                let told = parse(value).unwrap_or_else(|error| panic!("{}: {error}", example.section));
                assert!(!told.is_empty(), "{value}");
                parsed += 1;
            }
        }
    }
    println!("{VECTORS}: {parsed} headers parsed");
    assert!(parsed > 5, "{parsed}");
}

#[tokio::test]
async fn what_the_gateway_says_parses_and_is_true() {
    let backend = Backend::echo("b").await.expect("a backend");
    let limits = json!([
        {"id": "daily", "limit": 1000, "per": "day", "by": "route"},
        {"id": "hourly", "limit": 3, "per": "hour", "by": "route"},
    ]);
    let document = json!({
        "backends": [{"id": "b", "targets": [{"url": backend.url()}]}],
        "routes": [{"id": "r", "authenticate": "anonymous", "limits": limits, "forward": {"backend": "b"}}],
    });
    let stack = Stack::start(&document).await.expect("a stack");
    for (status, left) in [(200, 2), (200, 1), (200, 0), (429, 0)] {
        let request = Request::get("/").header("host", "api.example.com").body(Bytes::new()).expect("a request");
        let answer = stack.send(request).await.expect("an answer");
        assert_eq!(answer.status.as_u16(), status);
        let policy = parse(&answer.header("ratelimit-policy").expect("a header")).expect("structured fields");
        let told =
            |name: &str, q, w| Told { name: name.to_owned(), numbers: vec![("q".to_owned(), q), ("w".to_owned(), w)] };
        assert_eq!(policy, [told("hourly", 3, 3600), told("daily", 1000, 86_400)], "the tightest first");
        let limit = parse(&answer.header("ratelimit").expect("a header")).expect("structured fields");
        assert_eq!((limit[0].name.as_str(), &limit[0].numbers[0]), ("hourly", &("r".to_owned(), left)));
        let (name, seconds) = &limit[0].numbers[1];
        assert!(name == "t" && (1..=3600).contains(seconds), "{seconds}");
    }
}
