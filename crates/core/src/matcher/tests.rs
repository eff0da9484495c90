//! Which route wins; [`written`] has the same at random.

mod written;

use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::{Candidate, Conditions, HostPattern, Match, MatchRequest, Matcher, PathPattern, tree::VISITED};
use crate::{
    diagnostic::Report,
    document::{Document, PathMatch},
    snapshot::Snapshot,
};

fn snapshot(routes: Value) -> Snapshot {
    let document: Document = serde_json::from_value(json!({ "routes": routes })).expect("a document");
    let mut report = Report::default();
    let snapshot = Snapshot::compile(&document, &mut report);
    snapshot.unwrap_or_else(|| panic!("{:?}", report.into_diagnostics()))
}

fn route(id: &str, fields: Value) -> Value {
    let mut route = json!({"id": id, "authenticate": "anonymous", "respond": {}});
    let (Value::Object(route_fields), Value::Object(fields)) = (&mut route, fields) else { panic!("objects") };
    route_fields.extend(fields);
    route
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, http::HeaderValue::from_static(value));
    }
    headers
}

fn find(snapshot: &Snapshot, method: &Method, host: &str, target: &str, headers: &HeaderMap) -> String {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    match snapshot.find(&MatchRequest { host, path, query, method, headers }) {
        Match::Found(entry) => snapshot.route(entry).id.to_string(),
        Match::MethodNotAllowed { allow, .. } => {
            format!("405 {}", allow.iter().map(Method::as_str).collect::<Vec<_>>().join(","))
        }
        Match::NotFound => "404".to_owned(),
    }
}

fn get(snapshot: &Snapshot, host: &str, target: &str) -> String {
    find(snapshot, &Method::GET, host, target, &HeaderMap::new())
}

#[test]
fn the_more_specific_path_wins() {
    let path = |path: Value| json!({"match": [{"path": path}]});
    let snapshot = snapshot(json!([
        route("any", json!({})),
        route("prefix", path(json!({"prefix": "/a"}))),
        route("longer-prefix", path(json!({"prefix": "/a/b/"}))),
        route("regex", path(json!({"regex": "/a/.*x"}))),
        route("longer-regex", path(json!({"regex": "/a/b.*x"}))),
        route("template", path(json!("/a/{id}"))),
        route("literal-template", path(json!("/a/{id}/lit"))),
        route("open-template", path(json!("/a/{id}/{other}"))),
        route("rest", path(json!("/a/b/c/{rest+}"))),
        route("exact", path(json!({"exact": "/a/exact"}))),
    ]));
    for (target, winner) in [
        ("/", "any"),
        ("/a", "prefix"),
        ("/ab", "any"),
        ("/a/7", "template"),
        ("/a/7/", "prefix"),
        ("/a/exact", "exact"),
        ("/a/exact/", "prefix"),
        ("/a/7/lit", "literal-template"),
        ("/a/7/more", "open-template"),
        ("/a/b/7/8", "longer-prefix"),
        ("/a/b/c/7/8", "rest"),
        ("/a/b/7/x", "longer-regex"),
        ("/a/c/7/x", "regex"),
    ] {
        assert_eq!(get(&snapshot, "h", target), winner, "{target}");
    }
}

#[test]
fn what_is_captured_under_which_name_decides_nothing() {
    for (one, other, winner) in [
        ("/o/special/{rest+}", "/o/{customer_identifier}/{rest+}", "one"),
        ("/o/{customer_identifier}/{rest+}", "/o/{id}/special/{rest+}", "other"),
        // As many characters: the literal is first.
        ("/{a}/special/{rest+}", "/special/{b}/{rest+}", "one"),
        // Alike but for the names: the smaller id.
        ("/o/{customer_identifier}/{rest+}", "/o/{x}/{other+}", "one"),
    ] {
        for prefixed in [false, true] {
            let path = |template: &str| match template.strip_suffix("/{rest+}") {
                Some(prefix) if prefixed && !prefix.contains('{') => json!({"prefix": prefix}),
                _ => json!(template),
            };
            let snapshot = snapshot(json!([
                route("one", json!({"match": [{"path": path(one)}]})),
                route("other", json!({"match": [{"path": path(other)}]})),
            ]));
            assert_eq!(get(&snapshot, "h", "/o/special/special/x"), winner, "{one} {other}");
        }
    }
}

#[test]
fn a_regex_ranks_by_what_every_match_begins_with() {
    for (more, less) in [
        ("^/orders/.*", "/o.*"),
        ("/o.*", "/orders/7|/x"),
        ("/orders/(7|8)", "/o.*|/orders/7"),
        ("/orders/7|/orders/8", "/order.*"),
        ("/orders/[7|8]", "/orders.*"),
        ("/orders/7?", "/order.*"),
    ] {
        for (first, second) in [(more, less), (less, more)] {
            let snapshot = snapshot(json!([
                route("a", json!({"match": [{"path": {"regex": first}}]})),
                route("b", json!({"match": [{"path": {"regex": second}}]})),
            ]));
            let winner = if first == more { "a" } else { "b" };
            assert_eq!(get(&snapshot, "h", "/orders/7"), winner, "{first} {second}");
        }
    }
}

#[test]
fn priority_then_host_then_path_then_the_rest() {
    let snapshot = snapshot(json!([
        route("any", json!({"match": [{"path": {"exact": "/x"}}]})),
        route("star", json!({"hosts": ["*.example.org"]})),
        route("longer-star", json!({"hosts": ["*.b.example.org"]})),
        route("exact-host", json!({"hosts": ["A.b.example.org"]})),
        route("urgent", json!({"priority": 1, "match": [{"path": "/urgent"}]})),
        route("method", json!({"hosts": ["m"], "match": [{"methods": ["GET"]}]})),
        route(
            "method-header",
            json!({"hosts": ["m"], "match": [{"methods": ["GET"], "headers": [{"name": "x-a", "exact": "1"}]}]})
        ),
        route(
            "query",
            json!({"hosts": ["m"], "match": [{"methods": ["GET"], "query": [{"name": "q", "regex": "[0-9]+"}]}]})
        ),
        route("tie-b", json!({"hosts": ["tie"]})),
        route("tie-a", json!({"hosts": ["tie"]})),
    ]));
    for (host, target, winner) in [
        ("a.b.example.org", "/x", "exact-host"),
        ("c.b.example.org", "/x", "longer-star"),
        ("c.example.org", "/x", "star"),
        ("other", "/x", "any"),
        ("example.org", "/y", "404"),
        ("a.b.example.org", "/urgent", "urgent"),
        ("m", "/?q=12", "query"),
        ("m", "/?q=a&q=12", "query"),
        ("m", "/?q=a", "method"),
        ("tie", "/", "tie-a"),
    ] {
        assert_eq!(get(&snapshot, host, target), winner, "{host}{target}");
    }
    assert_eq!(find(&snapshot, &Method::GET, "m", "/", &headers(&[("x-a", "1")])), "method-header");
    assert_eq!(find(&snapshot, &Method::GET, "m", "/", &headers(&[("x-a", "1"), ("x-a", "2")])), "method");
}

#[test]
fn what_fails_on_the_best_path_falls_through_to_the_next() {
    let snapshot = snapshot(json!([
        route("exact", json!({"match": [{"path": {"exact": "/a"}, "headers": [{"name": "x-v", "exact": "1,2"}]}]})),
        route("prefix", json!({"match": [{"path": {"prefix": "/a"}}]})),
    ]));
    assert_eq!(get(&snapshot, "h", "/a"), "prefix");
    assert_eq!(find(&snapshot, &Method::GET, "h", "/a", &headers(&[("x-v", "1"), ("x-v", "2")])), "exact");
}

#[test]
fn only_the_method_missing_is_a_405_with_the_union() {
    let snapshot = snapshot(json!([
        route("put", json!({"match": [{"path": "/a", "methods": ["PUT", "GET"]}]})),
        route("post", json!({"match": [{"path": {"prefix": "/a"}, "methods": ["POST"]}]})),
        route(
            "header",
            json!({"match": [{"path": "/a", "methods": ["DELETE"], "headers": [{"name": "x", "present": true}]}]})
        ),
    ]));
    let none = HeaderMap::new();
    assert_eq!(find(&snapshot, &Method::HEAD, "h", "/a", &none), "405 GET,POST,PUT");
    assert_eq!(find(&snapshot, &Method::OPTIONS, "h", "/a/b", &none), "405 POST");
    assert_eq!(find(&snapshot, &Method::GET, "h", "/b", &none), "404");
}

#[test]
fn a_disabled_route_matches_nothing() {
    let snapshot =
        snapshot(json!([route("off", json!({"enabled": false})), route("on", json!({"match": [{"path": "/on"}]}))]));
    assert_eq!(get(&snapshot, "h", "/off"), "404");
    assert_eq!(get(&snapshot, "h", "/on"), "on");
}

#[test]
fn an_empty_entry_matches_any_request_and_no_entry_is_a_mistake() {
    let snapshot =
        snapshot(json!([route("all", json!({"match": [{}]})), route("b", json!({"match": [{"path": "/b"}]}))]));
    for (target, winner) in [("/", "all"), ("/a?q=1", "all"), ("/b", "b")] {
        assert_eq!(get(&snapshot, "h", target), winner, "{target}");
    }
    assert_eq!(find(&snapshot, &Method::DELETE, "other", "/a", &HeaderMap::new()), "all");
}

#[test]
fn the_entrys_place_decides_when_all_else_is_equal() {
    for (entries, winner) in [
        (json!([{"path": "/a/{x}"}, {"path": "/a/{y}"}]), 0),
        (json!([{"path": "/b/{x}"}, {"path": "/a/{x}"}, {"path": "/a/{y}"}]), 1),
        // What is more specific comes before what stands first.
        (json!([{"path": "/a/{x}"}, {"path": "/a/7"}]), 1),
        (json!([{"path": "/a/{x}"}, {"path": "/a/{y}", "methods": ["GET"]}]), 1),
    ] {
        let snapshot = snapshot(json!([route("r", json!({"match": entries}))]));
        let request =
            MatchRequest { host: "h", path: "/a/7", query: None, method: &Method::GET, headers: &HeaderMap::new() };
        let Match::Found(entry) = snapshot.find(&request) else { panic!("{entries}") };
        assert_eq!(entry.index, winner, "{entries}");
    }
}

#[test]
fn a_preflight_is_matched_whatever_the_headers() {
    let entry = |more: Value| {
        let mut entry = json!({"path": "/a", "methods": ["PUT"]});
        entry.as_object_mut().expect("an entry").extend(more.as_object().cloned().expect("fields"));
        json!({"match": [entry]})
    };
    let snapshot = snapshot(json!([
        route("plain", entry(json!({}))),
        route("versioned", entry(json!({"headers": [{"name": "x-version", "exact": "2"}]}))),
        route(
            "debug",
            entry(
                json!({"headers": [{"name": "x-version", "exact": "2"}], "query": [{"name": "debug", "present": true}]})
            )
        ),
    ]));
    for (query, ordinary, preflight) in
        [(None, "plain", "versioned"), (Some("debug"), "plain", "debug"), (Some("x"), "plain", "versioned")]
    {
        let headers = HeaderMap::new();
        let request = MatchRequest { host: "h", path: "/a", query, method: &Method::PUT, headers: &headers };
        let id = |found: Match<'_>| match found {
            Match::Found(entry) => snapshot.route(entry).id.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(id(snapshot.find(&request)), ordinary);
        assert_eq!(id(snapshot.matcher().find_for_preflight(&request)), preflight, "{query:?}");
    }
}

/// Routes of every kind of path under every kind of host.
fn many(count: usize) -> Matcher {
    let mut report = Report::default();
    let mut candidate = |route: usize| {
        let path = match route % 3 {
            0 => PathMatch::Exact(format!("/r{route}/x")),
            1 => PathMatch::Prefix(format!("/r{route}")),
            _ => PathMatch::Template(format!("/r{route}/{{id}}")),
        };
        let host = match route / 3 % 3 {
            0 => HostPattern::Any,
            1 => HostPattern::parse("api.example.com").expect("a host"),
            _ => HostPattern::parse("*.example.com").expect("a host"),
        };
        let pattern = PathPattern::compile(Some(&path), &mut report.entry("route", "r")).expect("a pattern");
        let id = format!("r{route}").into();
        Candidate { route, id, priority: 0, hosts: vec![host], entries: vec![(pattern, Conditions::default())] }
    };
    Matcher::build((0..count).map(&mut candidate).collect())
}

#[test]
fn a_request_asks_no_more_of_a_hundred_thousand_routes_than_of_ten() {
    /// Nodes that a request came by, and entries that it was held against.
    fn asked(matcher: &Matcher, path: &str) -> (usize, usize) {
        let request = MatchRequest {
            host: "api.example.com",
            path,
            query: None,
            method: &Method::GET,
            headers: &HeaderMap::new(),
        };
        let before = VISITED.get();
        let candidates = matcher.ranks(&request).len();
        (VISITED.get() - before, candidates)
    }
    let (few, all) = (many(10), many(100_000));
    for (path, candidates) in
        [("/r0/x", 1), ("/r1/x", 1), ("/r2/x", 1), ("/r4/x/y", 1), ("/r8/x", 1), ("/none/x", 0), ("/", 0)]
    {
        assert_eq!(asked(&few, path), asked(&all, path), "{path}");
        assert_eq!(asked(&all, path).1, candidates, "{path}");
        // Three trees, and of each no more nodes than the path has segments, and the root.
        assert!(asked(&all, path).0 <= 3 * (path.matches('/').count() + 1), "{path}");
    }
    assert_eq!(asked(&all, "/r99997/x"), asked(&all, "/r1/x"));
}
