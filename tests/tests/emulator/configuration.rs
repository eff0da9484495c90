use std::{fmt::Write, time::Duration};

use faregate_tests::again;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::dev::Dev;

/// The demo's `refresh_seconds` is 2; a change serves within it and 5 s.
const CHANGE_SERVES_WITHIN: Duration = Duration::from_secs(7);

fn route(body: &str) -> Value {
    json!({
        "kind": {"S": "route"}, "id": {"S": "edited"},
        "match": {"L": [{"M": {"path": {"S": "/demo/edited"}}}]},
        "authenticate": {"S": "anonymous"},
        "respond": {"M": {"body": {"S": body}, "status": {"N": "203"}}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_item_serves_and_a_bad_one_changes_nothing() {
    let dev = Dev::start().await;
    for body in ["one", "two"] {
        let put = Instant::now();
        dev.put_item("faregate-config", &route(body)).await;
        dev.call_until("/demo/edited", None, |answer| answer.text() == body).await;
        assert!(put.elapsed() <= CHANGE_SERVES_WITHIN, "{:?}", put.elapsed());
    }
    let mut bad = route("three");
    bad["respond"]["M"]["status"] = json!({"S": "many"});
    dev.put_item("faregate-config", &bad).await;
    let refused = async {
        let mut again = again();
        loop {
            again.tick().await;
            let (code, status) = dev.faregate(&["status"]).await;
            assert!(code == 0 || code == 3, "{code}: {status}");
            if status.to_string().contains("/respond/status") {
                return status;
            }
        }
    };
    let status = tokio::time::timeout(super::dev::PATIENCE, refused).await.expect("a refusal");
    assert!(status.to_string().contains("wrong_type"), "{status}");
    assert_eq!(dev.call("GET", "/demo/edited", None).await.text(), "two");

    dev.put_item("faregate-config", &route("four")).await;
    dev.call_until("/demo/edited", None, |answer| answer.text() == "four").await;
    beside_an_apply(&dev).await;
}

/// What is put while an apply holds the lock serves soon after that, and the terminal says what is waited for.
async fn beside_an_apply(dev: &Dev) {
    const HELD: Duration = Duration::from_secs(5);
    let put = Instant::now();
    let ends = std::time::UNIX_EPOCH.elapsed().expect("a clock") + HELD;
    let ends = ends.as_millis().to_string();
    let lock =
        json!({"kind": {"S": "lock"}, "id": {"S": "apply"}, "holder": {"S": "somebody"}, "expires_at": {"N": ends}});
    dev.put_item("faregate-config", &lock).await;
    dev.put_item("faregate-config", &route("five")).await;
    dev.call_until("/demo/edited", None, |answer| answer.text() == "five").await;
    let took = put.elapsed();
    assert!(HELD <= took && took <= HELD + CHANGE_SERVES_WITHIN, "{took:?}");
    let printed = dev.printed_later();
    assert!(printed.contains("the publisher is waiting for an apply, which holds the lock until "), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_into_a_data_folder_serves_after_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut dev = Dev::start_in(&data).await;
    dev.put_item("faregate-config", &route("kept")).await;
    dev.call_until("/demo/edited", None, |answer| answer.text() == "kept").await;
    let key = dev.key.clone();
    dev.interrupt().await;

    let dev = Dev::start_in(&data).await;
    let answer = dev.call("GET", "/demo/edited", None).await;
    assert_eq!((answer.status.as_u16(), &*answer.text()), (203, "kept"));
    // Each start makes a key; those of earlier ones stay.
    assert_ne!(dev.key, key);
    for key in [&key, &dev.key] {
        let answer = dev.call("GET", "/demo/hello", Some(key)).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    }
    // As do the versions.
    let (code, status) = dev.faregate(&["status"]).await;
    assert_eq!(code, 0, "{status}");
    assert!(status["current"]["version"].as_u64().is_some_and(|version| version > 1), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_routes_are_applied_and_serve() {
    let dev = Dev::start().await;
    let mut file = String::from("settings: { refresh_seconds: 2 }\nroutes:\n");
    for number in 0..5000 {
        let (left, right) = (number * 2_654_435_761_u64, number * 40_503);
        writeln!(
            file,
            "  - {{ id: r{number}, description: '{left:x} {right:x}', match: [{{ path: /demo/{number}/{left:x} }}], \
             authenticate: anonymous, respond: {{ body: '{number}' }} }}"
        )
        .expect("written");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("many.yaml");
    std::fs::write(&path, file).expect("written");
    let path = path.display().to_string();
    let (code, applied) = dev.faregate(&["apply", &path, "--prune", "--yes"]).await;
    assert_eq!(code, 0, "{applied}");
    for number in [0, 2500, 4999_u64] {
        let path = format!("/demo/{number}/{:x}", number * 2_654_435_761);
        dev.call_until(&path, None, |answer| answer.text() == number.to_string()).await;
    }
    let (code, difference) = dev.faregate(&["diff", &path]).await;
    assert_eq!(code, 0, "{difference}");
}
