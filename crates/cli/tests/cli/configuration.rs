//! Commands on the Config table.

use serde_json::{Value, json};

use crate::support::{Stack, example};

const ONE: &str = "\
backends:
  - { id: a, targets: [{ url: http://a.internal }] }
routes:
  - { id: one, match: [{ path: /one }], authenticate: anonymous, forward: { backend: a } }
  - { id: two, match: [{ path: /two }], authenticate: api_key, respond: { body: \"2\" } }
";

/// Another status for one route; the other one is gone.
const TWO: &str = "\
routes:
  - { id: two, match: [{ path: /two }], authenticate: api_key, respond: { body: \"2\", status: 201 } }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_applied_serves_and_comes_back_as_it_was() {
    let stack = Stack::start().await;
    let file = example("orders.yaml");
    let nothing = stack.run(&["status", "--json"]).exits(0).json();
    assert_eq!(nothing, json!({"current": null, "versions": [], "publisher": null, "lock": null, "unreadable": []}));
    stack.run(&["diff", &file]).exits(4);

    let applied = stack.run(&["apply", &file, "--json"]).exits(0).json();
    assert_eq!((&applied["version"], &applied["published"]), (&json!(1), &json!(true)));
    assert_eq!(applied["changes"].as_array().map(Vec::len), Some(12));

    let status = stack.run(&["status", "--json"]).exits(0).json();
    assert_eq!(status["current"]["version"], 1);
    assert_eq!((&status["publisher"]["refused"], &status["lock"]), (&json!(false), &json!(null)));
    assert_eq!(stack.run(&["diff", &file]).exits(0).stdout, "no difference\n");

    let exported = stack.path("exported.yaml");
    let exported = exported.to_str().expect("a path");
    stack.run(&["export", exported]).exits(0);
    stack.run(&["export", exported]).exits(2);
    stack.run(&["export", exported, "--force"]).exits(0);
    assert_eq!(stack.run(&["export"]).exits(0).stdout, std::fs::read_to_string(exported).expect("the file"));
    stack.run(&["diff", exported, "--prune"]).exits(0);
    let as_json = stack.path("exported.json");
    let as_json = as_json.to_str().expect("a path");
    let said = stack.run(&["export", as_json, "--json"]).exits(0).json();
    let document: Value = serde_json::from_slice(&std::fs::read(as_json).expect("the file")).expect("JSON");
    assert_eq!(document, stack.run(&["export", "--json"]).exits(0).json());
    let lists = document.as_object().expect("sections").values().filter_map(Value::as_array);
    let settings = usize::from(document.get("settings").is_some());
    assert_eq!(said, json!({"file": as_json, "entries": lists.map(Vec::len).sum::<usize>() + settings}));
    let again = stack.run(&["apply", exported, "--json"]).exits(0).json();
    assert_eq!((&again["version"], &again["published"]), (&json!(1), &json!(false)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_deleted_without_prune() {
    let stack = Stack::start().await;
    let (one, two) = (stack.file("one.yaml", ONE), stack.file("two.yaml", TWO));
    stack.run(&["apply", &one]).exits(0);

    let diff = stack.run(&["diff", &two]).exits(4);
    let expected = "\
~ route/two
    + /respond/status: 201
  route/one stays, though it is not in the file (--prune deletes it)
  backend/a stays, though it is not in the file (--prune deletes it)
";
    assert_eq!(diff.stdout, expected);
    let applied = stack.run(&["apply", &two]).exits(0);
    assert!(applied.stdout.starts_with(expected) && applied.stdout.contains("version 2 is published"), "{applied:?}");
    stack.run(&["diff", &two]).exits(0);

    stack.run(&["diff", &two, "--prune"]).exits(4);
    let pruned = stack.run(&["apply", &two, "--prune"]).exits(0);
    assert!(pruned.stdout.starts_with("- route/one\n- backend/a\n"), "{pruned:?}");
    stack.run(&["diff", &two, "--prune"]).exits(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_is_a_new_version_with_the_old_entries() {
    let stack = Stack::start().await;
    let (one, two) = (stack.file("one.yaml", ONE), stack.file("two.yaml", TWO));
    stack.run(&["apply", &one]).exits(0);
    stack.run(&["apply", &two, "--prune"]).exits(0);
    let back = stack.run(&["rollback", "1", "--json"]).exits(0).json();
    assert_eq!(back["version"], 3);
    stack.run(&["diff", &one, "--prune"]).exits(0);
    assert_eq!(stack.run(&["rollback", "77", "--json"]).exits(5).json()["error"]["code"], "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_is_asked_before_something_is_deleted() {
    let stack = Stack::start().await;
    let (one, two) = (stack.file("one.yaml", ONE), stack.file("two.yaml", TWO));
    stack.run(&["apply", &one]).exits(0);
    let refused = stack.run_at_terminal(&["apply", &two, "--prune"], "n\n").exits(1);
    assert!(refused.stdout.contains("- route/one\r\n- backend/a\r\nDelete 2 entries? [y/N]"), "{refused:?}");
    assert!(refused.stdout.contains("error: not confirmed; nothing was written"), "{refused:?}");
    // Nothing that is deleted, nothing to ask; and nobody is asked who could not answer.
    stack.run_at_terminal(&["apply", &one, "--prune"], "").exits(0);
    let json = stack.run_at_terminal(&["apply", &two, "--prune", "--json"], "").exits(2);
    assert!(json.stdout.contains("2 entries would be deleted, and with --json nothing is asked"), "{json:?}");
    let typed = stack.run_at_terminal(&["apply", "-", "--prune"], &format!("{TWO}\u{4}")).exits(2);
    assert!(typed.stdout.contains("consent with --yes"), "{typed:?}");
    stack.run(&["diff", &one, "--prune"]).exits(0);

    stack.run_at_terminal(&["apply", &two, "--prune"], "y\n").exits(0);
    stack.run(&["apply", &one, "--prune"]).exits(0);
    let refused = stack.run_at_terminal(&["rollback", "2"], "\n").exits(1);
    assert!(refused.stdout.contains("- route/one"), "{refused:?}");
    stack.run_at_terminal(&["rollback", "2"], "y\n").exits(0);
    stack.run(&["diff", &two, "--prune"]).exits(0);
    stack.run_at_terminal(&["rollback", "1"], "").exits(0);
    stack.run_at_terminal(&["rollback", "2", "--yes"], "").exits(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistake_keeps_everything_from_being_written() {
    let stack = Stack::start().await;
    let bad = stack.file("bad.yaml", &ONE.replace("backend: a ", "backend: b "));
    for arguments in [["apply", &bad], ["diff", &bad]] {
        let run = stack.run(&arguments).exits(3);
        assert!(run.stdout.contains("4:86: error[unknown_reference] route/one/forward/backend: "), "{run:?}");
    }
    let torn = stack.file("torn.yaml", &format!("{ONE}routes: []\n"));
    let run = stack.run(&["apply", &torn, "--json"]).exits(3).json();
    assert_eq!(run["diagnostics"][0]["code"], "duplicate");
    assert!(stack.scan("faregate-config").await.contains("\"Count\":0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_of_what_is_neither_done_nor_a_difference_has_an_error() {
    let stack = Stack::start().await;
    let one = stack.file("one.yaml", ONE);
    let bad = stack.file("bad.yaml", &ONE.replace("backend: a ", "backend: b "));
    let torn = stack.file("torn.yaml", &format!("{ONE}routes: []\n"));
    stack.run(&["apply", &one]).exits(0);
    stack.put("faregate-keys", json!({"key_hash": {"S": "no hash"}, "consumer": {"S": "acme"}})).await;
    let hash = "0".repeat(64);
    let mut cases = vec![
        (vec!["validate", &bad], 3, "refused", "diagnostics"),
        (vec!["validate", &torn], 3, "refused", "diagnostics"),
        (vec!["diff", &bad], 3, "refused", "diagnostics"),
        (vec!["diff", &torn], 3, "refused", "diagnostics"),
        (vec!["apply", &bad], 3, "refused", "diagnostics"),
        (vec!["explain", "GET", "/one", "--file", &bad], 3, "refused", "diagnostics"),
        (vec!["explain", "GET", "/none"], 5, "not_found", "outcome"),
        (vec!["key", "check"], 3, "findings", "findings"),
        (vec!["key", "delete", &hash], 5, "not_found", "error"),
        (vec!["rollback", "9"], 5, "not_found", "error"),
    ];
    let check = |(arguments, exit, code, beside): (Vec<&str>, i32, &str, &str)| {
        let answer = stack.run(&[&arguments[..], &["--json"]].concat()).exits(exit).json();
        assert_eq!(answer["error"]["code"], code, "{arguments:?}: {answer}");
        assert!(answer["error"]["message"].is_string() && !answer[beside].is_null(), "{arguments:?}: {answer}");
    };
    cases.drain(..).for_each(check);
    assert!(stack.run(&["validate", &one, "--json"]).exits(0).json().get("error").is_none());

    stack.put("faregate-config", json!({"kind": {"S": "unknown"}, "id": {"S": "a"}})).await;
    check((vec!["export"], 3, "refused", "diagnostics"));
    let refusal = json!({"kind": {"S": "status"}, "id": {"S": "publisher"}, "version": {"N": "1"}, "time": {"N": "1"},
        "refused": {"BOOL": true}, "diagnostics": {"L": []}, "count": {"N": "1"}});
    stack.put("faregate-config", refusal).await;
    check((vec!["status"], 3, "refused", "publisher"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_may_refer_to_what_is_stored() {
    let stack = Stack::start().await;
    stack.run_with(&["apply", "-"], ONE).exits(0);
    let more = "routes: [{ id: three, authenticate: anonymous, forward: { backend: a } }]\n";
    stack.run_with(&["validate", "-"], more).exits(3);
    stack.run_with(&["apply", "-"], more).exits(0);
    stack.run_with(&["apply", "-", "--prune"], more).exits(3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_no_file_could_hold_is_not_lost_by_an_export() {
    let stack = Stack::start().await;
    stack.run_with(&["apply", "-"], ONE).exits(0);
    stack.put("faregate-config", json!({"kind": {"S": "plan\u{1b}"}, "id": {"S": "gold"}})).await;
    let run = stack.run(&["export"]).exits(3);
    assert!(run.stdout.contains("error[unknown_kind] plan\\u{1b}/gold"), "{run:?}");
    // Nor does an apply write beside it.
    stack.run_with(&["apply", "-"], TWO).exits(3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_applies_exclude_each_other() {
    let stack = Stack::start().await;
    let lock = json!({
        "kind": {"S": "lock"}, "id": {"S": "apply"}, "holder": {"S": "somebody"}, "expires_at": {"N": "99999999999999"}
    });
    stack.put("faregate-config", lock).await;
    assert_eq!(stack.run_with(&["apply", "-", "--json"], ONE).exits(1).json()["error"]["code"], "locked");
    let status = stack.run(&["status"]).exits(0);
    assert!(status.stdout.contains("somebody is applying a change"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_cannot_be_read_hides_no_other_status() {
    let stack = Stack::start().await;
    stack.run_with(&["apply", "-"], ONE).exits(0);
    for (kind, id, member, shown) in [
        ("lock", "apply", "lock", "version 1 serves"),
        ("status", "publisher", "publisher", "version 1 serves"),
        ("snapshot", "current", "current", "       1  "),
    ] {
        stack.put("faregate-config", json!({"kind": {"S": kind}, "id": {"S": id}, "version": {"S": "x"}})).await;
        let told = stack.run(&["status"]).exits(0).stdout;
        assert!(told.contains(shown) && told.contains(&format!("an item cannot be read: {kind}/{id}: ")), "{told}");
        let json = stack.run(&["status", "--json"]).exits(0).json();
        let unreadable = json["unreadable"].as_array().expect("a list");
        assert!(json[member].is_null() && unreadable.iter().any(|one| one["member"] == member), "{json}");
        assert_eq!(json["versions"][0]["version"], 1);
    }
    let told = stack.run(&["status"]).exits(0).stdout;
    assert!(!told.contains("nothing is published") && !told.contains("has not looked"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_printed_or_exported() {
    let mut stack = Stack::start().await;
    stack.allow_inline_secrets = true;
    let settings = |secret: &str| {
        format!(
            "settings: {{ edge: {{ secret: {{ values: [{{ inline: 0123456789abcdef0123456789-{secret} }}] }} }} }}\n"
        )
    };
    let first = stack.run_with(&["apply", "-"], &settings("first")).exits(0);
    let second = stack.run_with(&["diff", "-"], &settings("second")).exits(4);
    let json = stack.run_with(&["diff", "-", "--json"], &settings("second")).exits(4);
    let export = stack.run(&["export"]).exits(1);
    for run in [first, second, json, export] {
        assert!(!format!("{run:?}").contains("0123456789-"), "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_does_not_answer_is_an_error_of_one_line() {
    let mut stack = Stack::start().await;
    stack.database.stop().await;
    let run = stack.run(&["status"]).exits(1);
    assert!(run.stderr.starts_with("error: the store is unavailable: ") && run.stderr.lines().count() == 1, "{run:?}");
    assert_eq!(stack.run(&["status", "--json"]).exits(1).json()["error"]["code"], "store");
    stack.database.restart().await.expect("up again");
    stack.run(&["status"]).exits(0);
    stack.run(&["--config-table", "no-such-table", "status"]).exits(1);
}
