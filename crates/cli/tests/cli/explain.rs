//! `faregate explain`.

use faregate_core::api_key::KeyHash;
use faregate_testing::issuer::SigningKey;
use serde_json::{Value, json};

use crate::support::{Stack, command, example, offline, run};

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

/// What the configuration in `text` makes of a request.
fn explain_text(text: &str, arguments: &[&str], exit: i32) -> Value {
    let all = [&["explain"], arguments, &["--file", "-", "--json"]].concat();
    let run = run(command().env("FAREGATE_ALLOW_INLINE_SECRETS", "1"), &all, text).exits(exit);
    assert!(!run.stdout.contains(EDGE_SECRET) && !run.stderr.contains(EDGE_SECRET), "{run:?}");
    run.json()
}

const EDGE_SECRET: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn the_edges_secret_is_judged_and_its_headers_say_host_and_address() {
    let document = |secrets: &str| {
        format!(
            "settings: {{ edge: {{ secret: {{ values: [{secrets}] }} }} }}\n\
             routes: [{{ id: r, hosts: [api.example.com], access: {{ allow: [203.0.113.0/24] }}, authenticate: anonymous, \
             redirect: {{ port: 443 }} }}]\n"
        )
    };
    let inline = format!("{{ inline: {EDGE_SECRET} }}");
    let (right, wrong) = (format!("x-faregate-edge: {EDGE_SECRET}"), format!("x-faregate-edge: {}", "x".repeat(32)));
    let said = ["-H", "x-faregate-host: API.example.com:443", "-H", "x-faregate-client-address: 203.0.113.9"];
    let (ssm, missing) = ("{ ssm: /faregate/edge }", "the edge's host header is missing or malformed");
    let both = format!("{inline}, {ssm}");
    let short = "a secret that counts has 32 bytes";
    for (secrets, headers, verdict, present, cause) in [
        (inline.as_str(), &[&["-H", &right][..], &said].concat()[..], "passed", true, Value::Null),
        (&inline, &[&["-H", &wrong][..], &said].concat(), "access_denied", true, json!("wrong edge secret")),
        (&inline, &said, "access_denied", false, json!("no edge secret")),
        (&inline, &["-H", &right], "access_denied", true, json!("the edge's address header is missing or malformed")),
        (ssm, &said, "access_denied", false, json!("no edge secret")),
        (ssm, &["-H", &right, "-H", &right], "access_denied", false, json!("no edge secret")),
        (ssm, &[&["-H", &wrong][..], &said].concat(), "depends_on_secret", true, Value::Null),
        (ssm, &[&["-H", &wrong][..], &said[2..]].concat(), "access_denied", true, json!(missing)),
        (ssm, &["-H", "x-faregate-edge: short"], "access_denied", true, json!(short)),
        (&both, &[&["-H", &wrong][..], &said].concat(), "depends_on_secret", true, Value::Null),
        (&both, &[&["-H", &right][..], &said].concat(), "passed", true, Value::Null),
    ] {
        let text = document(secrets);
        let asked = ["GET", "https://abc.lambda-url.eu-central-1.on.aws/", "--address", "198.51.100.1"];
        let is_denied = verdict == "access_denied";
        // The host of a request that was refused is its own, which no route has.
        let found = explain_text(&text, &[&asked[..], headers].concat(), if is_denied { 5 } else { 0 });
        let edge = &found["edge"];
        assert_eq!(
            (&edge["verdict"], &edge["header"], &edge["present"], &edge["cause"]),
            (&json!(verdict), &json!("x-faregate-edge"), &json!(present), &cause),
            "{secrets} {headers:?}"
        );
        if is_denied {
            assert_eq!(found["outcome"], "route_not_found");
            continue;
        }
        assert_eq!(found["request"]["host"], "api.example.com");
        assert_eq!(found["route"]["access"]["verdict"], "allowed", "{found}");
        assert_eq!(found["route"]["action"]["redirect"]["location"], "https://api.example.com/");
    }
    // What a request would come to that passes is told beside the refusal.
    let api = ["explain", "GET", "https://api.example.com/", "--file", "-"];
    let text = offline(&api, &document(ssm)).exits(0).stdout;
    assert!(
        text.contains("\nroute r\nedge:         403 access_denied: no edge secret (header x-faregate-edge is absent)"),
        "{text}"
    );
    assert_eq!(
        explain_text("routes: [{ id: r, authenticate: anonymous, respond: {} }]", &["GET", "/"], 0)["edge"],
        json!(null)
    );
}

#[test]
fn a_credential_that_is_needed_and_not_there_is_a_401() {
    let issuer = "issuers: [{ id: main, issuer: 'https://main.example', audiences: [a], jwks: discover }]\n";
    let either = "{ any_of: [api_key, { jwt: { issuers: [main] } }, anonymous] }";
    let both = "{ all_of: [{ jwt: { issuers: [main] } }, { api_key: { query: key } }] }";
    let asked = "{ forward_auth: { id: sso, url: 'https://sso.example.com', consumer_header: x-user } }";
    let (key, token) = ("x-api-key: a", "authorization: Bearer e30.e30.AAAA");
    for (authenticate, url, headers, verdict) in [
        ("api_key", "/", &[][..], "credentials_missing"),
        ("api_key", "/", &[key], "depends_on_credentials"),
        ("api_key", "/", &[token], "credentials_missing"),
        // Whatever the client nominates away is not there.
        ("api_key", "/", &[key, "connection: x-api-key"], "credentials_missing"),
        (either, "/", &[], "anonymous"),
        (either, "/", &[key], "depends_on_credentials"),
        (both, "/", &[key], "credentials_missing"),
        (both, "/?key=a", &[], "credentials_missing"),
        (both, "/?k%65y=a", &[token], "depends_on_credentials"),
        (asked, "/", &[], "depends_on_credentials"),
        ("iam", "/", &[token], "credentials_missing"),
        ("iam", "/", &["authorization: AWS4-HMAC-SHA256 Credential=a"], "depends_on_credentials"),
        ("anonymous", "/", &[], "anonymous"),
    ] {
        let text = format!("{issuer}routes: [{{ id: r, authenticate: {authenticate}, respond: {{}} }}]\n");
        let headers: Vec<&str> = headers.iter().flat_map(|header| ["-H", *header]).collect();
        // That a route refuses what belongs to it is no error of the explanation.
        let found = explain_text(&text, &[&["GET", url], &headers[..]].concat(), 0);
        assert_eq!(found["outcome"], "route");
        assert_eq!(found["route"]["authenticate"]["verdict"], verdict, "{authenticate} {url} {headers:?}");
    }
    let text = "routes: [{ id: r, authenticate: api_key, respond: {} }]\n";
    let said = offline(&["explain", "GET", "/", "--file", "-"], text).exits(0).stdout;
    let expected = "\nauthenticate: 401 credentials_missing: api_key in header x-api-key (not present)\n";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn what_has_passed_here_too_often_is_a_508() {
    let text = "backends: [{ id: a, targets: [{ url: 'https://a.example' }] }]\n\
                routes: [{ id: to-a, match: [{ path: /a }], access: { deny: [203.0.113.66] }, authenticate: anonymous, \
                forward: { backend: a } }, { id: here, match: [{ path: /b }], authenticate: anonymous, respond: {} }]\n";
    let (four, five) = ("via: 1.1 faregate, 1.1 proxy, 1.1 faregate", "via: 1.1 faregate, 1.0 faregate");
    for (path, more, verdict, cause) in [
        ("/a", &["--address", "192.0.2.1"][..], "loop_detected", json!("5 times in via")),
        ("/a", &[], "loop_detected", json!("5 times in via")),
        ("/a", &["--address", "203.0.113.66"], "access_denied", json!("access list refuses 203.0.113.66")),
        ("/b", &[], "allowed", json!(null)),
    ] {
        let vias = ["-H", four, "-H", five, "-H", "via: 2 faregate"];
        let found = explain_text(text, &[&["GET", path], &vias[..], more].concat(), 0);
        let access = &found["route"]["access"];
        assert_eq!((&access["verdict"], &access["cause"]), (&json!(verdict), &cause), "{path} {more:?}");
        let found = explain_text(text, &[&["GET", path], &vias[..4], more].concat(), 0);
        assert_ne!(found["route"]["access"]["verdict"], "loop_detected", "four passes: {path} {more:?}");
    }
}

#[test]
fn a_path_and_headers_over_their_bounds_are_a_431() {
    let text = "routes: [{ id: r, authenticate: anonymous, respond: {} }]\n";
    let (path, header) = (format!("/{}", "a".repeat(8191)), format!("x-a: {}", "a".repeat(32_700)));
    assert_eq!(explain_text(text, &["GET", &path, "-H", &header], 0)["outcome"], "route");
    let longer = format!("{path}a");
    for (arguments, cause) in [
        (&["GET", &longer][..], "more than 8192 bytes of the path"),
        (
            &["GET", "/", "-H", &header, "-H", &format!("x-b: {}", "b".repeat(60))],
            "more than 32768 bytes of the headers",
        ),
    ] {
        let found = explain_text(text, arguments, 5);
        assert_eq!((&found["outcome"], &found["cause"]), (&json!("request_headers_too_large"), &json!(cause)));
        assert_eq!(found["error"]["code"], "not_found");
    }
    let said = offline(&["explain", "GET", &longer, "--file", "-"], text).exits(5).stdout;
    assert!(said.contains("\n431 request_headers_too_large: more than 8192 bytes of the path\n"), "{said}");
}

#[test]
fn an_origin_has_a_verdict_on_every_request() {
    let url = ["GET", "https://api.example.com/orders/7"];
    let origin =
        |origin: &str| explain(&[&url[..], &["-H", &format!("origin: {origin}")]].concat(), 0)["route"].clone();
    let shop = origin("https://shop.example.com");
    let headers = json!({
        "access-control-allow-origin": "https://shop.example.com",
        "access-control-expose-headers": "x-request-id",
        "vary": "origin",
    });
    assert_eq!(shop["origin"], json!({"verdict": "allowed", "headers": headers}));
    assert_eq!(shop["cors"]["max_age_seconds"], 600);
    for other in ["https://evil.example.com", "null"] {
        assert_eq!(
            origin(other)["origin"],
            json!({"verdict": "not_allowed", "headers": {"vary": "origin"}}),
            "{other}"
        );
    }
    assert_eq!(explain(&url, 0)["route"]["origin"], json!(null));
    let file = example("orders.yaml");
    for (origin, says) in
        [("https://shop.example.com", "the origin is allowed; {"), ("null", "the origin is not allowed; {")]
    {
        let said = offline(&["explain", url[0], url[1], "-H", &format!("origin: {origin}"), "--file", &file], "")
            .exits(0)
            .stdout;
        assert!(said.contains(&format!("\ncors:         {says}")), "{said}");
    }
}

#[test]
fn a_query_is_encoded_as_backends_get_it() {
    let text = "backends: [{ id: a, targets: [{ url: 'https://a.example' }] }]\n\
                routes: [{ id: r, match: [{ path: /r, query: [{ name: q, exact: '<é>' }] }], authenticate: anonymous, \
                forward: { backend: a } }]\n";
    let found = explain_text(text, &["GET", "/r?q=<é>&r=\"%22'"], 0);
    assert_eq!(found["request"]["query"], "q=%3C%C3%A9%3E&r=%22%22'");
    let url = &found["route"]["action"]["forward"]["backends"][0]["targets"][0]["url"];
    assert_eq!(url, "https://a.example/r?q=%3C%C3%A9%3E&r=%22%22'");
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
    // What is read from standard input is there.
    let text = stack.run_with(&["explain", "GET", "/demo/a", "--key-stdin"], &good).exits(0).stdout;
    assert!(text.contains("authenticate: api_key in header x-api-key (on standard input)"), "{text}");
    let without = stack.run(&["explain", "GET", "/demo/a", "--json"]).exits(0).json();
    assert_eq!(without["route"]["authenticate"]["verdict"], "credentials_missing");
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
