mod any_json;

use serde_json::{Value, json};

use super::{CheckOptions, check, entries_of_file};
use crate::{diagnostic::Report, document::Kind};

/// Pointer and code of every finding, with kind and id in front of the pointer.
fn findings(file: &Value) -> Vec<(String, String)> {
    let mut report = Report::default();
    let entries: Vec<_> = entries_of_file(file, &mut report).into_iter().map(|(_, entry)| entry).collect();
    let checked = check(&entries, CheckOptions::default(), report);
    let place = |found: &crate::diagnostic::Diagnostic| format!("{}/{}{}", found.kind, found.id, found.pointer);
    checked.diagnostics.iter().map(|found| (place(found), found.code.clone())).collect()
}

fn file() -> Value {
    json!({
        "settings": {"refresh_seconds": 5},
        "backends": [{"id": "orders", "targets": [{"url": "https://orders.example.com/base"}]}],
        "routes": [{
            "id": "orders",
            "match": [{"path": {"prefix": "/orders"}, "methods": ["GET"]}],
            "authenticate": "api_key",
            "forward": {"backend": "orders", "path": "strip_prefix"},
        }],
    })
}

/// What editors check by is what the gateway checks by.
#[test]
fn the_printed_schema_takes_no_null() {
    let route = json!({"id": "r", "authenticate": "anonymous", "respond": {"status": 200}, "hosts": ["a.example"],
                       "access": {"allow": ["192.0.2.0/24"]}, "match": [{"path": "/a", "methods": ["GET"]}]});
    let printed = jsonschema::validator_for(super::entry_schema(Kind::Route).as_value()).expect("a schema");
    assert!(
        printed.is_valid(&route),
        "{:?}",
        printed.iter_errors(&route).map(|error| error.to_string()).collect::<Vec<_>>()
    );
    for pointer in ["/hosts", "/access", "/access/allow", "/match", "/match/0/path", "/match/0/methods", "/respond"] {
        let mut nulled = route.clone();
        *nulled.pointer_mut(pointer).expect("a field") = Value::Null;
        assert!(!printed.is_valid(&nulled), "{pointer}");
    }
}

#[test]
fn a_whole_document_has_no_mistake() {
    assert_eq!(findings(&file()), []);
    assert_eq!(findings(&Value::Null), []);
}

#[test]
fn each_mistake_has_its_place_and_code() {
    let route = |name: &str, value: Value| {
        let mut file = file();
        file["routes"][0][name] = value;
        file
    };
    let without = |name: &str| {
        let mut file = file();
        file["routes"][0].as_object_mut().expect("a route").remove(name);
        file
    };
    let issuer = |more: Value| {
        let mut issuer = json!({"id": "main", "issuer": "https://auth.example.com", "audiences": ["orders"]});
        for (name, value) in more.as_object().expect("fields") {
            issuer[name] = value.clone();
        }
        json!({"issuers": [issuer]})
    };
    let both = |authenticate: Value| {
        let mut file = route("authenticate", authenticate);
        file["routes"][0]["authorize"] = json!({"scopes": {"all": ["a"]}});
        file
    };
    let targets = |targets: Value| {
        let mut file = file();
        file["backends"][0]["targets"] = targets;
        file
    };
    let target = |url: &str| targets(json!([{"url": url}]));
    let edge_values = |count: usize| {
        let values: Vec<Value> = (0..count).map(|n| json!({"ssm": format!("/faregate/edge-{n}")})).collect();
        json!({"settings": {"edge": {"secret": {"values": values}}}})
    };
    assert!((1..=2).all(|count| findings(&edge_values(count)).is_empty()));
    for (file, place, code) in [
        (both(json!("anonymous")), "route/orders/authorize", "conflict"),
        (both(json!({"any_of": ["api_key", "anonymous"]})), "route/orders/authorize", "conflict"),
        (json!({"route": []}), "document//route", "unknown_field"),
        (json!({"routes": {}}), "document//routes", "wrong_type"),
        (json!({"routes": [7]}), "document//routes/0", "wrong_type"),
        (json!({"routes": [{"authenticate": "anonymous", "respond": {}}]}), "document//routes/0", "missing_field"),
        (
            json!({"routes": [{"id": 7, "authenticate": "anonymous", "respond": {}}]}),
            "document//routes/0/id",
            "wrong_type",
        ),
        (json!([]), "document/", "wrong_type"),
        (json!({"settings": {"refresh_seconds": "10"}}), "settings/gateway/refresh_seconds", "wrong_type"),
        (json!({"settings": {"refresh_seconds": 0}}), "settings/gateway/refresh_seconds", "invalid_value"),
        (json!({"settings": {"default_plan": "free"}}), "settings/gateway/default_plan", "unknown_reference"),
        (edge_values(0), "settings/gateway/edge/secret/values", "invalid_value"),
        (edge_values(3), "settings/gateway/edge/secret/values", "invalid_value"),
        (
            json!({"settings": {"edge": {"secret": {"values": [{"inline": "x"}]}}}}),
            "settings/gateway/edge/secret/values/0",
            "invalid_value",
        ),
        (
            json!({"settings": {"trusted_hops": 1, "edge": {"secret": {"values": [{"ssm": "/faregate/edge"}]}}}}),
            "settings/gateway/trusted_hops",
            "conflict",
        ),
        (without("authenticate"), "route/orders", "missing_field"),
        (without("forward"), "route/orders", "missing_field"),
        (route("respond", json!({})), "route/orders", "conflict"),
        (
            route("limits", json!([{"id": "x", "limit": "1", "per": "day"}])),
            "route/orders/limits/0/limit",
            "wrong_type",
        ),
        (route("limits", json!(["plam"])), "route/orders/limits/0", "invalid_value"),
        (route("retry", json!({})), "route/orders/retry", "unknown_field"),
        (route("limits", json!(["plan", "plan"])), "route/orders/limits/1", "duplicate"),
        (
            route("limits", json!([{"plan": {"default": "gold"}}])),
            "route/orders/limits/0/plan/default",
            "unknown_reference",
        ),
        (
            route("limits", json!([{"id": "x", "limit": 1, "per": "day", "by": "nobody"}])),
            "route/orders/limits/0/by",
            "invalid_value",
        ),
        (
            json!({"plans": [
                {"id": "a", "limits": [{"id": "x", "limit": 1, "per": "day"}]},
                {"id": "b", "limits": [{"id": "x", "limit": 1, "per": "month"}]},
            ]}),
            "plan/b/limits/0",
            "conflict",
        ),
        (json!({"plans": [{"id": "none"}]}), "plan/none/id", "invalid_value"),
        (
            targets(json!([{"url": "https://a.example", "weight": 0}, {"url": "https://b.example", "weight": 0}])),
            "backend/orders/targets",
            "invalid_value",
        ),
        (target("https://a.example/?a=1"), "backend/orders/targets/0/url", "invalid_value"),
        (target("https://user@a.example"), "backend/orders/targets/0/url", "invalid_value"),
        (target("https://:word@a.example"), "backend/orders/targets/0/url", "invalid_value"),
        (target("https://a.example/base//v1"), "backend/orders/targets/0/url", "invalid_value"),
        (route("match", json!([])), "route/orders/match", "invalid_value"),
        (route("hosts", json!([])), "route/orders/hosts", "invalid_value"),
        (route("hosts", json!(null)), "route/orders/hosts", "wrong_type"),
        (route("hosts", json!(["a:80"])), "route/orders/hosts/0", "invalid_value"),
        (route("match", json!([{"path": 7}])), "route/orders/match/0/path", "wrong_type"),
        (route("match", json!([{"path": {"prefx": "/"}}])), "route/orders/match/0/path", "invalid_value"),
        (route("authenticate", json!("apikey")), "route/orders/authenticate", "invalid_value"),
        (
            route("authenticate", json!({"api_key": {"heder": "x"}})),
            "route/orders/authenticate/api_key/heder",
            "unknown_field",
        ),
        (
            route("authenticate", json!({"api_key": {"hide_credentials": "yes"}})),
            "route/orders/authenticate/api_key/hide_credentials",
            "wrong_type",
        ),
        (
            route("authenticate", json!({"any_of": [{"jwt": {}}]})),
            "route/orders/authenticate/any_of/0/jwt",
            "missing_field",
        ),
        (
            route("forward", json!({"backend": "order", "path": "strip_prefix"})),
            "route/orders/forward/backend",
            "unknown_reference",
        ),
        (route("forward", json!({"backend": "orders", "path": "strip"})), "route/orders/forward/path", "invalid_value"),
        (
            route("authenticate", json!({"jwt": {"issuers": ["corp"]}})),
            "route/orders/authenticate/jwt/issuers/0",
            "unknown_reference",
        ),
        (route("authorize", json!({"scopes": {"al": []}})), "route/orders/authorize/scopes/al", "unknown_field"),
        (issuer(json!({})), "issuer/main", "missing_field"),
        (issuer(json!({"jwks": "discover", "secret": {"ssm": "/a"}})), "issuer/main", "conflict"),
        (issuer(json!({"jwks": {"url": "http://keys.example.com"}})), "issuer/main/jwks/url", "invalid_value"),
        (issuer(json!({"jwks": {"inline": {"keys": []}}})), "issuer/main/jwks/inline", "invalid_value"),
        (issuer(json!({"jwks": "discover", "algorithms": ["HS256"]})), "issuer/main/algorithms/0", "conflict"),
        (issuer(json!({"secret": {"ssm": "/a"}, "algorithms": ["RS256"]})), "issuer/main/algorithms/0", "conflict"),
        (issuer(json!({"jwks": "discover", "algorithms": ["none"]})), "issuer/main/algorithms/0", "invalid_value"),
        (
            issuer(json!({"secret": {"inline": "0123456789abcdef0123456789abcdef"}})),
            "issuer/main/secret",
            "invalid_value",
        ),
        (issuer(json!({"jwks": "discover", "audiences": []})), "issuer/main/audiences", "missing_field"),
        (issuer(json!({"jwks": "discover", "leeway_seconds": 301})), "issuer/main/leeway_seconds", "invalid_value"),
        (
            json!({"issuers": [{"id": "iam", "issuer": "a", "audiences": ["a"], "secret": {"ssm": "/a"}}]}),
            "issuer/iam/id",
            "invalid_value",
        ),
        (route("cors", json!({})), "route/orders/cors", "missing_field"),
        (route("priority", json!(1.5)), "route/orders/priority", "wrong_type"),
    ] {
        assert_eq!(findings(&file), [(place.to_owned(), code.to_owned())], "{file}");
    }
}

#[test]
fn all_mistakes_come_at_once_and_none_twice() {
    let mut file = file();
    file["backends"][0]["targets"] = json!("x");
    file["routes"][0]["priorty"] = json!(1);
    file["routes"]
        .as_array_mut()
        .expect("routes")
        .push(json!({"id": "Bad", "authenticate": "anonymous", "respond": {"status": 700}}));
    let found = findings(&file);
    let places: Vec<_> = found.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["backend/orders/targets", "route/orders/priorty", "route/Bad/respond/status", "route/Bad/id"]);
    file["backends"]
        .as_array_mut()
        .expect("backends")
        .push(json!({"id": "typo", "targts": 1, "targets": [{"url": "ftp://x"}]}));
    file["routes"][0]["hosts"] = json!(["a:80"]);
    file["routes"][0]["forward"]["backend"] = json!("nowhere");
    let places: Vec<_> = findings(&file).into_iter().map(|(place, _)| place).collect();
    assert!(places.contains(&"backend/typo/targets/0/url".to_owned()), "{places:?}");
    assert!(places.contains(&"route/orders/hosts/0".to_owned()), "{places:?}");
    assert!(places.contains(&"route/orders/forward/backend".to_owned()), "{places:?}");
}

#[test]
fn a_mistake_in_a_field_hides_none_beside_it_or_below() {
    let mut file = file();
    file["backends"][0]["targets"] = json!([7, {"url": "ftp://x"}, {"weight": 1}, {"url": "https://a/#b"}]);
    file["routes"] = json!([
        {
            "id": "all",
            "hosts": ["a:80", 7, "b:80"],
            "match": [{"path": {"prefix": 7}}, {"path": {"prefix": "a"}}],
            "authenticate": {"any_of": [7, {"api_key": {"header": "host", "scheme": 7}}]},
            "cors": {"allow_origins": ["null"], "max_age_seconds": "x"},
            "forward": {"backend": "nowhere", "timeout_ms": "x", "path": "strip_prefix"},
        },
        {"id": "two", "authenticate": "nobody", "hosts": ["a:80"], "respond": {"status": "x"}, "redirect": {}},
        {"id": "needs", "match": [{"path": {"prefix": "a"}}], "forward": {"timeout_ms": 1}},
        {"id": "follows", "match": [{"path": {"exact": 7}}], "authenticate": "anonymous",
         "forward": {"backend": "orders", "path": {"replace": "/{id}"}}},
    ]);
    let mut places: Vec<_> = findings(&file).into_iter().map(|(place, _)| place).collect();
    places.sort();
    assert_eq!(
        places,
        [
            "backend/orders/targets/0",
            "backend/orders/targets/1/url",
            "backend/orders/targets/2",
            "backend/orders/targets/3/url",
            "route/all/authenticate/any_of/0",
            "route/all/authenticate/any_of/1/api_key/header",
            "route/all/authenticate/any_of/1/api_key/scheme",
            "route/all/cors/allow_origins/0",
            "route/all/cors/max_age_seconds",
            "route/all/forward/backend",
            "route/all/forward/timeout_ms",
            "route/all/hosts/0",
            "route/all/hosts/1",
            "route/all/hosts/2",
            "route/all/match/0/path/prefix",
            "route/all/match/1/path/prefix",
            "route/follows/match/0/path/exact",
            "route/needs",
            "route/needs/forward",
            "route/needs/match/0/path/prefix",
            "route/two",
            "route/two/authenticate",
            "route/two/hosts/0",
            "route/two/respond/status",
        ]
    );
}

#[test]
fn a_missing_member_hides_no_mistake_beside_it() {
    let route = |id: &str, fields: Value| {
        let mut route = json!({"id": id, "authenticate": "anonymous", "respond": {}});
        for (name, value) in fields.as_object().expect("fields") {
            route[name] = value.clone();
        }
        route
    };
    let mut routes = vec![
        route("caller", json!({"authenticate": {"any_of": [{"jwt": {"from": {"header": "a b"}}}]}})),
        route("cors", json!({"cors": {"allow_methods": ["a b"]}})),
        route("match", json!({"match": [{"headers": [{"regex": "("}, {"regex": "["}], "query": [{"regex": "("}]}]})),
        json!({"id": "to", "authenticate": "anonymous",
               "forward": {"backends": [{"request_headers": {"set": {"a b": "x"}}}], "host": {"name": "/"}}}),
    ];
    routes.push(json!({"authenticate": "anonymous", "respond": {"status": 700}}));
    routes.push(route("unnamed-4", json!({})));
    let client = json!({"client": {"id": ""}, "cache_seconds": 60});
    let file = json!({
        "settings": {"edge": {"client_address_header": "a b"}},
        "issuers": [{"id": "asked", "issuer": "asked", "leeway_seconds": 301, "introspection": client}],
        "plans": [{"id": "free", "limits": [{"per": "day", "burst": 1, "methods": ["a b"]}]}],
        "routes": routes,
    });
    let mut places: Vec<_> = findings(&file).into_iter().map(|(place, _)| place).collect();
    places.sort();
    assert_eq!(
        places,
        [
            "document//routes/4",
            "issuer/asked/introspection",
            "issuer/asked/introspection/client",
            "issuer/asked/introspection/client/id",
            "issuer/asked/leeway_seconds",
            "plan/free/limits/0",
            "plan/free/limits/0",
            "plan/free/limits/0/burst",
            "plan/free/limits/0/methods/0",
            "route/caller/authenticate/any_of/0/jwt",
            "route/caller/authenticate/any_of/0/jwt/from/header",
            "route/cors/cors",
            "route/cors/cors/allow_methods/0",
            "route/match/match/0/headers/0",
            "route/match/match/0/headers/0/regex",
            "route/match/match/0/headers/1",
            "route/match/match/0/headers/1/regex",
            "route/match/match/0/query/0",
            "route/match/match/0/query/0/regex",
            "route/to/forward/backends/0",
            "route/to/forward/backends/0/request_headers/set/a b",
            "route/to/forward/host/name",
            "route/unnamed-4-/respond/status",
            "settings/gateway/edge",
            "settings/gateway/edge/client_address_header",
        ]
    );
}

#[test]
fn a_caller_that_nobody_knows_yet_is_not_taken_for_an_anonymous_one() {
    for (authenticate, place) in [
        (None, "route/r"),
        (Some(json!("apikey")), "route/r/authenticate"),
        (Some(json!({"any_of": 7})), "route/r/authenticate/any_of"),
    ] {
        let mut route = json!({"id": "r", "respond": {}, "authorize": {"scopes": {"all": ["a"]}}});
        route.as_object_mut().expect("a route").extend(authenticate.map(|value| ("authenticate".to_owned(), value)));
        let places: Vec<_> = findings(&json!({"routes": [route]})).into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, [place]);
    }
}

#[test]
fn an_endpoint_that_lacks_something_contradicts_no_other_one() {
    let whole = json!({"id": "sso", "url": "https://sso.example.com/check", "consumer_header": "x-user"});
    for name in ["url", "consumer_header"] {
        let mut broken = whole.clone();
        broken.as_object_mut().expect("an endpoint").remove(name);
        let route = |id: &str, endpoint: &Value| json!({"id": id, "match": [{"path": format!("/{id}")}], "authenticate": {"forward_auth": endpoint}, "respond": {}});
        let found = findings(&json!({"routes": [route("a", &broken), route("b", &whole)]}));
        assert_eq!(found.iter().map(|(_, code)| code.as_str()).collect::<Vec<_>>(), ["missing_field"], "{found:?}");
    }
}

#[test]
fn a_hint_names_what_was_probably_meant() {
    let mut file = file();
    file["routes"][0]["forward"]["backend"] = json!("order");
    file["routes"][0]["authenticate"] = json!("api-key");
    let mut report = Report::default();
    let entries: Vec<_> = entries_of_file(&file, &mut report).into_iter().map(|(_, entry)| entry).collect();
    let hints: Vec<_> = check(&entries, CheckOptions::default(), report)
        .diagnostics
        .into_iter()
        .filter_map(|found| found.hint)
        .collect();
    assert_eq!(hints, ["did you mean `api_key`?", "did you mean `orders`?"]);
    let mistyped = json!({"routes": [{"id": "r", "authenticate": "anonymous", "respond": {}, "priorty": 1}]});
    let entries: Vec<_> =
        entries_of_file(&mistyped, &mut Report::default()).into_iter().map(|(_, entry)| entry).collect();
    let found = check(&entries, CheckOptions::default(), Report::default()).diagnostics;
    assert_eq!(found[0].hint.as_deref(), Some("did you mean `priority`?"));
    file["routes"][0]["authenticate"] = json!("api_key");
    let entries: Vec<_> = entries_of_file(&file, &mut Report::default()).into_iter().map(|(_, entry)| entry).collect();
    let hints: Vec<_> = check(&entries, CheckOptions::default(), Report::default())
        .diagnostics
        .into_iter()
        .filter_map(|found| found.hint)
        .collect();
    assert_eq!(hints, ["did you mean `orders`?"]);
}

#[test]
fn no_diagnostic_repeats_a_secret() {
    let secret = "hunter2-hunter2-hunter2-hunter2-hunter2";
    for values in [
        json!([{"inline": secret}]),
        json!([{"ssn": secret}]),
        json!([secret]),
        json!(secret),
        json!([{"inline": [secret]}]),
    ] {
        let file = json!({"settings": {"edge": {"secret": {"values": values}}}});
        let entries: Vec<_> =
            entries_of_file(&file, &mut Report::default()).into_iter().map(|(_, entry)| entry).collect();
        let checked = check(&entries, CheckOptions::default(), Report::default());
        assert!(!checked.diagnostics.is_empty());
        assert!(!format!("{:?}", checked.diagnostics).contains("hunter2"), "{values}");
    }
}

#[test]
fn regexes_have_a_bound_together() {
    let routes: Vec<_> = (0..128)
        .map(|number| json!({"id": format!("r{number}"), "authenticate": "anonymous", "respond": {}, "match": [{"path": {"regex": format!("/{number}\\w{{4}}")}}]}))
        .collect();
    let found = findings(&json!({"routes": routes}));
    assert_eq!(found, [("settings/gateway".to_owned(), "too_many".to_owned())]);
    let many: Vec<_> = (0..201)
        .map(|number| json!({"id": format!("r{number}"), "authenticate": "anonymous", "respond": {}, "match": [{"path": {"regex": format!("/{number}")}}]}))
        .collect();
    assert_eq!(findings(&json!({"routes": many})), [("settings/gateway".to_owned(), "too_many".to_owned())]);
    // Those of headers and query parameters count, too; and per host.
    let test = |name: &str| json!({"name": name, "regex": "a"});
    let both = |hosts: &[&str]| {
        let entry = json!({"path": {"regex": "/a"}, "headers": [test("x-a")], "query": [test("a")]});
        let route = |host: &&str| json!({"id": format!("r{host}"), "hosts": [host], "authenticate": "anonymous", "respond": {}, "match": vec![entry.clone(); 67]});
        json!({"routes": hosts.iter().map(route).collect::<Vec<_>>()})
    };
    assert_eq!(findings(&both(&["a.example"])), [("settings/gateway".to_owned(), "too_many".to_owned())]);
    let mut fewer = both(&["a.example", "b.example"]);
    for route in fewer["routes"].as_array_mut().expect("routes") {
        route["match"].as_array_mut().expect("entries").truncate(66);
    }
    assert_eq!(findings(&fewer), []);
}

/// Codes of everything that is found in these routes, which all have the issuer `main`.
fn codes_of(routes: Value) -> Vec<String> {
    let file = json!({
        "issuers": [{"id": "main", "issuer": "main", "audiences": ["a"], "secret": {"ssm": "/a"}}],
        "backends": [{"id": "b", "targets": [{"url": "https://b.example.com"}]}],
        "routes": routes,
    });
    findings(&file).into_iter().map(|(place, code)| format!("{place} {code}")).collect()
}

#[test]
fn what_proves_an_identity_on_one_route_is_nothing_else_on_another() {
    let proving = json!({"id": "proving", "enabled": false, "match": [{"path": "/proving"}], "respond": {},
                         "authenticate": {"jwt": {"issuers": ["main"], "forward_claims": {"x-user": "sub"}}}});
    let sso = |url: &str| {
        let asked = json!({"id": "sso", "url": url, "consumer_header": "x-sso", "send": ["cookie"]});
        json!({"id": url.trim_start_matches("https://"), "authenticate": {"forward_auth": asked}, "respond": {}})
    };
    for (other, expected) in [
        (
            json!({"id": "o", "authenticate": {"api_key": {"header": "x-user"}}, "respond": {}}),
            "route/o/authenticate conflict",
        ),
        (
            json!({"id": "o", "authenticate": "anonymous", "forward": {"backend": "b", "request_headers": {"set": {"X-User": "a"}}}}),
            "route/o/forward/request_headers conflict",
        ),
        (
            json!({"id": "o", "authenticate": {"forward_auth": {"id": "a", "url": "https://a", "consumer_header": "x-c", "send": ["x-user"]}},
                "respond": {}}),
            "route/o/authenticate conflict",
        ),
    ] {
        assert_eq!(codes_of(json!([proving, other])), [expected]);
    }
    assert_eq!(codes_of(json!([sso("https://one"), sso("https://two")])), ["route/two/authenticate duplicate"]);
    assert_eq!(codes_of(json!([sso("https://one")])), [""; 0]);
}

#[test]
fn iam_beside_others_is_warned_of() {
    let route = |id: &str, authenticate: Value| json!({"id": id, "authenticate": authenticate, "respond": {}});
    let jwt = json!({"jwt": {"issuers": ["main"]}});
    assert_eq!(codes_of(json!([route("a", json!("iam"))])), [""; 0]);
    assert_eq!(codes_of(json!([route("a", json!({"all_of": ["iam", jwt]}))])), ["route/a/authenticate conflict"]);
    for key in [json!({"header": "x-api-key"}), json!({"header": "authorization", "query": "key"})] {
        assert_eq!(codes_of(json!([route("a", json!({"all_of": ["iam", {"api_key": key}]}))])), [""; 0], "{key}");
    }
    assert_eq!(codes_of(json!([route("a", json!("iam")), route("b", jwt.clone())])), ["route/a/authenticate conflict"]);
    assert_eq!(codes_of(json!([route("a", json!({"any_of": ["iam", jwt]}))])), ["route/a/authenticate conflict"]);
}

#[test]
fn a_token_goes_to_no_provider_in_clear_text() {
    let asked = |url: &str| json!({"url": url, "client": {"id": "c", "secret": {"ssm": "/a"}}});
    let found =
        |url: &str| findings(&json!({"issuers": [{"id": "main", "issuer": "https://a", "introspection": asked(url)}]}));
    assert_eq!(found("https://auth.example.com/introspect"), []);
    let mistake = ("issuer/main/introspection/url".to_owned(), "invalid_value".to_owned());
    assert_eq!(found("http://auth.example.com/introspect"), [mistake]);
}

#[test]
fn no_diagnostic_repeats_an_issuers_secret() {
    let secret = "hunter2-hunter2";
    let inline = json!({"inline": secret});
    for issuer in [
        json!({"id": "m", "issuer": "m", "audiences": ["a"], "secret": inline}),
        json!({"id": "m", "issuer": "m", "audiences": ["a"], "secret": secret}),
        json!({"id": "m", "issuer": "m", "introspection": {"url": "https://a", "client": {"id": "c", "secret": inline}}}),
        json!({"id": "m", "issuer": "m", "introspection": {"url": "https://a", "client": {"id": "c", "secret": secret}}}),
    ] {
        let mut report = Report::default();
        let entries: Vec<_> =
            entries_of_file(&json!({"issuers": [issuer]}), &mut report).into_iter().map(|(_, entry)| entry).collect();
        let found = check(&entries, CheckOptions::default(), report).diagnostics;
        assert!(!found.is_empty() && !format!("{found:?}").contains(secret), "{found:?}");
    }
}
