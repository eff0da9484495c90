//! Events that nobody wrote, through the whole gateway: whatever comes is answered, and the environment lives on.

#[path = "../../../crates/lambda/tests/events/made_up.rs"]
mod made_up;

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use faregate_engine::{fakes::FakeRandom, ports::Random};
use faregate_testing::driver::{Ending, RawAnswer};
use faregate_tests::{Backend, Stack};
use serde_json::{Value, json};

use super::support::get;

const EVENTS: usize = 5000;
/// Whatever else has to be among the answers, so that both ways were really gone.
const OF_EACH_KIND: usize = EVENTS / 20;

/// The hand-made events.
fn hand_made() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let kinds = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files = kinds.filter(|path| path.is_dir()).flat_map(|kind| fs::read_dir(kind).expect("a folder"));
    let mut files: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.with_extension("expected.json").is_file());
    files.sort();
    files.iter().map(|file| serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON")).collect()
}

/// Routes with something of each phase: a key, a limit, origins, a rewrite, an answer of the gateway's own.
fn document(backend: &Backend) -> Value {
    let limit = json!({"id": "x", "limit": 1_000_000, "per": "day", "by": {"header": "host"}});
    json!({
        "settings": {"refresh_seconds": 1},
        "backends": [{"id": "b", "targets": [{"url": backend.url()}]}],
        "routes": [
            {"id": "all", "authenticate": {"any_of": ["api_key", "anonymous"]}, "cors": {"allow_origins": ["*"]},
             "limits": [limit], "forward": {"backend": "b"}},
            {"id": "a", "match": [{"path": {"prefix": "/a"}}], "authenticate": "anonymous",
             "forward": {"backend": "b", "path": {"replace_prefix": "/v2"}}},
            {"id": "live", "match": [{"path": "/live/{name}"}], "authenticate": "anonymous",
             "redirect": {"path": {"replace": "/{name}"}}},
        ],
    })
}

/// Status and body, in whatever form the event wants them.
fn answer(raw: &RawAnswer) -> Option<(u64, Vec<u8>)> {
    let head = raw.json().ok()?;
    let body = match head["body"].as_str() {
        None => raw.body.to_vec(),
        Some(text) if head["isBase64Encoded"] == true => STANDARD.decode(text).ok()?,
        Some(text) => text.into(),
    };
    Some((head["statusCode"].as_u64()?, body))
}

#[tokio::test]
async fn whatever_an_event_holds_it_is_answered() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stack = Stack::start(&document(&backend)).await.expect("a stack");
    let (events, random) = (hand_made(), FakeRandom::new(20));
    let mut numbers = std::iter::from_fn(|| Some(random.next_u64()));
    let (mut served, mut refused) = (0, 0);
    for number in 0..EVENTS {
        let length = 1 + number % 16;
        let event = match number % 8 {
            0 => made_up::value(&mut numbers.by_ref().take(length)),
            _ => made_up::changed(&events[number % events.len()], &mut numbers.by_ref().take(length)),
        };
        let raw = stack.driver().invoke(&event).await.unwrap_or_else(|error| panic!("{event}: {error}"));
        assert_eq!(raw.ending, Ending::Complete, "{event}");
        let (status, body) = answer(&raw).unwrap_or_else(|| panic!("{event}: {raw:?}"));
        let problem = serde_json::from_slice::<Value>(&body).ok().filter(|body| body["code"].is_string());
        match problem {
            // Of the gateway itself nothing failed.
            Some(problem) => assert!((400..500).contains(&status), "{event}: {problem}"),
            None => assert!((200..400).contains(&status), "{event}: {status}"),
        }
        served += usize::from(status < 400);
        refused += usize::from(status >= 400);
    }
    assert!(served >= OF_EACH_KIND && refused >= OF_EACH_KIND, "{served} served, {refused} refused");
    assert_eq!(stack.driver().environments()[0].exits, 0);
    assert_eq!(stack.send(get("/")).await.expect("an answer").status.as_u16(), 200);
}
