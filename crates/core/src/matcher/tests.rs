use std::collections::BTreeSet;

use http::{HeaderMap, Method};
use proptest::{
    prelude::{ProptestConfig, Strategy, any, prop, prop_assert_eq, proptest},
    sample::select,
};
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

fn pattern() -> impl Strategy<Value = Value> {
    let segment = select(vec!["a", "b", "{x}", ""]);
    let path = prop::collection::vec(segment, 0..4).prop_map(|segments| format!("/{}", segments.join("/")));
    (path, 0..6_u8).prop_map(|(path, kind)| {
        let literal = path.replace("{x}", "c");
        match kind {
            0 => json!({"exact": literal}),
            1 | 2 => json!({"prefix": literal}),
            3 => json!({"regex": path.replace("{x}", "[ab]")}),
            4 => json!(format!("{}/{{rest+}}", literal.trim_end_matches('/'))),
            _ => json!(path),
        }
    })
}

fn random_route() -> impl Strategy<Value = Value> {
    let hosts = prop::option::of(select(vec![json!(["a.b.c"]), json!(["*.b.c"]), json!(["*.c", "b.c"])]));
    let methods = prop::option::of(select(vec![json!(["GET"]), json!(["PUT", "POST"])]));
    let header =
        prop::option::of(select(vec![json!({"name": "h", "exact": "1"}), json!({"name": "h", "present": true})]));
    let query =
        prop::option::of(select(vec![json!({"name": "q", "exact": "1"}), json!({"name": "q", "present": true})]));
    let entry = (pattern(), methods, header, query).prop_map(|(path, methods, header, query)| {
        let mut entry = json!({"path": path, "headers": header.into_iter().collect::<Vec<_>>(), "query": query.into_iter().collect::<Vec<_>>()});
        if let Some(methods) = methods {
            entry["methods"] = methods;
        }
        entry
    });
    (hosts, prop::collection::vec(entry, 1..4), 0..3_i32).prop_map(|(hosts, entries, priority)| {
        let mut route = route("", json!({"match": entries, "priority": priority / 2}));
        if let Some(hosts) = hosts {
            route["hosts"] = hosts;
        }
        route
    })
}

/// Where a path stands: its kind, then per kind what decides among its own.
type WrittenPathRank = (u8, Vec<u8>, isize);

/// The columns of docs/matching.md's table, smaller first: priority, host, path, method, headers, query, id, the entry's place.
type WrittenRank = (i64, usize, WrittenPathRank, bool, isize, isize, String, usize);

/// Which route, and which of its entries.
fn place(entry: &super::Entry) -> (usize, usize) {
    (entry.route, entry.index)
}

/// Precedence once more, from the words of docs/matching.md and the routes as they were written: smaller wins.
fn written_rank(route: &Value, index: usize, host: &str) -> WrittenRank {
    let entry = &route["match"][index];
    let length = |path: &str| isize::try_from(path.trim_end_matches('/').chars().count()).expect("short");
    let path = &entry["path"];
    let path = match (&path["exact"], &path["prefix"], &path["regex"], path) {
        (Value::String(_), ..) => (0, Vec::new(), 0),
        (_, _, Value::String(regex), _) => {
            let literal = regex.split('[').next().unwrap_or_default().len();
            // Longer literal beginning first, then the longer pattern.
            (2, vec![255 - u8::try_from(literal).expect("short"), 255 - u8::try_from(regex.len()).expect("short")], 0)
        }
        (_, Value::String(prefix), ..) => (3, Vec::new(), -length(prefix)),
        (_, _, _, Value::String(template)) if template.ends_with("/{rest+}") => {
            (3, Vec::new(), -length(template.trim_end_matches("/{rest+}")))
        }
        (_, _, _, Value::String(template)) => {
            (1, template.split('/').skip(1).map(|segment| u8::from(segment.starts_with('{'))).collect(), 0)
        }
        other => panic!("{other:?}"),
    };
    let specific = match host.strip_prefix('*') {
        None if host.is_empty() => 1000,
        None => 0,
        Some(suffix) => 500 - suffix.len(),
    };
    let count = |name: &str| -isize::try_from(entry[name].as_array().map_or(0, Vec::len)).expect("few");
    let id = route["id"].as_str().expect("an id").to_owned();
    let priority = -route["priority"].as_i64().expect("a priority");
    (priority, specific, path, entry["methods"].is_null(), count("headers"), count("query"), id, index)
}

/// The hosts of a route as it was written under which a host fits; an empty one for any.
fn fitting_hosts(route: &Value, host: &str) -> Vec<String> {
    let Some(hosts) = route["hosts"].as_array() else { return vec![String::new()] };
    let written = hosts.iter().map(|host| host.as_str().expect("text").to_owned());
    let fits = |pattern: &String| match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern == host,
    };
    written.filter(fits).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_trees_agree_with_asking_every_entry(
        routes in prop::collection::vec(random_route(), 1..12),
        host in select(vec!["a.b.c", "x.b.c", "b.c", "c", ""]),
        path in prop::collection::vec(select(vec!["a", "b", "c", ""]), 0..4),
        query in prop::option::of(select(vec!["q=1", "q=2", "p=1"])),
        method in select(vec![Method::GET, Method::PUT, Method::DELETE]),
        header in any::<bool>(),
    ) {
        let path = crate::path::normalise(&format!("/{}", path.join("/"))).expect("a path").into_owned();
        let numbered: Vec<Value> = (0..).zip(routes).map(|(number, mut route): (usize, Value)| {
            route["id"] = json!(format!("r{number:02}"));
            route
        }).collect();
        let document: Document = serde_json::from_value(json!({ "routes": numbered.clone() })).expect("a document");
        // Patterns that no request can match are refused; what is left is still random enough.
        let valid: Vec<_> = document.routes.into_iter().filter(|route| {
            let single = Document { routes: vec![route.clone()], ..Document::default() };
            Snapshot::compile(&single, &mut Report::default()).is_some()
        }).collect();
        let snapshot = Snapshot::compile(&Document { routes: valid, ..Document::default() }, &mut Report::default()).expect("a snapshot");
        let headers = if header { headers(&[("h", "1")]) } else { HeaderMap::new() };
        let request = MatchRequest { host, path: &path, query, method: &method, headers: &headers };

        let verdicts: Vec<_> = snapshot.matcher().explain(&request).collect();
        let wholly = verdicts.iter().find(|verdict| verdict.miss.is_none()).map(|verdict| place(verdict.entry));
        let but_method = verdicts.iter().find(|verdict| matches!(verdict.miss, Some(super::Miss::Method(_)))).map(|verdict| place(verdict.entry));
        // Among those that fit wholly, precedence as it is written down picks the same one.
        let fitting: BTreeSet<(usize, usize)> = verdicts.iter().filter(|verdict| verdict.miss.is_none()).map(|verdict| place(verdict.entry)).collect();
        let ids: Vec<&str> = snapshot.routes.iter().map(|route| &*route.id).collect();
        let written = |route: usize| numbered.iter().find(|written| written["id"] == ids[route]).expect("a route");
        let ranks = |(route, index): &(usize, usize)| {
            let route = written(*route);
            fitting_hosts(route, host).into_iter().map(|host| written_rank(route, *index, &host)).min().expect("a host")
        };
        prop_assert_eq!(fitting.iter().min_by_key(|place| ranks(place)).copied(), wholly);
        match snapshot.find(&request) {
            Match::Found(entry) => prop_assert_eq!(Some(place(entry)), wholly),
            Match::MethodNotAllowed { entry, .. } => {
                prop_assert_eq!(None, wholly);
                prop_assert_eq!(Some(place(entry)), but_method);
            }
            Match::NotFound => prop_assert_eq!((None, None), (wholly, but_method)),
        }
    }
}
