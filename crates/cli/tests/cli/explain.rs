//! `faregate explain`.

use faregate_core::api_key::KeyHash;
use faregate_testing::issuer::SigningKey;
use serde_json::{Value, json};

use crate::support::{Stack, example, offline};

fn explain(arguments: &[&str], exit: i32) -> Value {
    let file = example("orders.yaml");
    let mut all = vec!["explain"];
    all.extend(arguments);
    all.extend(["--file", &file, "--json"]);
    offline(&all, "").exits(exit).json()
}

#[test]
fn the_winner_is_shown_with_what_it_does() {
    let found = explain(&["GET", "https://API.example.com/orders/a%2fb?x=1"], 0);
    assert_eq!(found["outcome"], "route");
    let route = &found["route"];
    assert_eq!(route["id"], "orders");
    assert_eq!(route["captures"], json!({"id": "a%2Fb"}));
    assert_eq!(route["authenticate"]["credentials"][0]["header"], "x-api-key");
    assert_eq!(route["authenticate"]["anonymous"], false);
    let backends = &route["action"]["forward"]["backends"];
    assert_eq!(backends[0]["weight"], 95);
    assert_eq!(backends[0]["targets"][1]["url"], "https://orders-b.example.internal/api/orders/a%2Fb?x=1");
    assert_eq!(backends[1]["targets"][0]["host"], "orders-next.example.internal");
}

#[test]
fn the_nearest_loser_comes_first_with_what_it_asks_for() {
    let found = explain(&["GET", "https://api.example.com/orders/7", "-H", "X-Version: 2"], 0);
    let nearest = json!({
        "route": "orders-trial", "entry": 0, "missed": "header", "asks": {"name": "x-version", "exact": "next"}
    });
    assert_eq!(found["others"][0], nearest);
    let trial = explain(&["GET", "https://api.example.com/orders/7", "-H", "x-version: next"], 0);
    assert_eq!(trial["route"]["id"], "orders-trial");
    assert_eq!(trial["route"]["action"]["forward"]["path"], "/v2/orders/7");
    assert_eq!(trial["others"][0]["missed"], "rank");
}

#[test]
fn refusals_have_the_codes_of_problems() {
    let wrong_method = explain(&["PATCH", "https://api.example.com/orders/7"], 5);
    assert_eq!(wrong_method["outcome"], "method_not_allowed");
    assert_eq!(wrong_method["allow"], json!(["DELETE", "GET", "PUT"]));
    assert_eq!(wrong_method["others"][0]["asks"], json!(["GET", "PUT", "DELETE"]));
    assert_eq!(explain(&["GET", "https://nobody.example.com/orders/7"], 5)["outcome"], "route_not_found");
    assert_eq!(explain(&["GET", "https://api.example.com/a/%2e%2e/../b"], 5)["outcome"], "request_invalid");
    assert_eq!(explain(&["TRACE", "https://api.example.com/"], 5)["outcome"], "request_invalid");
}

#[test]
fn limits_are_told_as_they_are_written() {
    let limits = "[plan, { id: own, limit: 60, per: minute, by: ip }]";
    let text = format!(
        "plans: [{{ id: gold, limits: [{{ id: daily, limit: 5, per: day }}] }}]\nroutes: [{{ id: r, match: [{{ path: /r }}], \
         authenticate: api_key, limits: {limits}, respond: {{}} }}, {{ id: s, match: [{{ path: /s }}], authenticate: anonymous, respond: {{}} }}]\n"
    );
    let found = offline(&["explain", "GET", "/r", "--file", "-", "--json"], &text).exits(0).json();
    assert_eq!(found["route"]["limits"], json!(["plan", {"id": "own", "limit": 60, "per": "minute", "by": "ip"}]));
    let said = offline(&["explain", "GET", "/r", "--file", "-"], &text).exits(0).stdout;
    assert!(said.contains("limits:       [\"plan\",{"), "{said}");
    let said = offline(&["explain", "GET", "/s", "--file", "-"], &text).exits(0).stdout;
    assert!(said.contains("limits:       those of the caller's plan"), "{said}");
}

#[test]
fn a_preflight_is_matched_by_the_method_that_it_asks_for() {
    let origin = ["-H", "origin: https://shop.example.com", "-H", "access-control-request-method: PUT"];
    let mut arguments = vec!["OPTIONS", "https://api.example.com/orders/7"];
    arguments.extend(origin);
    let found = explain(&arguments, 0);
    assert_eq!((&found["outcome"], &found["route"]["id"]), (&json!("preflight"), &json!("orders")));
    assert_eq!(found["preflight"]["access-control-allow-origin"], "https://shop.example.com");
    // Reports have no CORS: this is an ordinary OPTIONS.
    arguments[1] = "https://api.example.com/reports/1";
    assert_eq!(explain(&arguments, 5)["outcome"], "method_not_allowed");
}

#[test]
fn redirects_answers_and_access_lists_are_told() {
    let moved = explain(&["GET", "http://shop.example.org/a?b=c"], 0);
    let redirect = json!({"redirect": {"status": 308, "location": "https://shop.example.com/a?b=c"}});
    assert_eq!(moved["route"]["action"], redirect);
    assert_eq!(explain(&["GET", "/health"], 0)["route"]["action"], json!({"respond": {"status": 200}}));
    let drafts = "https://api.example.com/reports/drafts/1?preview";
    for (arguments, verdict) in [
        (&["GET", drafts][..], "depends_on_address"),
        (&["GET", drafts, "--address", "203.0.113.7"], "allowed"),
        (&["GET", drafts, "--address", "203.0.113.66"], "access_denied"),
    ] {
        assert_eq!(explain(arguments, 0)["route"]["access"]["verdict"], verdict);
    }
}

#[test]
fn ten_losers_are_shown_unless_all_are_asked_for() {
    let route = |number: usize| {
        format!("- {{ id: r{number:02}, match: [{{ path: /r{number} }}], authenticate: anonymous, respond: {{}} }}\n")
    };
    let text = "routes:\n".to_owned() + &(0..20).map(route).collect::<String>();
    let shown = |arguments: &[&str]| offline(arguments, &text).exits(0).json();
    let some = shown(&["explain", "GET", "/r7", "--file", "-", "--json"]);
    assert_eq!((some["others"].as_array().map(Vec::len), &some["others_total"]), (Some(10), &json!(19)));
    let all = shown(&["explain", "GET", "/r7", "--file", "-", "--json", "--all"]);
    assert_eq!(all["others"].as_array().map(Vec::len), Some(19));
}

#[test]
fn a_file_with_mistakes_explains_nothing() {
    let run = offline(&["explain", "GET", "/", "--file", "-"], "routes: [{ id: a }]\n").exits(3);
    assert!(run.stderr.starts_with("error: standard input has errors; "), "{run:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_that_serves_is_asked_and_a_key_is_judged() {
    let stack = Stack::start().await;
    stack.run(&["explain", "GET", "/demo/a"]).exits(5);
    stack.run(&["apply", &example("demo.yaml")]).exits(0);
    let found = stack.run(&["explain", "GET", "/demo/a", "--json"]).exits(0).json();
    assert_eq!((&found["version"], &found["route"]["id"]), (&json!(1), &json!("demo-hello")));

    let judge = |key: &str| {
        let run = stack.run_with(&["explain", "GET", "/demo/a", "--key-stdin", "--json"], key).exits(0);
        assert!(!run.stdout.contains(key), "the key is printed: {run:?}");
        run.json()["key"]["verdict"].as_str().expect("a verdict").to_owned()
    };
    let create = |arguments: &[&str]| {
        let mut all = vec!["key", "create", "--consumer", "acme"];
        all.extend(arguments);
        stack.run(&all).exits(0).stdout.trim_end().to_owned()
    };
    let good = create(&[]);
    assert_eq!(judge(&good), "good");
    assert_eq!(judge(&create(&["--disabled"])), "disabled");
    assert_eq!(judge(&create(&["--routes", "demo-hello,other"])), "good");
    assert_eq!(judge(&create(&["--routes", "other"])), "not_for_this_route");
    assert_eq!(judge(&create(&["--no-routes"])), "not_for_this_route");
    assert_eq!(judge("never-created"), "unknown");
    let swapped = if good.ends_with('0') { '1' } else { '0' };
    assert_eq!(judge(&format!("{}{swapped}", &good[..good.len() - 1])), "mistyped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keys_rules_and_plan_are_told_and_whether_the_route_takes_it() {
    let stack = Stack::start().await;
    let route = |id: &str, authenticate: &str, more: Value| {
        let mut route =
            json!({"id": id, "match": [{"path": format!("/{id}")}], "respond": {}, "authenticate": authenticate});
        route.as_object_mut().expect("a route").extend(more.as_object().expect("fields").clone());
        route
    };
    let authorize = json!({"authorize": {
        "scopes": {"all": ["read"]}, "groups": {"allow": ["staff"]}, "consumers": {"deny": ["mallory"]},
    }});
    let file = json!({
        "plans": [{"id": "gold", "limits": [{"id": "burst", "limit": 5, "per": "second"}]}],
        "routes": [
            route("ruled", "api_key", authorize),
            route("planned", "api_key", json!({"limits": ["plan"]})),
            route("open", "anonymous", json!({})),
        ],
    });
    let file = stack.file("keys.yaml", &file.to_string());
    let put = async |key: &str, more: Value| {
        let mut item = json!({"key_hash": {"S": KeyHash::of(key.as_bytes()).as_str()}, "consumer": {"S": "acme"}});
        item.as_object_mut().expect("an item").extend(more.as_object().expect("attributes").clone());
        stack.put("faregate-keys", item).await;
    };
    put("scoped", json!({"scopes": {"L": [{"S": "read"}]}})).await;
    put("gold", json!({"plan": {"S": "gold"}, "groups": {"L": [{"S": "staff"}]}})).await;
    put("lost", json!({"plan": {"S": "gone"}})).await;
    let run = |key: &str, path: &str, more: &[&str]| {
        let mut arguments = vec!["explain", "GET", path, "--file", &file, "--key-stdin"];
        arguments.extend(more);
        stack.run_with(&arguments, key).exits(0)
    };
    let explain = |key: &str, path: &str| run(key, path, &["--json"]).json()["key"].clone();
    for (key, holds) in [("scoped", [true, false, true]), ("gold", [true, true, false])] {
        let rules = ["consumer none of mallory", "groups one of staff", "scopes all of read"];
        let rules: Vec<_> =
            rules.iter().zip(holds).map(|(rule, holds)| json!({"rule": rule, "holds": holds})).collect();
        assert_eq!(explain(key, "/ruled")["rules"], json!(rules), "{key}");
    }
    for (key, path, verdict, cause) in [
        ("gold", "/planned", "good", Value::Null),
        ("scoped", "/planned", "no_plan", json!("a plan is required here, and there is no default")),
        ("lost", "/planned", "no_plan", json!("there is no plan gone")),
        ("lost", "/ruled", "no_plan", json!("there is no plan gone")),
        ("gold", "/open", "not_taken", Value::Null),
    ] {
        let found = explain(key, path);
        assert_eq!((&found["verdict"], &found["cause"]), (&json!(verdict), &cause), "{key} {path}");
    }
    for (key, path, said) in [
        ("lost", "/planned", "of acme: there is no plan gone"),
        ("gold", "/open", "key:          not looked at: the route takes no API key"),
        ("gold", "/ruled", "  scopes all of read: 403 permission_denied"),
    ] {
        let text = run(key, path, &[]).stdout;
        assert!(text.contains(said), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_verified_and_every_rule_is_told() {
    let stack = Stack::start().await;
    let key = SigningKey::es256("k").expect("a key");
    let file = stack.file(
        "tokens.yaml",
        &json!({
            "issuers": [
                {"id": "main", "issuer": "https://main.example", "audiences": ["a"], "jwks": {"inline": key.jwks()}, "plan_claim": "plan"},
                {"id": "down", "issuer": "http://127.0.0.1:1", "audiences": ["a"], "jwks": "discover"},
            ],
            "routes": [{
                "id": "r", "match": [{"path": "/r"}], "respond": {},
                "authenticate": {"jwt": {"issuers": ["main", "down"]}},
                "authorize": {"scopes": {"all": ["read"]}, "claims": [{"name": "tenant", "equals": "acme"}]},
            }],
        })
        .to_string(),
    );
    let explain = |token: &str| {
        let found =
            stack.run_with(&["explain", "GET", "/r", "--file", &file, "--token-stdin", "--json"], token).exits(0);
        found.json()["tokens"][0].clone()
    };
    let exp = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs() + 600;
    let mut claims = json!({"iss": "https://main.example", "aud": "a", "sub": "alice", "exp": exp, "scope": "read"});
    let good = explain(&key.token(&claims).expect("a token"));
    assert_eq!(
        (&good["verdict"], &good["consumer"], &good["scopes"]),
        (&json!("good"), &json!("main:alice"), &json!(["read"]))
    );
    let rules = json!([{"rule": "scopes all of read", "holds": true}, {"rule": "claim tenant equals", "holds": false}]);
    assert_eq!(good["rules"], rules);
    // As long as providers make them, and longer than any may be.
    for (bytes, verdict, cause) in
        [(4000, "good", Value::Null), (20_000, "invalid", json!("a token of impossible length"))]
    {
        let mut claims = claims.clone();
        claims["roles"] = json!("x".repeat(bytes));
        let long = explain(&key.token(&claims).expect("a token"));
        assert_eq!((&long["verdict"], &long["cause"]), (&json!(verdict), &cause), "{bytes}");
    }
    claims["plan"] = json!("gone");
    let planless = explain(&key.token(&claims).expect("a token"));
    assert_eq!(
        (&planless["verdict"], &planless["cause"], &planless["consumer"], &planless["rules"]),
        (&json!("no_plan"), &json!("there is no plan gone"), &json!("main:alice"), &rules)
    );
    claims["aud"] = json!("b");
    let other = explain(&key.token(&claims).expect("a token"));
    assert_eq!(
        (&other["verdict"], &other["cause"]),
        (&json!("invalid"), &json!("an audience that is somebody else, or none"))
    );
    claims["iss"] = json!("http://127.0.0.1:1");
    let down = explain(&key.token(&claims).expect("a token"));
    assert_eq!(down["verdict"], "unavailable");
    let cause = down["cause"].as_str().expect("a cause");
    assert!(cause.contains("keys of issuer down") && cause.contains(".well-known/openid-configuration"), "{cause}");
    let text = stack.run_with(&["explain", "GET", "/r", "--file", &file, "--token-stdin"], "made-up").exits(0).stdout;
    assert!(text.contains("token:        401 credentials_invalid: "), "{text}");
}
