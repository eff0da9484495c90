//! Commands on the Keys table.

use faregate_core::api_key::KeyHash;
use serde_json::{Value, json};

use crate::support::Stack;

/// A new key of a consumer: its secret and its hash.
fn create(stack: &Stack, arguments: &[&str]) -> (String, String) {
    let mut all = vec!["key", "create"];
    all.extend(arguments);
    let secret = stack.run(&all).exits(0).stdout.trim_end().to_owned();
    let hash = KeyHash::of(secret.as_bytes()).as_str().to_owned();
    (secret, hash)
}

fn show(stack: &Stack, hash: &str) -> Value {
    stack.run(&["key", "show", hash, "--json"]).exits(0).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_shown_once_and_never_stored() {
    let stack = Stack::start().await;
    let run = stack.run(&["key", "create", "--consumer", "acme", "--name", "First"]).exits(0);
    let secret = run.stdout.trim_end();
    assert!(run.stdout.lines().count() == 1 && secret.starts_with("fg_") && secret.len() == 41, "{run:?}");
    assert!(!run.stderr.contains(secret) && run.stderr.contains("in effect at once"), "{run:?}");
    assert!(!stack.scan("faregate-keys").await.contains(secret));

    let hash = KeyHash::of(secret.as_bytes());
    let by_secret = stack.run_with(&["key", "show", "--key-stdin", "--json"], &format!("{secret}\n")).exits(0).json();
    assert_eq!(by_secret, show(&stack, &hash.as_str()[..8]));
    assert_eq!(by_secret, show(&stack, hash.as_str()));
    assert_eq!(by_secret["state"], "active");
    let item = &by_secret["item"];
    assert_eq!((&item["consumer"], &item["name"], &item["enabled"]), (&json!("acme"), &json!("First"), &json!(true)));

    let json = stack.run(&["key", "create", "--consumer", "acme", "--json"]).exits(0).json();
    let secret = json["key"].as_str().expect("a key");
    assert_eq!(json["item"]["key_hash"], KeyHash::of(secret.as_bytes()).as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_are_those_that_were_asked_for() {
    let stack = Stack::start().await;
    let (_, hash) = create(&stack, &["--consumer", "acme", "--expires", "4102444800", "--routes", "a,b", "--disabled"]);
    let item = &show(&stack, &hash)["item"];
    assert_eq!(item["expires_at"], 4_102_444_800_u64);
    assert_eq!((&item["routes"], &item["enabled"]), (&json!(["a", "b"]), &json!(false)));
    let (_, hash) = create(&stack, &["--consumer", "acme", "--no-routes"]);
    assert_eq!(show(&stack, &hash)["item"]["routes"], json!([]));

    for arguments in [
        &["--consumer", "a:b"][..],
        &["--consumer", ""],
        &["--consumer", "acme", "--expires", "1"],
        &["--consumer", "acme", "--expires", "soon"],
        &["--consumer", "acme", "--routes", "A B"],
        &["--consumer", "acme", "--routes", "a", "--no-routes"],
        &[],
    ] {
        let mut all = vec!["key", "create"];
        all.extend(arguments);
        stack.run(&all).exits(2);
    }
    assert!(stack.scan("faregate-keys").await.contains("\"Count\":2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_switched_and_deleted_one_by_one_or_by_consumer() {
    let stack = Stack::start().await;
    let (secret, one) = create(&stack, &["--consumer", "acme"]);
    let (_, two) = create(&stack, &["--consumer", "acme"]);
    let (_, other) = create(&stack, &["--consumer", "other"]);

    let run = stack.run_with(&["key", "disable", "--key-stdin"], &secret).exits(0);
    assert_eq!(run.stdout, format!("{} is disabled; in effect within 60 s\n", &one[..12]));
    assert_eq!((&show(&stack, &one)["state"], &show(&stack, &two)["state"]), (&json!("disabled"), &json!("active")));
    stack.run(&["key", "enable", &one[..10]]).exits(0);
    assert_eq!(show(&stack, &one)["state"], "active");

    stack.run(&["key", "disable", "--consumer", "acme"]).exits(2);
    let both = stack.run(&["key", "disable", "--consumer", "acme", "--yes", "--json"]).exits(0).json();
    assert_eq!(both["keys"].as_array().map(Vec::len), Some(2));
    assert_eq!(show(&stack, &other)["state"], "active");

    let list = stack.run(&["key", "list", "--consumer", "acme", "--json"]).exits(0).json();
    assert_eq!(list["keys"].as_array().map(Vec::len), Some(2));
    let list = stack.run(&["key", "list"]).exits(0).stdout;
    assert!(list.starts_with("hash          state     ends") && list.lines().count() == 4, "{list}");

    stack.run(&["key", "delete", &other]).exits(0);
    stack.run(&["key", "show", &other]).exits(5);
    stack.run(&["key", "delete", "--consumer", "acme", "--yes"]).exits(0);
    stack.run(&["key", "delete", "--consumer", "acme", "--yes"]).exits(5);
    assert_eq!(stack.run(&["key", "list"]).exits(0).stdout, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_has_its_attributes_and_the_old_one_an_end() {
    let stack = Stack::start().await;
    let (_, old) = create(&stack, &["--consumer", "acme", "--name", "Shop", "--routes", "a", "--expires", "30d"]);
    let before = show(&stack, &old)["item"].clone();
    let run = stack.run(&["key", "rotate", &old, "--overlap", "2h", "--json"]).exits(0).json();
    let new = show(&stack, run["item"]["key_hash"].as_str().expect("a hash"))["item"].clone();
    for attribute in ["consumer", "name", "routes", "enabled", "expires_at"] {
        assert_eq!(new[attribute], before[attribute], "{attribute}");
    }
    let after = show(&stack, &old)["item"].clone();
    let created = after["created_at"].as_u64().expect("seconds");
    let ends = after["expires_at"].as_u64().expect("seconds");
    assert!((created + 7200..created + 7200 + 600).contains(&ends), "{after}");
    assert_eq!(run["old"]["expires_at"], ends);

    // An end that comes sooner stays.
    stack.run(&["key", "rotate", &old, "--overlap", "24h"]).exits(0);
    assert_eq!(show(&stack, &old)["item"]["expires_at"], ends);
    // With no overlap the old key has ended, and what has ended is not rotated.
    stack.run(&["key", "rotate", &old, "--overlap", "0s"]).exits(0);
    assert_eq!(show(&stack, &old)["state"], "expired");
    stack.run(&["key", "rotate", &old]).exits(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_meant_is_a_warning() {
    let stack = Stack::start().await;
    let document = "plans: [{ id: gold, limits: [{ id: a, limit: 1, per: day }] }]\n\
                    routes: [{ id: there, authenticate: anonymous, respond: {} }]\n";
    stack.run_with(&["apply", "-"], document).exits(0);
    let create = ["key", "create", "--consumer", "acme"];
    for (arguments, warnings) in [
        (&["--routes", "there", "--plan", "gold"][..], json!([])),
        (&[], json!([])),
        (
            &["--routes", "there,absent", "--plan", "silver"],
            json!([
                "the configuration that serves has no route `absent`",
                "the configuration that serves has no plan `silver`"
            ]),
        ),
    ] {
        let created = stack.run(&[&create[..], arguments, &["--json"]].concat()).exits(0).json();
        assert_eq!(created["warnings"], warnings);
        let text = stack.run(&[&create[..], arguments].concat()).exits(0);
        let said = text.stderr.lines().filter(|line| line.starts_with("warning: ")).count();
        assert_eq!((said, text.stdout.lines().count()), (warnings.as_array().map_or(0, Vec::len), 1), "{text:?}");
    }
    // Whoever may only write keys makes them all the same.
    let blind = stack.run(&[&["--config-table", "none"], &create[..], &["--plan", "gold"]].concat()).exits(0);
    assert!(blind.stderr.contains("warning: whether its routes and its plan exist is not known: "), "{blind:?}");

    let (_, off) = self::create(&stack, &["--consumer", "acme", "--disabled"]);
    let rotated = stack.run(&["key", "rotate", &off, "--json"]).exits(0).json();
    assert_eq!(rotated["warnings"], json!(["the old key is disabled, and so is the new one"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selector_names_one_key_that_exists() {
    let stack = Stack::start().await;
    let twins = ["0123456789abcdef0", "0123456789abcdef1"].map(|start| format!("{start:0<64}"));
    for hash in &twins {
        stack.put("faregate-keys", json!({"key_hash": {"S": hash}, "consumer": {"S": "acme"}})).await;
    }
    for (selector, exit) in [
        ("0123456", 2),
        ("01234567", 2),
        ("0123456789abcdef", 2),
        ("0123456789ABCDEF1", 0),
        (twins[0].as_str(), 0),
        ("ffffffff", 5),
        ("fg_secret", 2),
    ] {
        stack.run(&["key", "show", selector]).exits(exit);
    }
    stack.run(&["key", "show"]).exits(2);
    stack.run(&["key", "show", &twins[0], "--key-stdin"]).exits(2);
    stack.run_with(&["key", "show", "--key-stdin"], "").exits(2);
    stack.run_with(&["key", "show", "--key-stdin"], "unknown").exits(5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_names_its_key_while_that_is_the_only_one() {
    let stack = Stack::start().await;
    let (_, one) = create(&stack, &["--consumer", "acme", "--name", "First"]);
    create(&stack, &["--consumer", "other"]);
    let by_consumer = ["key", "show", "--consumer", "acme"];
    let shown = stack.run(&[&by_consumer[..], &["--json"]].concat()).exits(0).json();
    assert_eq!(shown, show(&stack, &one));

    let rotated = stack.run(&["key", "rotate", "--consumer", "acme", "--json"]).exits(0).json();
    assert_eq!((&rotated["old"]["key_hash"], &rotated["item"]["name"]), (&json!(one), &json!("First")));
    // Now there are two, and nobody guesses.
    let two = rotated["item"]["key_hash"].as_str().expect("a hash");
    for arguments in [&by_consumer[..], &["key", "rotate", "--consumer", "acme"]] {
        let run = stack.run(arguments).exits(2);
        let says = |text: &str| run.stderr.contains(text);
        assert!(says("error: acme has 2 keys; ") && says(&one[..12]) && says(&two[..12]), "{run:?}");
    }
    let list = stack.run(&["key", "list", "--consumer", "acme", "--json"]).exits(0).json();
    assert_eq!(list["keys"].as_array().map(Vec::len), Some(2), "a third key: {list}");

    stack.run(&["key", "show", "--consumer", "nobody"]).exits(5);
    stack.run(&["key", "show", &one, "--consumer", "acme"]).exits(2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_finds_the_items_that_are_not_believed() {
    let stack = Stack::start().await;
    create(&stack, &["--consumer", "acme"]);
    let clean = stack.run(&["key", "check"]).exits(0);
    assert_eq!(clean.stdout, "1 key checked; 0 findings\n");
    let hash = |digit: &str| json!({"S": digit.repeat(64)});
    for item in [
        json!({"key_hash": hash("a"), "consumer": {"S": "acme"}, "plan": {"N": "1"}}),
        json!({"key_hash": hash("b"), "consumer": {"S": "acme"}, "enabled": {"S": "true"}}),
        json!({"key_hash": hash("c")}),
        json!({"key_hash": {"S": "not-a-hash"}, "consumer": {"S": "acme"}}),
        json!({"key_hash": hash("d"), "consumer": {"S": "acme"}, "expires_at": {"N": "1.5"}}),
        json!({"key_hash": hash("e"), "consumer": {"S": "acme"}, "routes": {"SS": ["a", "b"]}}),
    ] {
        stack.put("faregate-keys", item).await;
    }
    let found = stack.run(&["key", "check", "--json"]).exits(3).json();
    assert_eq!((&found["checked"], found["findings"].as_array().map(Vec::len)), (&json!(7), Some(5)));
    stack.run(&["key", "check"]).exits(3);
    assert_eq!(show(&stack, &"a".repeat(64))["state"], "invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_attribute_reaches_the_terminal_as_a_control() {
    let stack = Stack::start().await;
    let (_, hash) = create(&stack, &["--consumer", "acme\u{1b}[2J", "--name", "\u{1b}]0;x\u{7}\u{9b}\n\u{202e}"]);
    for arguments in [
        &["key", "list"][..],
        &["key", "list", "--json"],
        &["key", "show", &hash],
        &["key", "show", &hash, "--json"],
        &["key", "disable", &hash],
        &["key", "rotate", &hash],
    ] {
        let run = stack.run(arguments).exits(0);
        let is_bad = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
        assert!(!run.stdout.contains(is_bad) && !run.stderr.contains(is_bad), "{run:?}");
    }
}
