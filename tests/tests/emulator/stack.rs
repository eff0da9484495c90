use faregate_core::api_key::KeyHash;
use faregate_tests::again;
use serde_json::{Value, json};

use super::{
    dev::{Dev, PATIENCE},
    shell::{commands, paste},
};

const README: &str = include_str!("../../../README.md");

/// What `curl -i` shows.
#[derive(Debug)]
struct Shown {
    status: u16,
    head: String,
    body: String,
}

impl Shown {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a command as it is printed, but without curl's progress.
async fn curl(command: &str) -> Shown {
    assert!(command.starts_with("curl "), "{command}");
    let answer = paste(&command.replacen("curl ", "curl -sS ", 1)).await;
    assert!(answer.success, "{command}: {}", answer.stderr);
    let (head, body) = answer.stdout.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Shown { status: status.expect("a status"), head: head.to_owned(), body: body.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_commands_do_what_they_say() {
    let dev = Dev::start().await;
    let printed = commands(&dev.printed);
    let [hello, events, token, bad_token, limited, unknown_key, no_route, wrong_method, put_item, tea, faregate] =
        &printed[..]
    else {
        panic!("other commands than expected: {printed:#?}")
    };
    goes_through(&dev, hello).await;
    let events = paste(events).await.stdout;
    assert!(events.matches("data:").count() >= 10, "{events}");

    let answer = curl(token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let headers = &answer.json()["headers"];
    assert_eq!(
        (&headers["x-faregate-consumer"], &headers["x-user-name"], &headers["x-faregate-scopes"]),
        (&json!("demo:demo"), &json!("Ada"), &json!("demo.read"))
    );
    assert!(headers.get("authorization").is_none());

    // A minute may end meanwhile, but not two.
    let statuses = format!("{}{}", paste(limited).await.stdout, paste(limited).await.stdout);
    let statuses: Vec<&str> = statuses.lines().collect();
    let passed = statuses.iter().filter(|status| **status == "200").count();
    assert!(statuses.len() == 24 && statuses.contains(&"429") && passed >= 10, "{statuses:?}");

    for (command, status, code) in [
        (bad_token, 401, "credentials_invalid"),
        (unknown_key, 401, "credentials_invalid"),
        (no_route, 404, "route_not_found"),
        (wrong_method, 405, "method_not_allowed"),
    ] {
        let answer = curl(command).await;
        assert_eq!(answer.status, status, "{command}");
        assert!(answer.head.contains("\r\ncontent-type: application/problem+json"), "{answer:?}");
        assert_eq!(answer.json()["code"], code);
    }
    let status = paste(faregate).await;
    assert!(status.success && status.stdout.starts_with("version 1 serves\n"), "{status:?}");

    let put = paste(put_item).await;
    assert!(put.success, "{put:?}");
    serves(tea, |answer| answer.status == 418).await;
    of_the_readme(&dev).await;
}

/// The first request: the backend gets the caller's identity, and no secret.
async fn goes_through(dev: &Dev, hello: &str) {
    let answer = curl(hello).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = answer.json();
    assert_eq!((&seen["method"], &seen["path"]), (&json!("GET"), &json!("/hello")));
    let headers = &seen["headers"];
    let credential = format!("key:{}", &KeyHash::of(dev.key.as_bytes()).as_str()[..12]);
    assert_eq!(
        (&headers["x-faregate-consumer"], &headers["x-faregate-credential"]),
        (&json!("demo"), &json!(credential))
    );
    for name in ["x-request-id", "traceparent", "via"] {
        assert!(headers[name].is_string(), "{name} in {headers}");
    }
    assert!(!headers.to_string().contains(&dev.key));
}

/// The README's items: a route, and a key whose hash the shell makes.
async fn of_the_readme(dev: &Dev) {
    let snippets = README.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("an end"));
    let is_version_1 = |snippet: &&str| snippet.contains("aws dynamodb put-item --table-name faregate-");
    let [route, key] = snippets.filter(is_version_1).collect::<Vec<_>>()[..] else { panic!("other items") };
    let environment = format!(
        "export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=eu-central-1\n\
         export AWS_ENDPOINT_URL_DYNAMODB=http://{}\n",
        dev.dynamodb
    );
    let put = paste(&format!("{environment}{route}")).await;
    assert!(put.success, "{put:?}");
    let put = paste(&format!("{environment}{key}printf %s \"$KEY\"")).await;
    assert!(put.success, "{put:?}");
    let secret = put.stdout.lines().last().expect("a key");
    let answer = curl(&format!("curl -i http://{}/demo/hello -H 'x-api-key: {secret}'", dev.gateway)).await;
    assert_eq!((answer.status, &answer.json()["headers"]["x-faregate-consumer"]), (200, &json!("acme")), "{answer:?}");
    serves(&format!("curl -i http://{}/health", dev.gateway), |answer| answer.body == "ok").await;
}

/// Sends a request again until it is answered so.
async fn serves(command: &str, wanted: impl Fn(&Shown) -> bool) {
    let asking = async {
        let mut again = again();
        while !wanted(&curl(command).await) {
            again.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{command} was never answered so"));
}
